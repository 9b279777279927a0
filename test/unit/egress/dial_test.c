/* Connections for upstream.c: what is reached, and whose certificate is good for what. The server
 * is on the same loop and greets everybody. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "egress/egress.h"
#include "io/certificate.h"
#include "io/listen.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/tls.h"
#include "lib/test.h"

static char dir[] = "/tmp/holdfast-dial-XXXXXX";
static char cert[64], key[64], path[64];
static struct buf ca;

static struct loop *loop;
static struct listener *listener;
static struct tls *tls;
static struct stream *visitors[4];
static unsigned n_visitors;
static bool is_silent;

static struct egress *egress;
static struct egress_call *call;
static struct stream *stream;
static struct buf told;

/* --- the server --- */

static void on_data(void *arg, struct span in)
{
}

static void on_gone(void *arg)
{
}

static void on_lost(void *arg, int err)
{
}

static const struct stream_ops visitor_facts = {on_data, on_gone, NULL, on_lost};

static void on_accepted(void *arg, struct stream *take_s)
{
    visitors[n_visitors++] = take_s;
    stream_attach(take_s, &visitor_facts, NULL);
    if (!is_silent)
        (void)stream_write(take_s, SLICE("welcome"));
    stream_resume(take_s);
}

static const struct listen_ops listen_facts = {.accepted = on_accepted};

static uint16_t serve(bool is_tls)
{
    const struct tls_certificate pair = {cert, key};
    const struct tls_options o = {.certificates = &pair, .n_certificates = 1};
    struct listen_options at = {.host = "127.0.0.1"};
    struct err_note note = {0};

    if (is_tls)
        at.tls = tls = tls_open(loop, &o, NULL, NULL, &note);
    listener = listen_open(loop, &at, &listen_facts, NULL, &note);
    if (!listener)
        fail_msg("%s", note.text);
    return listen_port(listener);
}

/* --- the asker --- */

static void on_heard(void *arg, struct span in)
{
    (void)buf_add(&told, span_slice(in));
}

static const struct stream_ops heard = {on_heard, on_gone, NULL, on_lost};

static void on_connected(void *arg, struct stream *take_s)
{
    call = NULL;
    stream = take_s;
    stream_attach(take_s, &heard, NULL);
    stream_resume(take_s);
}

static void on_failed(void *arg, int err, struct slice text)
{
    call = NULL;
    assert_true(text.n > 0);
    (void)buf_addf(&told, "%s", err_label(err));
}

static const struct egress_ops facts = {.failed = on_failed, .connected = on_connected};

static void open_egress(const struct egress_policy *policy, uint32_t connect_ms)
{
    static const struct egress_policy any = {0};
    struct err_note note = {0};

    egress = egress_new(loop, policy ? policy : &any,
                        &(struct egress_limits){.connect_ms = connect_ms}, NULL, &note);
    if (!egress)
        fail_msg("%s", note.text);
}

/* What the asker hears or is told. */
static void expect(struct egress_connect to, const char *want)
{
    buf_clear(&told);
    if (!to.host && !to.path)
        to.host = "127.0.0.1";
    if (!egress)
        open_egress(NULL, 5000);
    call = egress_connect(egress, &to, &facts, NULL);
    assert_int_equal(told.n, 0);
    for (unsigned i = 0; i < 500 && told.n == 0; i++)
        loop_tick(loop, 10);
    if (stream)
        stream_doom(stream);
    stream = NULL;
    (void)buf_add_byte(&told, 0);
    assert_string_equal((char *)told.p, want);
}

/* --- the world --- */

static int make_certificate(void **state)
{
    static const char *const names[] = {"one.test", "127.0.0.1"};
    const struct certificate_request r = {
        .common_name = "one", .names = names, .n_names = 2, .days = 2};

    assert_non_null(mkdtemp(dir));
    (void)snprintf(cert, sizeof(cert), "%s/one.pem", dir);
    (void)snprintf(key, sizeof(key), "%s/one.key", dir);
    (void)snprintf(path, sizeof(path), "%s/sock", dir);
    assert_int_equal(certificate_make(&r, cert, key, NULL), 0);

    FILE *f = fopen(cert, "r");
    char text[4096];
    const size_t n = fread(text, 1, sizeof(text), f);

    (void)fclose(f);
    buf_init(&ca, sizeof(text));
    return buf_add(&ca, slice_make(text, n));
}

static int remove_certificate(void **state)
{
    (void)unlink(cert);
    (void)unlink(key);
    (void)unlink(path);
    buf_done(&ca);
    return rmdir(dir);
}

static int setup(void **state)
{
    loop = loop_new();
    buf_init(&told, 1 << 16);
    is_silent = false;
    return 0;
}

static int teardown(void **state)
{
    egress_free(egress);
    egress = NULL;
    listen_close(listener);
    listener = NULL;
    while (n_visitors)
        stream_doom(visitors[--n_visitors]);
    for (unsigned i = 0; i < 5; i++)
        loop_tick(loop, 0);
    tls_close(tls);
    tls = NULL;
    loop_tick(loop, 0);
    loop_free(loop);
    buf_done(&told);
    return 0;
}

TEST(a_server_is_reached)
{
    expect((struct egress_connect){.port = serve(false)}, "welcome");
}

TEST(a_unix_socket_is_reached)
{
    listener = listen_open(loop, &(struct listen_options){.path = path}, &listen_facts, NULL, NULL);
    expect((struct egress_connect){.path = path}, "welcome");
}

TEST(nobody_there_is_an_error)
{
    const uint16_t port = serve(false);

    listen_close(listener);
    listener = NULL;
    loop_tick(loop, 0);
    expect((struct egress_connect){.port = port}, "refused");
    expect((struct egress_connect){.path = path}, "refused");
}

TEST(a_certificate_must_be_trusted_and_of_the_name)
{
    const uint16_t port = serve(true);
    const struct slice trusted = buf_slice(&ca);

    expect((struct egress_connect){.port = port, .name = "one.test", .ca = trusted}, "welcome");
    expect((struct egress_connect){.port = port, .name = "127.0.0.1", .ca = trusted}, "welcome");
    expect((struct egress_connect){.port = port, .name = "one.test"}, "origin_tls");
    expect((struct egress_connect){.port = port, .name = "two.test", .ca = trusted}, "origin_tls");
}

TEST(it_may_be_of_another_name_than_the_one_that_is_sent)
{
    const uint16_t port = serve(true);
    struct egress_connect to = {.port = port, .name = "two.test", .ca = buf_slice(&ca)};

    to.cert_name = "one.test";
    expect(to, "welcome");
    to.cert_name = "127.0.0.1";
    expect(to, "welcome");
    to.cert_name = "three.test";
    expect(to, "origin_tls");
    to.ca = SLICE_NONE;
    to.cert_name = "one.test";
    expect(to, "origin_tls");
}

TEST(or_it_is_not_checked)
{
    expect((struct egress_connect){.port = serve(true), .name = "two.test", .insecure = true},
           "welcome");
}

TEST(rules_hold_where_they_are_to)
{
    static const char *const deny[] = {"private", NULL};
    const struct egress_policy policy = {.deny = deny};
    const uint16_t port = serve(false);

    open_egress(&policy, 5000);
    expect((struct egress_connect){.port = port, .by_rules = true}, "egress_denied");
    expect((struct egress_connect){.port = port}, "welcome");
}

TEST(a_handshake_that_does_not_end_is_given_up)
{
    is_silent = true;
    open_egress(NULL, 100);
    expect((struct egress_connect){.port = serve(false), .name = "one.test"}, "origin_timeout");
}

TEST(one_that_is_given_up_tells_nothing)
{
    open_egress(NULL, 5000);
    call = egress_connect(
        egress, &(struct egress_connect){.host = "127.0.0.1", .port = serve(false)}, &facts, NULL);
    loop_tick(loop, 0);
    egress_cancel(call);
    for (unsigned i = 0; i < 10; i++)
        loop_tick(loop, 5);
    assert_int_equal(told.n, 0);
    assert_null(stream);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_server_is_reached),
        T(a_unix_socket_is_reached),
        T(nobody_there_is_an_error),
        T(a_certificate_must_be_trusted_and_of_the_name),
        T(it_may_be_of_another_name_than_the_one_that_is_sent),
        T(or_it_is_not_checked),
        T(rules_hold_where_they_are_to),
        T(a_handshake_that_does_not_end_is_given_up),
        T(one_that_is_given_up_tells_nothing),
    };

    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}

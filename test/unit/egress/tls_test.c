/* Egress over TLS, against a server of our own in a thread: a certificate that only the
 * configuration trusts, a response, and a WebSocket. */
#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conn/websocket.h"
#include "egress/egress.h"
#include "io/loop.h"
#include "lib/test.h"
#include "wire/http1.h"
#include "wire/ws.h"

/* --- the server: one connection at a time, blocking --- */

struct server {
    int fd;
    uint16_t port;
    SSL_CTX *ctx;
    char ca_file[64];
    pthread_t thread;
};

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_EXTENSION *alt = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:api.test");

    assert_true(X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1));
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"api.test", -1, -1,
                               0);
    assert_true(X509_set_issuer_name(x, name) && X509_set_pubkey(x, key) &&
                X509_add_ext(x, alt, -1));
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    X509_EXTENSION_free(alt);
    return x;
}

static void write_ca_file(struct server *s, X509 *x)
{
    FILE *f;

    (void)snprintf(s->ca_file, sizeof(s->ca_file), "/tmp/egress-ca-XXXXXX");
    f = fdopen(mkstemp(s->ca_file), "w");
    assert_non_null(f);
    assert_true(PEM_write_X509(f, x));
    (void)fclose(f);
}

static void answer(SSL *ssl, const struct http1_head *h)
{
    char text[500], accept[WS_ACCEPT_SIZE + 1];
    struct slice key;
    int n;

    if (ws_check_request(h, &key) < 0) {
        n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret");
        (void)SSL_write(ssl, text, n);
        return;
    }
    ws_accept(key, accept);
    n = snprintf(text, sizeof(text),
                 "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\n\r\n\x81\x05hello",
                 accept);
    (void)SSL_write(ssl, text, n);
    n = SSL_read(ssl, text, sizeof(text)); /* a masked frame: its size is all that matters here */
    n = snprintf(text, sizeof(text), "\x81\x02%02d", n);
    (void)SSL_write(ssl, text, n);
}

static void talk(SSL *ssl)
{
    static const struct http1_limits limits = {8192, 65536, 100, 1 << 20};
    static struct http1_head head;
    struct http1_decoder d;
    char text[8192];
    int n = 0, got, r = 0;

    if (SSL_accept(ssl) != 1)
        return;
    http1_init(&d, HTTP1_REQUESTS, &limits);
    while (r == 0 && (got = SSL_read(ssl, text + n, (int)sizeof(text) - n)) > 0) {
        struct slice in = slice_make(text, (size_t)(n += got)), bytes;

        r = http1_next(&d, &in, &head, &bytes);
    }
    if (r == HTTP1_HEAD)
        answer(ssl, &head);
    (void)SSL_shutdown(ssl);
}

static void *serve(void *arg)
{
    struct server *s = arg;
    int fd;

    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        SSL *ssl = SSL_new(s->ctx);

        (void)SSL_set_fd(ssl, fd);
        talk(ssl);
        SSL_free(ssl);
        (void)close(fd);
    }
    return NULL;
}

static struct server *start_server(void)
{
    struct server *s = mem_new(sizeof(*s));
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = make_certificate(key);

    s->ctx = SSL_CTX_new(TLS_server_method());
    assert_true(SSL_CTX_use_certificate(s->ctx, x) == 1 &&
                SSL_CTX_use_PrivateKey(s->ctx, key) == 1);
    write_ca_file(s, x);
    X509_free(x);
    EVP_PKEY_free(key);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    return s;
}

static void stop_server(struct server *s)
{
    (void)shutdown(s->fd, SHUT_RDWR);
    (void)pthread_join(s->thread, NULL);
    (void)close(s->fd);
    (void)unlink(s->ca_file);
    SSL_CTX_free(s->ctx);
    mem_free(s);
}

/* --- the asker --- */

struct asker {
    struct buf told;
    bool is_over;
    struct transport *socket;
};

static void on_message(void *arg, struct span bytes, bool binary)
{
    struct asker *a = arg;

    (void)buf_addf(&a->told, "message %.*s\n", SLICE_FMT(span_slice(bytes)));
    a->is_over = true;
}

static void on_closed(void *arg, uint16_t code, bool clean, struct slice reason)
{
    struct asker *a = arg;

    (void)buf_addf(&a->told, "closed %u\n", code);
    a->is_over = true;
}

static const struct transport_ops socket_ops = {.message = on_message, .closed = on_closed};

static void on_response(void *arg, const struct egress_response *r)
{
    struct asker *a = arg;

    (void)buf_addf(&a->told, "%u\n", r->status);
    if (r->socket) {
        a->socket = r->socket;
        transport_attach(r->socket, &socket_ops, a);
        transport_start(r->socket);
    }
}

static void on_body(void *arg, struct slice bytes)
{
    (void)buf_addf(&((struct asker *)arg)->told, "+%.*s\n", SLICE_FMT(bytes));
}

static void on_ended(void *arg)
{
    ((struct asker *)arg)->is_over = true;
}

static void on_failed(void *arg, int err, struct slice text)
{
    (void)buf_addf(&((struct asker *)arg)->told, "failed %s\n", err_label(err));
    on_ended(arg);
}

static void on_taken(void *arg, size_t n)
{
}

static const struct egress_ops ops = {on_response, on_body, on_ended, on_failed, on_taken};

static void expect(struct loop *l, struct asker *a, const char *want)
{
    for (int i = 0; i < 1000 && !a->is_over; i++)
        loop_tick(l, 10);
    (void)buf_add_byte(&a->told, 0);
    assert_string_equal((const char *)a->told.p, want);
    buf_clear(&a->told);
    a->is_over = false;
}

struct world {
    struct server *server;
    struct loop *loop;
    struct egress *egress;
    struct asker asker;
    struct websocket_options ws;
};

static struct world *open_world(bool trusts)
{
    struct world *w = mem_new(sizeof(*w));
    struct err_note note = {0};
    char rule[64];

    w->server = start_server();
    w->loop = loop_new();
    buf_init(&w->asker.told, 10000);
    (void)snprintf(rule, sizeof(rule), "api.test:%u:127.0.0.1", w->server->port);
    w->egress =
        egress_new(w->loop,
                   &(struct egress_policy){
                       .resolve = (const char *const[]){rule, NULL},
                       .ca_files = trusts ? (const char *const[]){w->server->ca_file, NULL} : NULL,
                   },
                   NULL, &w->ws, &note);
    if (!w->egress)
        fail_msg("%s", note.text);
    return w;
}

static void ask(struct world *w, const char *scheme, bool upgrade)
{
    char head[100];
    const int n = snprintf(head, sizeof(head), "GET %s://api.test:%u/\n", scheme, w->server->port);

    (void)egress_start(
        w->egress,
        &(struct egress_request){.head = slice_make(head, (size_t)n), .upgrade = upgrade}, &ops,
        &w->asker);
}

static void close_world(struct world *w)
{
    if (w->asker.socket)
        transport_terminate(w->asker.socket);
    egress_free(w->egress);
    for (int i = 0; i < 5; i++)
        loop_tick(w->loop, 1);
    loop_free(w->loop);
    stop_server(w->server);
    buf_done(&w->asker.told);
    mem_free(w);
}

TEST(a_certificate_of_the_configuration_is_trusted)
{
    struct world *w = open_world(true);

    ask(w, "https", false);
    expect(w->loop, &w->asker, "200\n+secret\n");
    close_world(w);
}

TEST(an_unknown_certificate_is_not)
{
    struct world *w = open_world(false);

    ask(w, "https", false);
    expect(w->loop, &w->asker, "failed origin_tls\n");
    close_world(w);
}

TEST(a_websocket_speaks_over_tls)
{
    struct world *w = open_world(true);
    struct payload p = {.bytes = SLICE("hi there")};

    ask(w, "wss", true);
    expect(w->loop, &w->asker, "101\nmessage hello\n");
    assert_int_equal(transport_send(w->asker.socket, &p), 0);
    payload_done(&p);
    expect(w->loop, &w->asker, "message 14\n");
    expect(w->loop, &w->asker, "closed 1006\n");
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_of_the_configuration_is_trusted),
        cmocka_unit_test(an_unknown_certificate_is_not),
        cmocka_unit_test(a_websocket_speaks_over_tls),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

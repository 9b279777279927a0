#include "io/tls.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/certificate.h"
#include "io/stream.h"
#include "lib/test.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

/* --- certificates on disk, made once --- */

static char folder[] = "/tmp/holdfast-tls-XXXXXX";

static const char *file(const char *name)
{
    static char paths[16][128];
    static unsigned turn;
    char *path = paths[turn++ % COUNT_OF(paths)];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void make(const char *stem, bool rsa, const char *name)
{
    char cert[64], key[64];
    struct err_note note = {0};
    const struct certificate_request r = {.common_name = stem,
                                          .names = &name,
                                          .n_names = 1,
                                          .days = 90,
                                          .is_rsa = rsa,
                                          .issuer_cert = file("ca.pem"),
                                          .issuer_key = file("ca.key")};

    (void)snprintf(cert, sizeof(cert), "%s.pem", stem);
    (void)snprintf(key, sizeof(key), "%s.key", stem);
    assert_int_equal(certificate_make(&r, file(cert), file(key), &note), 0);
}

static int make_all(void **state)
{
    static const char *const permitted[] = {"test"};
    const struct certificate_request ca = {.common_name = "test authority",
                                           .names = permitted,
                                           .n_names = 1,
                                           .days = 365,
                                           .is_authority = true};

    assert_non_null(mkdtemp(folder));
    assert_int_equal(certificate_make(&ca, file("ca.pem"), file("ca.key"), NULL), 0);
    make("one", false, "one.test");
    make("one-rsa", true, "one.test");
    make("wild", false, "*.wild.test");
    make("new", false, "new.test");
    return 0;
}

static int remove_all(void **state)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

/* --- the server's side: an ear that may echo --- */

struct server {
    struct loop *loop;
    struct tls *tls;
    struct stream *stream;
    struct buf heard;
    char why[128];
    int ended;
    int lost;
    bool echoes;
};

static void on_data(void *arg, struct span in)
{
    struct server *s = arg;

    memset(in.p - LOOP_HEADROOM, '!', LOOP_HEADROOM);
    assert_int_equal(buf_add(&s->heard, span_slice(in)), 0);
    if (s->echoes)
        assert_int_equal(stream_write(s->stream, span_slice(in)), 0);
}

static void on_ended(void *arg)
{
    struct server *s = arg;

    s->ended++;
}

static void on_lost(void *arg, int err)
{
    struct server *s = arg;

    s->lost = err;
}

static const struct stream_ops ears = {.data = on_data, .ended = on_ended, .lost = on_lost};

static void on_failed(void *arg, const struct stream *s, struct slice why)
{
    struct server *server = arg;

    (void)snprintf(server->why, sizeof(server->why), "%.*s", SLICE_FMT(why));
}

static const struct tls_ops facts = {.failed = on_failed};

static void serve(struct server *s, const struct tls_options *more)
{
    struct tls_certificate list[] = {{file("one.pem"), file("one.key")},
                                     {file("one-rsa.pem"), file("one-rsa.key")},
                                     {file("wild.pem"), file("wild.key")}};
    struct tls_options o = more ? *more : (struct tls_options){0};
    struct err_note note = {0};

    *s = (struct server){.loop = loop_new()};
    buf_init(&s->heard, 64 << 20);
    o.certificates = list;
    o.n_certificates = COUNT_OF(list);
    s->tls = tls_open(s->loop, &o, &facts, s, &note);
    assert_non_null(s->tls);
}

/* The server takes a connection; returns the client's end. */
static int take(struct server *s)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    stream_doom(s->stream);
    s->stream = tls_accept(s->tls, fds[0], 0, NULL);
    assert_non_null(s->stream);
    stream_attach(s->stream, &ears, s);
    stream_resume(s->stream);
    s->ended = s->lost = 0;
    buf_clear(&s->heard);
    return fds[1];
}

static void done(struct server *s)
{
    stream_doom(s->stream);
    tls_close(s->tls);
    loop_free(s->loop);
    buf_done(&s->heard);
}

/* --- the client --- */

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    SSL_SESSION *session;
    int fd;
};

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct client *c = SSL_get_app_data(ssl);

    SSL_SESSION_free(c->session);
    c->session = session;
    return 1;
}

static void client_init(struct client *c, int version)
{
    *c = (struct client){.ctx = SSL_CTX_new(TLS_client_method()), .fd = -1};
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ctx, keep_session);
    assert_int_equal(SSL_CTX_load_verify_locations(c->ctx, file("ca.pem"), NULL), 1);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    assert_int_equal(SSL_CTX_set_min_proto_version(c->ctx, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(c->ctx, version), 1);
}

/* Quietly: without it the library would take the session for a broken one. */
static void hang_up(struct client *c)
{
    if (c->ssl)
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->ssl);
    if (c->fd >= 0)
        (void)close(c->fd);
    c->ssl = NULL;
    c->fd = -1;
}

static void dial(struct client *c, int take_fd, const char *name)
{
    hang_up(c);
    c->fd = take_fd;
    c->ssl = SSL_new(c->ctx);
    SSL_set_app_data(c->ssl, c);
    SSL_set_fd(c->ssl, take_fd);
    SSL_set_connect_state(c->ssl);
    if (name) {
        SSL_set_tlsext_host_name(c->ssl, name);
        SSL_set1_host(c->ssl, name);
    }
    if (c->session)
        SSL_set_session(c->ssl, c->session);
}

static void client_done(struct client *c)
{
    hang_up(c);
    SSL_SESSION_free(c->session);
    SSL_CTX_free(c->ctx);
}

/* Both sides work until the client's handshake is done or failed. */
static bool shake(struct server *s, struct client *c)
{
    for (int i = 0; i < 100; i++) {
        const int r = SSL_do_handshake(c->ssl);

        if (r == 1) {
            loop_tick(s->loop, 0);
            loop_tick(s->loop, 0);
            return true;
        }
        if (SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_READ)
            break;
        loop_tick(s->loop, 1);
    }
    ERR_clear_error();
    loop_tick(s->loop, 0);
    loop_tick(s->loop, 0);
    return false;
}

static void settle(struct server *s)
{
    for (int i = 0; i < 8; i++)
        loop_tick(s->loop, 0);
}

static int hear(struct client *c, char *p, int n)
{
    const int r = SSL_read(c->ssl, p, n);

    ERR_clear_error();
    return r;
}

/* --- handshakes --- */

/* Echoes until all came back. */
static void echoes(struct server *s, struct client *c, size_t n)
{
    static uint8_t said[100000], got[sizeof(said)];
    size_t sent = 0, back = 0, part;

    for (size_t i = 0; i < n; i++)
        said[i] = (uint8_t)(i + i / 251);
    for (int i = 0; back < n; i++) {
        assert_in_range(i, 0, 100000);
        if (sent < n && SSL_write_ex(c->ssl, said + sent, MIN(n - sent, 20000), &part) == 1)
            sent += part;
        loop_tick(s->loop, 0);
        while (back < n && SSL_read_ex(c->ssl, got + back, n - back, &part) == 1)
            back += part;
        ERR_clear_error();
        assert_int_equal(s->lost, 0);
    }
    assert_memory_equal(got, said, n);
}

static void both_ways(int version, const char *name, const char *cipher)
{
    struct server s;
    struct client c;

    serve(&s, NULL);
    s.echoes = true;
    client_init(&c, version);
    SSL_CTX_set_mode(c.ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    assert_int_equal(version == TLS1_3_VERSION ? SSL_CTX_set_ciphersuites(c.ctx, cipher)
                                               : SSL_CTX_set_cipher_list(c.ctx, cipher),
                     1);
    dial(&c, take(&s), "one.test");
    assert_true(shake(&s, &c));
    assert_string_equal(tls_version(s.stream), name);
    assert_string_equal(tls_cipher(s.stream), cipher);
    echoes(&s, &c, 5);
    echoes(&s, &c, 100000);
    assert_int_equal(tls_stats(s.tls)->handshakes, 1);
    assert_int_equal(tls_stats(s.tls)->shaking, 0);
    client_done(&c);
    done(&s);
}

TEST(speaks_tls_1_3)
{
    both_ways(TLS1_3_VERSION, "TLSv1.3", "TLS_AES_128_GCM_SHA256");
    both_ways(TLS1_3_VERSION, "TLSv1.3", "TLS_AES_256_GCM_SHA384");
    both_ways(TLS1_3_VERSION, "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256");
}

TEST(speaks_tls_1_2)
{
    both_ways(TLS1_2_VERSION, "TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256");
    both_ways(TLS1_2_VERSION, "TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384");
    both_ways(TLS1_2_VERSION, "TLSv1.2", "ECDHE-RSA-CHACHA20-POLY1305");
    both_ways(TLS1_2_VERSION, "TLSv1.2", "DHE-RSA-AES128-GCM-SHA256");
}

TEST(records_are_as_short_as_the_client_asked)
{
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct server s;
        struct client c;

        serve(&s, NULL);
        s.echoes = true;
        client_init(&c, version);
        SSL_CTX_set_tlsext_max_fragment_length(c.ctx, TLSEXT_max_fragment_length_512);
        dial(&c, take(&s), "one.test");
        assert_true(shake(&s, &c));
        echoes(&s, &c, 3000); /* the client refuses longer ones */
        client_done(&c);
        done(&s);
    }
}

TEST(refuses_tls_1_1_and_says_why)
{
    struct server s;
    struct client c;

    serve(&s, NULL);
    client_init(&c, TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(c.ctx, "ALL:@SECLEVEL=0");
    dial(&c, take(&s), "one.test");
    assert_false(shake(&s, &c));
    assert_int_equal(s.lost, -ERR_TLS);
    assert_string_equal(s.why, "unsupported protocol");
    assert_int_equal(tls_stats(s.tls)->failed, 1);
    client_done(&c);
    done(&s);
}

TEST(only_13_refuses_tls_1_2)
{
    const struct tls_options o = {.only_13 = true};
    struct server s;
    struct client c;

    serve(&s, &o);
    client_init(&c, TLS1_2_VERSION);
    dial(&c, take(&s), "one.test");
    assert_false(shake(&s, &c));
    assert_int_equal(s.lost, -ERR_TLS);
    client_done(&c);
    done(&s);
}

TEST(a_plain_request_is_told_to_use_https)
{
    struct server s;
    char got[256];
    int fd;

    serve(&s, NULL);
    fd = take(&s);
    assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    settle(&s);
    assert_true(read(fd, got, sizeof(got)) > 12);
    assert_memory_equal(got, "HTTP/1.1 400", 12);
    assert_string_equal(s.why, "http request");
    assert_int_equal(s.lost, -ERR_TLS);
    (void)close(fd);
    done(&s);
}

TEST(garbage_is_an_error_of_the_peer)
{
    struct server s;
    int fd;

    serve(&s, NULL);
    fd = take(&s);
    assert_int_equal(write(fd, "\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff\0\0\0\0\0\0", 16), 16);
    settle(&s);
    assert_int_equal(s.lost, -ERR_TLS);
    (void)close(fd);
    done(&s);
}

TEST(a_client_that_leaves_in_the_handshake_is_told)
{
    struct server s;
    int fd;

    serve(&s, NULL);
    fd = take(&s);
    (void)close(fd);
    settle(&s);
    assert_int_equal(s.lost, -ERR_RESET);
    assert_string_equal(s.why, "the client left in the handshake");
    assert_int_equal(tls_stats(s.tls)->shaking, 0);
    done(&s);
}

TEST(a_handshake_has_its_time)
{
    const struct tls_options o = {.handshake_ms = 30};
    struct server s;
    int fd;

    serve(&s, &o);
    fd = take(&s);
    assert_int_equal(write(fd, "\x16", 1), 1);
    for (int i = 0; i < 4000 && s.lost == 0; i++)
        loop_tick(s.loop, 10);
    assert_int_equal(s.lost, -ERR_TIMEOUT);
    assert_string_equal(s.why, "the handshake took too long");
    (void)close(fd);
    done(&s);
}

TEST(a_stream_doomed_in_the_handshake_is_forgotten)
{
    const struct tls_options o = {.handshake_ms = 20};
    struct server s;
    int fd;

    serve(&s, &o);
    fd = take(&s);
    stream_doom(s.stream);
    for (int i = 0; i < 5; i++)
        loop_tick(s.loop, 10);
    assert_int_equal(tls_stats(s.tls)->shaking, 0);
    assert_int_equal(tls_stats(s.tls)->failed, 0);
    s.stream = NULL;
    (void)close(fd);
    done(&s);
}

/* --- certificates --- */

static void expect_name(struct server *s, struct client *c, const char *ask, const char *common)
{
    char got[64] = "";

    dial(c, take(s), ask);
    assert_true(shake(s, c));
    X509 *x = SSL_get1_peer_certificate(c->ssl);

    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, got, sizeof(got));
    assert_string_equal(got, common);
    X509_free(x);
}

TEST(sni_chooses_the_certificate)
{
    struct server s;
    struct client c;

    serve(&s, NULL);
    client_init(&c, TLS1_3_VERSION);
    expect_name(&s, &c, "one.test", "one");
    expect_name(&s, &c, "ONE.test", "one");
    expect_name(&s, &c, "a.wild.test", "wild");
    SSL_CTX_set_verify(c.ctx, SSL_VERIFY_NONE, NULL);
    expect_name(&s, &c, "unknown.test", "one");
    expect_name(&s, &c, NULL, "one");
    client_done(&c);
    done(&s);
}

TEST(a_client_of_rsa_gets_the_rsa_certificate_of_the_same_name)
{
    struct server s;
    struct client c;

    serve(&s, NULL);
    client_init(&c, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(c.ctx, "ECDHE-RSA-AES128-GCM-SHA256");
    expect_name(&s, &c, "one.test", "one-rsa");
    client_done(&c);
    done(&s);
}

TEST(reload_is_for_new_handshakes_and_a_bad_one_changes_nothing)
{
    const struct tls_certificate fresh = {file("new.pem"), file("new.key")};
    const struct tls_certificate wrong = {file("new.pem"), file("one.key")};
    const struct tls_certificate absent = {file("absent.pem"), file("one.key")};
    struct err_note note = {0};
    struct server s;
    struct client c;

    serve(&s, NULL);
    client_init(&c, TLS1_3_VERSION);
    expect_name(&s, &c, "one.test", "one");
    assert_int_equal(tls_reload(s.tls, &wrong, 1, &note), -ERR_CONFIG);
    assert_non_null(strstr(note.text, "is not the key of the certificate"));
    assert_int_equal(tls_reload(s.tls, &absent, 1, &note), -ERR_CONFIG);
    assert_non_null(strstr(note.text, "cannot be read: No such file"));
    assert_int_equal(
        tls_reload(s.tls, &(struct tls_certificate){file("one.key"), file("one.key")}, 1, &note),
        -ERR_CONFIG);
    assert_non_null(strstr(note.text, "expected a PEM certificate"));
    assert_int_equal(tls_reload(s.tls, &fresh, 1, &note), 0);
    assert_int_equal(SSL_write(c.ssl, "x", 1), 1); /* the old one goes on */
    settle(&s);
    assert_int_equal(s.heard.n, 1);
    expect_name(&s, &c, "new.test", "new");
    client_done(&c);
    done(&s);
}

static void refuse_pair(const char *cert, const char *key, const char *why)
{
    const struct tls_certificate pair = {cert, key};
    const struct tls_options o = {.certificates = &pair, .n_certificates = 1};
    struct loop *l = loop_new();
    struct err_note note = {0};

    assert_null(tls_open(l, &o, NULL, NULL, &note));
    if (!strstr(note.text, why))
        fail_msg("expected \"%s\" in \"%s\"", why, note.text);
    loop_free(l);
}

/* The file's bytes, so many times, behind what is there. */
static void append(const char *from, const char *to, unsigned times)
{
    char text[4096];
    FILE *f = fopen(from, "r");
    const size_t n = fread(text, 1, sizeof(text), f);

    (void)fclose(f);
    f = fopen(to, "a");
    while (times--)
        assert_int_equal(fwrite(text, 1, n, f), n);
    (void)fclose(f);
}

TEST(certificates_that_cannot_be_used_are_told)
{
    FILE *f = fopen(file("one.key"), "r");
    EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    X509 *cert;

    (void)fclose(f);
    f = fopen(file("locked.key"), "w");
    assert_true(PEM_write_PrivateKey(f, key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6,
                                     NULL, NULL));
    (void)fclose(f);
    f = fopen(file("one.pem"), "r");
    cert = PEM_read_X509(f, NULL, NULL, NULL);
    (void)fclose(f);
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), -60));
    assert_true(i2d_re_X509_tbs(cert, NULL) > 0); /* what was read is not what is written */
    f = fopen(file("old.pem"), "w");
    assert_true(PEM_write_X509(f, cert));
    (void)fclose(f);
    X509_free(cert);
    EVP_PKEY_free(key);
    refuse_pair(file("one.pem"), file("locked.key"),
                "expected a PEM private key without a passphrase");
    refuse_pair(file("old.pem"), file("one.key"), "the certificate has expired");
}

TEST(a_chain_has_so_many_certificates)
{
    enum { CHAIN_MAX = 16 }; /* as in tls_certs.c, behind the first */
    const struct tls_certificate whole = {file("long.pem"), file("one.key")};
    struct err_note note = {0};
    struct server s;

    serve(&s, NULL);
    append(file("one.pem"), file("long.pem"), 1); /* with one behind it */
    append(file("ca.pem"), file("long.pem"), CHAIN_MAX - 1);
    assert_int_equal(tls_reload(s.tls, &whole, 1, &note), 0);
    append(file("ca.pem"), file("long.pem"), 1);
    refuse_pair(file("long.pem"), file("one.key"), "more than 16 certificates");
    done(&s);
}

/* --- resumption, ALPN, renegotiation --- */

static void resumes(int version)
{
    struct server s, sibling;
    struct tls_seed seed;
    struct client c;
    char byte;

    serve(&s, NULL);
    tls_seed_make(s.loop, &seed);
    done(&s);
    serve(&s, &(struct tls_options){.seed = &seed});
    serve(&sibling, &(struct tls_options){.seed = &seed});
    client_init(&c, version);
    dial(&c, take(&s), "one.test");
    assert_true(shake(&s, &c));
    assert_false(tls_is_resumed(s.stream));
    (void)hear(&c, &byte, 1); /* the tickets of 1.3 */
    assert_non_null(c.session);
    dial(&c, take(&sibling), "one.test");
    assert_true(shake(&sibling, &c));
    assert_true(tls_is_resumed(sibling.stream));
    assert_int_equal(SSL_session_reused(c.ssl), 1);
    assert_int_equal(tls_stats(sibling.tls)->resumed, 1);
    sibling.echoes = true;
    echoes(&sibling, &c, 1000);
    client_done(&c);
    done(&s);
    done(&sibling);
}

TEST(a_sibling_resumes_by_ticket_in_1_3)
{
    resumes(TLS1_3_VERSION);
}

TEST(a_sibling_resumes_by_ticket_in_1_2)
{
    resumes(TLS1_2_VERSION);
}

TEST(a_stranger_s_ticket_means_a_full_handshake)
{
    struct server s, other;
    struct client c;
    char byte;

    serve(&s, NULL);
    serve(&other, NULL);
    client_init(&c, TLS1_3_VERSION);
    dial(&c, take(&s), "one.test");
    assert_true(shake(&s, &c));
    (void)hear(&c, &byte, 1);
    dial(&c, take(&other), "one.test");
    assert_true(shake(&other, &c));
    assert_false(tls_is_resumed(other.stream));
    client_done(&c);
    done(&s);
    done(&other);
}

TEST(alpn_is_http_1_1_or_nothing)
{
    struct server s;
    struct client c;
    const uint8_t *got;
    unsigned n;

    serve(&s, NULL);
    client_init(&c, TLS1_3_VERSION);
    SSL_CTX_set_alpn_protos(c.ctx, (const uint8_t *)"\2h2\x8http/1.1", 12);
    dial(&c, take(&s), "one.test");
    assert_true(shake(&s, &c));
    SSL_get0_alpn_selected(c.ssl, &got, &n);
    assert_int_equal(n, 8);
    assert_memory_equal(got, "http/1.1", 8);
    SSL_CTX_set_alpn_protos(c.ctx, (const uint8_t *)"\2h2", 3);
    dial(&c, take(&s), "one.test");
    assert_false(shake(&s, &c));
    assert_int_equal(s.lost, -ERR_TLS);
    client_done(&c);
    done(&s);
}

TEST(renegotiation_is_refused)
{
    struct server s;
    struct client c;
    char byte;

    serve(&s, NULL);
    s.echoes = true;
    client_init(&c, TLS1_2_VERSION);
    dial(&c, take(&s), "one.test");
    assert_true(shake(&s, &c));
    echoes(&s, &c, 10);
    assert_int_equal(SSL_renegotiate(c.ssl), 1);
    (void)SSL_do_handshake(c.ssl);
    settle(&s);
    assert_true(hear(&c, &byte, 1) <= 0);
    (void)SSL_do_handshake(c.ssl);
    ERR_clear_error();
    assert_int_equal(tls_stats(s.tls)->handshakes, 1);
    client_done(&c);
    done(&s);
}

TEST(keys_are_updated_as_often_as_there_are_data)
{
    struct server s;
    struct client c;

    serve(&s, NULL);
    s.echoes = true;
    client_init(&c, TLS1_3_VERSION);
    dial(&c, take(&s), "one.test");
    assert_true(shake(&s, &c));
    for (int i = 0; i < 100; i++) {
        assert_int_equal(SSL_key_update(c.ssl, i % 2), 1); /* with and without ours */
        echoes(&s, &c, 100);
    }
    client_done(&c);
    done(&s);
}

/* The kernel takes bytes again in the tick in which an answer is due. */
TEST(a_key_update_in_the_middle_of_what_waits_stops_nothing)
{
    static uint8_t much[1 << 20], piece[16 * 1024];
    struct server s;
    struct client c;
    size_t all = 0;
    int n;

    serve(&s, NULL);
    client_init(&c, TLS1_3_VERSION);
    dial(&c, take(&s), "one.test");
    assert_true(shake(&s, &c));
    assert_int_equal(stream_write(s.stream, slice_make(much, sizeof(much))), 0);
    loop_tick(s.loop, 0);
    for (int i = 0; i < 100 && all < sizeof(much); i++) {
        assert_int_equal(SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(c.ssl), 1);
        while ((n = SSL_read(c.ssl, piece, sizeof(piece))) > 0)
            all += (size_t)n;
        ERR_clear_error();
        loop_tick(s.loop, 0);
    }
    assert_int_equal(all, sizeof(much));
    client_done(&c);
    done(&s);
}

TEST(key_updates_without_data_end_the_connection)
{
    struct server s;
    struct client c;

    serve(&s, NULL);
    client_init(&c, TLS1_3_VERSION);
    dial(&c, take(&s), "one.test");
    assert_true(shake(&s, &c));
    for (int i = 0; i < 4000 && s.lost == 0; i++) {
        if (SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
            (void)SSL_do_handshake(c.ssl);
        ERR_clear_error();
        loop_tick(s.loop, 0);
    }
    assert_true(s.lost < 0);
    client_done(&c);
    done(&s);
}

/* --- the end --- */

static void open_both(struct server *s, struct client *c)
{
    serve(s, NULL);
    client_init(c, TLS1_3_VERSION);
    dial(c, take(s), "one.test");
    assert_true(shake(s, c));
}

TEST(close_notify_is_an_end_and_we_may_still_speak)
{
    struct server s;
    struct client c;
    char got[8] = "";

    open_both(&s, &c);
    assert_int_equal(SSL_write(c.ssl, "last", 4), 4);
    (void)SSL_shutdown(c.ssl);
    settle(&s);
    assert_int_equal(s.heard.n, 4);
    assert_int_equal(s.ended, 1);
    assert_int_equal(s.lost, 0);
    assert_int_equal(stream_write(s.stream, SLICE("answer")), 0);
    stream_end(s.stream);
    settle(&s);
    assert_int_equal(hear(&c, got, sizeof(got)), 6);
    assert_string_equal(got, "answer");
    assert_int_equal(SSL_get_error(c.ssl, SSL_read(c.ssl, got, 1)), SSL_ERROR_ZERO_RETURN);
    client_done(&c);
    done(&s);
}

TEST(an_end_without_close_notify_was_a_cut)
{
    struct server s;
    struct client c;

    open_both(&s, &c);
    assert_int_equal(SSL_write(c.ssl, "half", 4), 4);
    assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
    settle(&s);
    assert_int_equal(s.heard.n, 4);
    assert_int_equal(s.ended, 0);
    assert_int_equal(s.lost, -ERR_RESET);
    client_done(&c);
    done(&s);
}

TEST(a_forged_record_ends_it_behind_the_good_ones)
{
    struct server s;
    struct client c;

    open_both(&s, &c);
    assert_int_equal(SSL_write(c.ssl, "good", 4), 4);
    assert_int_equal(write(c.fd,
                           "\x17\x03\x03\x00\x14"
                           "01234567890123456789",
                           25),
                     25);
    settle(&s);
    assert_int_equal(s.heard.n, 4);
    assert_int_equal(s.lost, -ERR_TLS);
    client_done(&c);
    done(&s);
}

TEST(what_was_pushed_before_the_handshake_comes_after_it)
{
    struct server s;
    struct client c;
    char got[8] = "";
    int fd;

    serve(&s, NULL);
    client_init(&c, TLS1_3_VERSION);
    fd = take(&s);
    assert_int_equal(stream_write(s.stream, SLICE("early")), 0);
    settle(&s);
    dial(&c, fd, "one.test");
    assert_true(shake(&s, &c));
    settle(&s);
    assert_int_equal(hear(&c, got, sizeof(got)), 5);
    assert_string_equal(got, "early");
    client_done(&c);
    done(&s);
}

TEST(closing_the_context_leaves_its_connections)
{
    struct server s;
    struct client c;

    open_both(&s, &c);
    tls_close(s.tls);
    s.tls = NULL;
    assert_int_equal(SSL_write(c.ssl, "x", 1), 1);
    settle(&s);
    assert_int_equal(s.heard.n, 1);
    client_done(&c);
    done(&s);
}

/* --- a random walk --- */

/* The client's bytes go through memory, in pieces of any size; the server's socket is small. */
struct walk {
    struct server s;
    struct client c;
    BIO *to_client;
    BIO *from_client;
    struct buf said;
    struct buf heard;
    uint32_t random;
};

static uint32_t roll(struct walk *w, uint32_t n)
{
    w->random = w->random * 1664525 + 1013904223;
    return (w->random >> 8) % n;
}

static void carry_up(struct walk *w)
{
    uint8_t piece[3000];
    const size_t room = 1 + roll(w, roll(w, 4) ? 40 : sizeof(piece) - 1);
    uint8_t *p;
    const long waiting = BIO_get_mem_data(w->from_client, &p);
    const size_t n = MIN(room, (size_t)waiting);
    const ssize_t sent = n ? send(w->c.fd, p, n, MSG_NOSIGNAL) : 0;

    if (sent > 0)
        (void)BIO_read(w->from_client, piece, (int)sent);
}

static void carry_down(struct walk *w)
{
    uint8_t piece[3000];
    const size_t room = 1 + roll(w, roll(w, 4) ? 40 : sizeof(piece) - 1);
    const ssize_t n = recv(w->c.fd, piece, room, 0);

    if (n > 0)
        assert_int_equal(BIO_write(w->to_client, piece, (int)n), n);
}

static void client_says(struct walk *w)
{
    uint8_t piece[20000];
    const size_t n = 1 + roll(w, roll(w, 3) ? 100 : sizeof(piece) - 1);
    int r;

    if (w->said.n > 400000)
        return;
    for (size_t i = 0; i < n; i++)
        piece[i] = (uint8_t)(w->said.n + i + (w->said.n + i) / 251);
    r = SSL_write(w->c.ssl, piece, (int)n);
    ERR_clear_error();
    if (r > 0)
        assert_int_equal(buf_add(&w->said, slice_make(piece, (size_t)r)), 0);
}

static void client_hears(struct walk *w)
{
    uint8_t piece[20000];
    const int n = hear(&w->c, (char *)piece, sizeof(piece));

    if (n > 0)
        assert_int_equal(buf_add(&w->heard, slice_make(piece, (size_t)n)), 0);
}

static void step(struct walk *w)
{
    switch (roll(w, 10)) {
    case 0:
        client_says(w);
        break;
    case 1:
    case 2:
        carry_up(w);
        break;
    case 3:
    case 4:
        carry_down(w);
        break;
    case 5:
        client_hears(w);
        break;
    case 6:
        stream_pause(w->s.stream);
        break;
    case 7:
        if (SSL_is_init_finished(w->c.ssl) && SSL_version(w->c.ssl) == TLS1_3_VERSION &&
            w->said.n < 400000 && !roll(w, 8))
            (void)SSL_key_update(w->c.ssl, SSL_KEY_UPDATE_REQUESTED);
        break;
    default:
        stream_resume(w->s.stream);
        loop_tick(w->s.loop, 0);
        break;
    }
}

static void walk(uint32_t seed, int version)
{
    struct walk w = {.random = seed};
    int fd, small = 2048;

    serve(&w.s, NULL);
    w.s.echoes = true;
    client_init(&w.c, version);
    fd = take(&w.s);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    dial(&w.c, fd, "one.test");
    w.to_client = BIO_new(BIO_s_mem());
    w.from_client = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(w.to_client, -1);
    SSL_set_bio(w.c.ssl, w.to_client, w.from_client);
    buf_init(&w.said, 64 << 20);
    buf_init(&w.heard, 64 << 20);
    for (int i = 0; i < 4000; i++)
        step(&w);
    stream_resume(w.s.stream);
    for (int i = 0; i < 200000 && (w.said.n == 0 || w.heard.n < w.said.n); i++) {
        if (w.said.n == 0)
            client_says(&w);
        carry_up(&w);
        loop_tick(w.s.loop, 0);
        carry_down(&w);
        client_hears(&w);
    }
    assert_int_equal(w.s.lost, 0);
    assert_int_equal(w.heard.n, w.said.n);
    assert_memory_equal(w.heard.p, w.said.p, w.said.n);
    assert_memory_equal(w.s.heard.p, w.said.p, w.said.n);
    buf_done(&w.said);
    buf_done(&w.heard);
    client_done(&w.c);
    done(&w.s);
}

TEST(any_pieces_and_pauses_carry_the_same_bytes)
{
    for (uint32_t seed = 1; seed <= (SANITIZED ? 10 : 30); seed++)
        walk(seed, seed % 3 ? TLS1_3_VERSION : TLS1_2_VERSION);
}

/* --- memory --- */

enum { IDLE = 500 };

/* Children's work: a client on each descriptor, then quiet until the parent says so. */
static _Noreturn void be_clients(const int *fds, int stop)
{
    struct client c[1];
    static SSL *ssl[IDLE];
    char byte;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    client_init(c, TLS1_2_VERSION);
    SSL_CTX_sess_set_new_cb(c->ctx, NULL);
    for (int i = 0; i < IDLE; i++) {
        ssl[i] = SSL_new(c->ctx);
        SSL_set_max_proto_version(ssl[i], i % 2 ? TLS1_3_VERSION : TLS1_2_VERSION);
        SSL_set_fd(ssl[i], fds[i]);
        SSL_set_tlsext_host_name(ssl[i], "one.test");
        while (SSL_connect(ssl[i]) != 1)
            (void)usleep(50);
        (void)SSL_write(ssl[i], "hello", 5);
    }
    (void)read(stop, &byte, 1);
    _exit(0);
}

static struct server crowd;

static void crowd_data(void *arg, struct span in)
{
    struct stream **at = arg;

    crowd.ended++;
    assert_int_equal(stream_write(*at, span_slice(in)), 0);
}

TEST(an_idle_connection_costs_at_most_half_a_kilobyte)
{
    static const struct stream_ops ops = {.data = crowd_data, .ended = on_ended, .lost = on_lost};
    static struct stream *streams[IDLE];
    static int theirs[IDLE], ours[IDLE];
    struct rlimit limit;
    size_t before, each;
    int stop[2];
    pid_t pid;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (SANITIZED || limit.rlim_cur < 2 * IDLE + 64)
        skip();
    serve(&crowd, NULL);
    for (int i = 0; i < IDLE; i++) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        ours[i] = fds[0];
        theirs[i] = fds[1];
    }
    assert_int_equal(pipe(stop), 0);
    pid = fork();
    if (pid == 0)
        be_clients(theirs, stop[0]);
    before = mallinfo2().uordblks;
    for (int i = 0; i < IDLE; i++) {
        streams[i] = tls_accept(crowd.tls, ours[i], 0, NULL);
        stream_attach(streams[i], &ops, &streams[i]);
        stream_resume(streams[i]);
        /* One after the other, so that a slow machine does not run into the handshakes' time. */
        while (crowd.ended <= i && crowd.lost == 0)
            loop_tick(crowd.loop, 10);
    }
    assert_int_equal(crowd.lost, 0);
    settle(&crowd);
    each = (mallinfo2().uordblks - before) / IDLE;
    print_message("an idle TLS connection: %zu bytes of heap\n", each);
    assert_in_range(each, 1, 512);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    for (int i = 0; i < IDLE; i++) {
        stream_doom(streams[i]);
        (void)close(theirs[i]);
    }
    done(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speaks_tls_1_3),
        cmocka_unit_test(speaks_tls_1_2),
        cmocka_unit_test(records_are_as_short_as_the_client_asked),
        cmocka_unit_test(refuses_tls_1_1_and_says_why),
        cmocka_unit_test(only_13_refuses_tls_1_2),
        cmocka_unit_test(a_plain_request_is_told_to_use_https),
        cmocka_unit_test(garbage_is_an_error_of_the_peer),
        cmocka_unit_test(a_client_that_leaves_in_the_handshake_is_told),
        cmocka_unit_test(a_handshake_has_its_time),
        cmocka_unit_test(a_stream_doomed_in_the_handshake_is_forgotten),
        cmocka_unit_test(sni_chooses_the_certificate),
        cmocka_unit_test(a_client_of_rsa_gets_the_rsa_certificate_of_the_same_name),
        cmocka_unit_test(reload_is_for_new_handshakes_and_a_bad_one_changes_nothing),
        cmocka_unit_test(certificates_that_cannot_be_used_are_told),
        cmocka_unit_test(a_chain_has_so_many_certificates),
        cmocka_unit_test(a_sibling_resumes_by_ticket_in_1_3),
        cmocka_unit_test(a_sibling_resumes_by_ticket_in_1_2),
        cmocka_unit_test(a_stranger_s_ticket_means_a_full_handshake),
        cmocka_unit_test(alpn_is_http_1_1_or_nothing),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(keys_are_updated_as_often_as_there_are_data),
        cmocka_unit_test(a_key_update_in_the_middle_of_what_waits_stops_nothing),
        cmocka_unit_test(key_updates_without_data_end_the_connection),
        cmocka_unit_test(close_notify_is_an_end_and_we_may_still_speak),
        cmocka_unit_test(an_end_without_close_notify_was_a_cut),
        cmocka_unit_test(a_forged_record_ends_it_behind_the_good_ones),
        cmocka_unit_test(what_was_pushed_before_the_handshake_comes_after_it),
        cmocka_unit_test(closing_the_context_leaves_its_connections),
        cmocka_unit_test(any_pieces_and_pauses_carry_the_same_bytes),
        cmocka_unit_test(an_idle_connection_costs_at_most_half_a_kilobyte),
    };

    return cmocka_run_group_tests(tests, make_all, remove_all);
}

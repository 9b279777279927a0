/*
 * One stream kind over a socket. The library's SSL makes the handshake and is freed with it; what
 * follows are records (tls_records.h). Neither touches the descriptor: both read from `in` and
 * write to `out`, memory of struct tls that is empty again when a call into them returns.
 *
 *   read    recv → in → records → the loop's buffer → the owner; half a record waits in `half`
 *   write   queue → records → out → send; what the kernel refuses waits in `kept`
 *
 * `in` is smaller than the loop's buffer, and no record grows when it is opened: one read always
 * takes all of it.
 *
 * A connection that is not through its handshake stands in tls.shaking, oldest first: one timer for
 * all of them.
 */
#include "io/tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "io/io_int.h"
#include "io/stream_int.h"
#include "io/tls_int.h"
#include "io/tls_records.h"

enum {
    IN_BYTES = 32 * 1024,
    BATCH = 48 * 1024,     /* ciphertext of one send */
    OUT_MAX = 1 << 20,     /* a handshake's longest flight is far below */
    KEPT_MAX = 256 * 1024, /* BATCH, and what a peer makes us say without reading it */
    ROUNDS = 8,            /* reads of one tick that bring nothing to tell */
    HANDSHAKE_MS = 10 * 1000,
};

static const char tls13_ciphers[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char tls12_ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";
static const char groups[] = "X25519:P-256:P-384";

struct tls {
    struct loop *loop;
    SSL_CTX *ctx;
    BIO_METHOD *method;
    BIO *bio; /* of all connections */
    struct tls_certs *certs;
    struct tls_tickets tickets;
    struct tls_aeads aeads;
    const struct tls_ops *ops;
    void *arg;
    struct tls_stats stats;
    struct list shaking;
    struct timer timer;
    uint32_t handshake_ms;
    uint32_t refs;     /* connections, and the owner */
    struct slice in;   /* ciphertext that was read and not yet taken */
    struct buf out;    /* ciphertext to send */
    uint8_t *in_bytes; /* IN_BYTES, behind TLS_RECORD_MAX for what came before */
};

struct tls_conn {
    struct stream stream; /* first: the memory is its */
    struct tls *tls;
    SSL *ssl; /* NULL: the handshake is done */
    struct tls_records records;
    struct blob *half;            /* the beginning of a record, or NULL */
    struct stream_origin *origin; /* NULL: the kernel knows */
    struct buf kept;              /* ciphertext that the kernel did not take */
    struct list shaking;          /* detached: the handshake is done, or failed */
    int64_t deadline;
    bool is_resumed;
    bool has_ended; /* close_notify came, behind bytes that were handed up first */
    bool is_broken; /* the same for an error */
    bool shuts;     /* shutdown() when `kept` is gone */
};

static struct tls_conn *conn_of(const struct stream *s)
{
    return CONTAINER_OF(s, struct tls_conn, stream);
}

/* --- the memory between the library and the socket --- */

static int bio_read(BIO *b, char *p, int n)
{
    struct tls *t = BIO_get_data(b);
    const struct slice part = slice_take(&t->in, MIN((size_t)n, t->in.n));

    BIO_clear_retry_flags(b);
    if (part.n == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    memcpy(p, part.p, part.n);
    return (int)part.n;
}

static int bio_write(BIO *b, const char *p, int n)
{
    struct tls *t = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    return buf_add(&t->out, slice_make(p, (size_t)n)) == 0 ? n : -1;
}

static long bio_ctrl(BIO *b, int what, long n, void *p)
{
    return what == BIO_CTRL_FLUSH;
}

/* Sends from the front of bytes. How many the kernel took, or a negated errno. */
static ssize_t send_some(const struct tls_conn *c, struct slice bytes)
{
    ssize_t n;

    do
        n = send(c->stream.watch.fd, bytes.p, bytes.n, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    return n;
}

static int tls_settle(struct stream *s)
{
    struct tls_conn *c = conn_of(s);

    if (c->kept.n) {
        const ssize_t n = send_some(c, buf_slice(&c->kept));

        if (n < 0)
            return (int)n;
        buf_consume(&c->kept, (size_t)n);
        if (c->kept.n)
            return -EAGAIN;
        buf_done(&c->kept);
        buf_init(&c->kept, KEPT_MAX);
    }
    if (c->shuts)
        (void)shutdown(s->watch.fd, SHUT_WR);
    c->shuts = false;
    return 0;
}

/* Sends what the library said since the last time. 0: all is gone; -EAGAIN: the rest is kept and
 * the stream blocked; or a negated errno. */
static int ship(struct tls_conn *c)
{
    struct buf *out = &c->tls->out;
    const bool waits = c->kept.n > 0; /* blocked, or a flush is under way: it must not be stopped */
    const ssize_t n = waits || !out->n ? 0 : send_some(c, buf_slice(out));
    int r = n < 0 ? (int)n : 0;

    if (r == 0 && out->n > (size_t)n &&
        buf_add(&c->kept, slice_sub(buf_slice(out), (size_t)n, SIZE_MAX)) < 0)
        r = -ECONNRESET; /* it makes us speak and does not listen */
    buf_clear(out);
    if (r < 0 || c->kept.n == 0)
        return r;
    if (!waits)
        stream__block(&c->stream);
    return -EAGAIN;
}

/* The same of what records asked us to say: nothing comes behind our close_notify. */
static int answer(struct tls_conn *c)
{
    if (c->stream.watch.flags & STREAM_END_SENT)
        buf_clear(&c->tls->out);
    return ship(c);
}

/* --- the handshake --- */

static void unshake(struct tls_conn *c)
{
    struct tls *t = c->tls;

    if (!list_linked(&c->shaking))
        return;
    list_del(&c->shaking);
    t->stats.shaking--;
    if (list_empty(&t->shaking))
        timer_del(t->loop, &t->timer);
}

static void tell_failed(struct tls_conn *c, const char *why)
{
    struct tls *t = c->tls;

    t->stats.failed++;
    unshake(c);
    if (t->ops && t->ops->failed)
        t->ops->failed(t->arg, &c->stream, slice_str(why));
}

static void on_due(struct timer *timer)
{
    struct tls *t = CONTAINER_OF(timer, struct tls, timer);

    while (!list_empty(&t->shaking)) {
        struct tls_conn *c = LIST_ITEM(t->shaking.next, struct tls_conn, shaking);

        if (c->deadline > loop_now(t->loop)) {
            timer_set(t->loop, timer, c->deadline);
            return;
        }
        if (stream_is_doomed(&c->stream)) {
            unshake(c);
            continue;
        }
        tell_failed(c, "the handshake took too long");
        stream__lost(&c->stream, -ERR_TIMEOUT);
    }
}

static void shake(struct tls_conn *c)
{
    struct tls *t = c->tls;

    c->deadline = loop_now(t->loop) + t->handshake_ms;
    if (list_empty(&t->shaking))
        timer_set(t->loop, &t->timer, c->deadline);
    list_add_tail(&t->shaking, &c->shaking);
    t->stats.shaking++;
}

/* A browser that was given http:// for a port of ours shows this instead of a riddle. */
static void answer_plain(struct tls *t)
{
    buf_clear(&t->out);
    (void)buf_add(&t->out, SLICE("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                                 "Content-Length: 44\r\nConnection: close\r\n\r\n"
                                 "This port speaks HTTPS; ask it with https://"));
}

/* What the peer is told about it still goes. */
static void fail(struct tls_conn *c, const char *why)
{
    c->is_broken = true;
    (void)answer(c);
    tell_failed(c, why);
}

static void fail_handshake(struct tls_conn *c)
{
    char why[128];

    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST)
        answer_plain(c->tls);
    tls_explain(why, sizeof(why));
    fail(c, why);
}

static void up(struct tls_conn *c)
{
    if (!tls_records_start(&c->records, c->ssl, buf_slice(&c->tls->out))) {
        fail(c, "the library's state cannot be taken over");
        return;
    }
    c->is_resumed = SSL_session_reused(c->ssl) == 1;
    c->tls->stats.handshakes++;
    c->tls->stats.resumed += c->is_resumed;
    unshake(c);
    SSL_free(c->ssl);
    c->ssl = NULL;
    stream__writable(&c->stream);
}

static void shake_on(struct tls_conn *c)
{
    int r;

    ERR_clear_error();
    r = SSL_do_handshake(c->ssl);
    if (r == 1)
        up(c);
    else if (SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_READ)
        fail_handshake(c);
}

/* --- reading --- */

static void fail_record(struct tls_conn *c, bool is_theirs)
{
    char why[128];

    (void)snprintf(why, sizeof(why), "%s%s", is_theirs ? "the peer's alert: " : "",
                   SSL_alert_desc_string_long(c->records.alert));
    fail(c, why);
}

/* All that `in` opens to. Bytes, perhaps none; has_ended and is_broken say what is behind them. */
static size_t open_records(struct tls_conn *c, uint8_t *p)
{
    struct tls *t = c->tls;
    size_t all = 0, n;

    for (;;) {
        const enum tls_record what =
            tls_records_open(&c->records, &t->aeads, &t->in, p + all, &n, &t->out);

        if (what == TLS_RECORD_DATA)
            all += n;
        if (what == TLS_RECORD_DATA || what == TLS_RECORD_QUIET)
            continue;
        if (what == TLS_RECORD_END)
            c->has_ended = true;
        else if (what != TLS_RECORD_NONE)
            fail_record(c, what == TLS_RECORD_ALERT);
        else if (t->in.n)
            c->half = blob_copy(t->in);
        return all;
    }
}

static ssize_t take(struct tls_conn *c, uint8_t *p)
{
    ssize_t r = 0;
    int sent;

    if (c->ssl)
        shake_on(c);
    if (!c->ssl)
        r = (ssize_t)open_records(c, p);
    sent = answer(c);
    return r == 0 && sent < 0 && sent != -EAGAIN ? sent : r;
}

/* What was found behind the last bytes. */
static ssize_t rest(const struct tls_conn *c)
{
    return c->is_broken ? -EPROTO : 0;
}

/* A short read of a stream socket says that nothing is left: the next byte is a new edge. */
static void note_drained(struct stream *s, ssize_t n)
{
    if (n < IN_BYTES && !(s->watch.flags & STREAM_HUNG_UP))
        s->watch.flags &= ~(uint32_t)STREAM_READABLE;
}

static ssize_t cut(struct tls_conn *c)
{
    if (c->ssl)
        tell_failed(c, "the client left in the handshake");
    return -ECONNRESET;
}

/* What was received, behind what came before. */
static struct slice join_half(struct tls_conn *c, size_t received)
{
    uint8_t *p = c->tls->in_bytes + TLS_RECORD_MAX;
    const size_t n = c->half ? c->half->n : 0;

    if (n)
        memcpy(p - n, c->half->p, n);
    blob_unref(c->half);
    c->half = NULL;
    return slice_make(p - n, n + received);
}

static ssize_t tls_read(struct stream *s, void *p, size_t n)
{
    struct tls_conn *c = conn_of(s);

    if (c->has_ended || c->is_broken)
        return rest(c);
    for (int i = 0; i < ROUNDS; i++) {
        ssize_t r = recv(s->watch.fd, c->tls->in_bytes + TLS_RECORD_MAX, IN_BYTES, 0);

        if (r <= 0)
            return r < 0 ? -errno : cut(c);
        note_drained(s, r);
        c->tls->in = join_half(c, (size_t)r);
        r = take(c, p);
        c->tls->in = SLICE_NONE;
        if (r < 0 || (r == 0 && (c->has_ended || c->is_broken)))
            return r < 0 ? r : rest(c);
        if (c->has_ended || c->is_broken)
            s->watch.flags |= STREAM_READABLE; /* to be asked again */
        if (r > 0)
            return r;
        if (!(s->watch.flags & STREAM_READABLE))
            return -EAGAIN;
    }
    return -EALREADY;
}

/* --- writing --- */

static ssize_t tls_write(struct stream *s, const struct iovec *iov, int n)
{
    struct tls_conn *c = conn_of(s);
    struct tls *t = c->tls;
    struct tls_source from = {.iov = iov, .n = n};
    ssize_t all = 0, part;
    int r = 0;

    if (c->ssl)
        return -EAGAIN;
    if (c->is_broken)
        return -EPROTO;
    do {
        part = tls_records_seal(&c->records, &t->aeads, &from, &t->out);
        all += MAX(part, 0);
        if (part <= 0 || t->out.n >= BATCH)
            r = ship(c);
    } while (part > 0 && r == 0);
    return r < 0 && r != -EAGAIN ? r : all;
}

static void tls_end(struct stream *s)
{
    static const uint8_t close_notify[] = {SSL3_AL_WARNING, SSL3_AD_CLOSE_NOTIFY};
    struct tls_conn *c = conn_of(s);

    c->shuts = true;
    if (!c->ssl && !c->is_broken) {
        (void)tls_records_say(&c->records, &c->tls->aeads, SSL3_RT_ALERT,
                              slice_make(close_notify, sizeof(close_notify)), &c->tls->out);
        (void)ship(c);
    }
    (void)tls_settle(s);
}

/* --- life --- */

static void unref(struct tls *t)
{
    if (--t->refs > 0)
        return;
    timer_del(t->loop, &t->timer);
    BIO_free(t->bio);
    BIO_meth_free(t->method);
    SSL_CTX_free(t->ctx);
    tls_certs_free(t->certs);
    tls_aeads_done(&t->aeads);
    OPENSSL_cleanse(&t->tickets, sizeof(t->tickets));
    buf_done(&t->out);
    mem_free(t->in_bytes);
    mem_free(t);
}

static void tls_close_conn(struct stream *s)
{
    struct tls_conn *c = conn_of(s);

    unshake(c);
    SSL_free(c->ssl);
    OPENSSL_cleanse(&c->records, sizeof(c->records));
    blob_unref(c->half);
    buf_done(&c->kept);
    stream__closed(c->origin);
    mem_free(c->origin);
    (void)close(s->watch.fd);
    unref(c->tls);
}

static const struct stream_origin *tls_origin(const struct stream *s)
{
    return conn_of(s)->origin;
}

static const struct stream_kind tls_kind = {
    .read = tls_read,
    .write = tls_write,
    .end = tls_end,
    .close = tls_close_conn,
    .settle = tls_settle,
    .origin = tls_origin,
};

static struct stream_origin *copy_origin(const struct stream_origin *origin)
{
    struct stream_origin *copy = origin ? mem_new(sizeof(*copy)) : NULL;

    if (copy)
        *copy = *origin;
    return copy;
}

struct stream *tls_accept(struct tls *t, int take_fd, uint32_t max_out,
                          const struct stream_origin *origin)
{
    struct tls_conn *c = mem_new(sizeof(*c));

    c->tls = t;
    t->refs++;
    buf_init(&c->kept, KEPT_MAX);
    c->ssl = SSL_new(t->ctx);
    if (!c->ssl || BIO_up_ref(t->bio) != 1) {
        SSL_free(c->ssl);
        unref(t);
        (void)close(take_fd);
        mem_free(c);
        stream__closed(origin);
        return NULL;
    }
    c->origin = copy_origin(origin);
    SSL_set_bio(c->ssl, t->bio, t->bio);
    SSL_set_app_data(c->ssl, &c->records);
    SSL_set_accept_state(c->ssl);
    if (!stream__open(&c->stream, &tls_kind, t->loop, take_fd, max_out))
        return NULL;
    shake(c);
    return &c->stream;
}

static int choose_protocol(SSL *ssl, const uint8_t **ret, uint8_t *ret_n, const uint8_t *offer,
                           unsigned n, void *arg)
{
    static const uint8_t ours[] = "\x08http/1.1";
    uint8_t *chosen;

    if (SSL_select_next_proto(&chosen, ret_n, ours, sizeof(ours) - 1, offer, n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2: no_application_protocol */
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int choose_certificate(SSL *ssl, void *arg)
{
    const struct tls *t = arg;

    return tls_certs_choose(t->certs, ssl);
}

static int ticket_key(SSL *ssl, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int encrypt)
{
    struct tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    tls_tickets_turn(&t->tickets, loop_wall(t->loop));
    return tls_tickets_key(&t->tickets, name, iv, cipher, mac, encrypt);
}

static bool set_rules(SSL_CTX *ctx, bool only_13)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_SINGLE_DH_USE | SSL_OP_SINGLE_ECDH_USE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);         /* half a handshake may last */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets remember for us */
    SSL_CTX_set_num_tickets(ctx, 1); /* a resumed connection gets the next one */
    SSL_CTX_set_timeout(ctx, TLS_TICKET_MS / 1000);
    return SSL_CTX_set_min_proto_version(ctx, only_13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, tls13_ciphers) == 1 &&
           SSL_CTX_set_cipher_list(ctx, tls12_ciphers) == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1 && SSL_CTX_set_dh_auto(ctx, 1) == 1 &&
           SSL_CTX_set_session_id_context(ctx, (const uint8_t *)"holdfast", 8) == 1;
}

static SSL_CTX *make_context(struct tls *t, bool only_13)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (!ctx || !set_rules(ctx, only_13)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_app_data(ctx, t);
    tls_records_follow(ctx);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    SSL_CTX_set_cert_cb(ctx, choose_certificate, t);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key);
    return ctx;
}

static BIO *make_bio(struct tls *t)
{
    t->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "holdfast");
    if (!t->method || !BIO_meth_set_read(t->method, bio_read) ||
        !BIO_meth_set_write(t->method, bio_write) || !BIO_meth_set_ctrl(t->method, bio_ctrl))
        return NULL;
    BIO *b = BIO_new(t->method);

    if (b) {
        BIO_set_data(b, t);
        BIO_set_init(b, 1);
    }
    return b;
}

struct tls *tls_open(struct loop *l, const struct tls_options *o, const struct tls_ops *ops,
                     void *arg, struct err_note *note)
{
    struct tls_certs *certs = tls_certs_load(o->certificates, o->n_certificates, note);
    struct tls_seed seed;
    struct tls *t;

    if (!certs)
        return NULL;
    static_assert(TLS_RECORD_MAX + IN_BYTES <= LOOP_READ, "one read takes all of `in`");
    t = mem_new(sizeof(*t));
    *t = (struct tls){.loop = l, .certs = certs, .ops = ops, .arg = arg, .refs = 1};
    t->timer.due = on_due;
    t->handshake_ms = o->handshake_ms ? o->handshake_ms : HANDSHAKE_MS;
    list_init(&t->shaking);
    buf_init(&t->out, OUT_MAX);
    t->in_bytes = mem_new(TLS_RECORD_MAX + IN_BYTES);
    if (!o->seed)
        tls_seed_make(l, &seed);
    tls_tickets_init(&t->tickets, o->seed ? o->seed : &seed);
    OPENSSL_cleanse(&seed, sizeof(seed));
    t->ctx = make_context(t, o->only_13);
    t->bio = make_bio(t);
    if (t->ctx && t->bio && tls_aeads_init(&t->aeads))
        return t;
    (void)err_notef(note, -ERR_CONFIG, "TLS cannot be set up: the library refuses");
    unref(t);
    return NULL;
}

int tls_reload(struct tls *t, const struct tls_certificate *certificates, size_t n,
               struct err_note *note)
{
    struct tls_certs *certs = tls_certs_load(certificates, n, note);

    if (!certs)
        return -ERR_CONFIG;
    tls_certs_free(t->certs);
    t->certs = certs;
    return 0;
}

const struct tls_stats *tls_stats(const struct tls *t)
{
    return &t->stats;
}

void tls_close(struct tls *t)
{
    if (!t)
        return;
    t->ops = NULL; /* who opened it may go */
    unref(t);
}

/* --- facts --- */

static const struct tls_conn *find(const struct stream *s)
{
    const struct tls_conn *c = s->kind == &tls_kind ? conn_of(s) : NULL;

    return c && !c->ssl ? c : NULL;
}

const char *tls_version(const struct stream *s)
{
    const struct tls_conn *c = find(s);

    return !c ? NULL : c->records.is_13 ? "TLSv1.3" : "TLSv1.2";
}

const char *tls_cipher(const struct stream *s)
{
    const struct tls_conn *c = find(s);

    return c ? SSL_CIPHER_get_name(c->records.cipher) : NULL;
}

bool tls_is_resumed(const struct stream *s)
{
    const struct tls_conn *c = find(s);

    return c && c->is_resumed;
}

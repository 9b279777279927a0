/*
 * The opening handshake of an outgoing WebSocket. libcurl resolves, connects and makes TLS; then
 * its connection is a stream of ours, the request and its answer are HTTP/1.1 by our own codec, and
 * when the answer is 101 the stream becomes a websocket transport. Any other answer is an ordinary
 * response, its body under credit.
 *
 * libcurl's handle must stay in the multi for as long as its connection lives; a plain one we go on
 * with by ourselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>

#include "conn/websocket.h"
#include "egress/egress_int.h"
#include "io/stream.h"
#include "wire/fields.h"
#include "wire/http1.h"
#include "wire/ipc.h"
#include "wire/ws.h"

/* --- libcurl's TLS connection as a stream --- */

struct pipe {
    struct egress *egress;
    CURL *easy;
};

static ssize_t pipe_read(void *conn, void *p, size_t n)
{
    struct pipe *pipe = conn;
    size_t got = 0;
    const CURLcode code = curl_easy_recv(pipe->easy, p, n, &got);

    if (code == CURLE_OK)
        return (ssize_t)got;
    return code == CURLE_AGAIN ? -EAGAIN : -ECONNRESET;
}

/* One piece at a time: TLS wants a refused piece again as it was, and the first one stays. */
static ssize_t pipe_write(void *conn, const struct iovec *iov, int n)
{
    struct pipe *pipe = conn;
    ssize_t all = 0;

    for (int i = 0; i < n; i++) {
        size_t sent = 0;
        const CURLcode code = curl_easy_send(pipe->easy, iov[i].iov_base, iov[i].iov_len, &sent);

        all += (ssize_t)sent;
        if (code == CURLE_OK && sent == iov[i].iov_len)
            continue;
        if (code != CURLE_OK && code != CURLE_AGAIN)
            return all ? all : -ECONNRESET;
        return all ? all : -EAGAIN;
    }
    return all;
}

/* TLS has no half-close that peers agree on; its end is the connection's. */
static void pipe_end(void *conn)
{
}

static void pipe_close(void *conn)
{
    struct pipe *pipe = conn;
    struct egress *e = pipe->egress;

    (void)curl_multi_remove_handle(e->multi, pipe->easy);
    curl_easy_cleanup(pipe->easy);
    mem_free(pipe);
    e->sockets--;
    egress__rest(e);
}

static const struct stream_io pipe_io = {pipe_read, pipe_write, pipe_end, pipe_close};

/* libcurl keeps its handle, and closes only its own descriptor with it. */
static struct stream *open_plain(struct egress *e, curl_socket_t fd)
{
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    return copy < 0 ? NULL : stream_open(e->loop, copy, 0);
}

/* Takes c's handle, which forgets c. */
static struct stream *open_tls(struct egress_call *c, curl_socket_t fd)
{
    struct egress *e = c->egress;
    struct pipe *pipe = mem_new(sizeof(*pipe));

    (void)curl_easy_setopt(c->easy, CURLOPT_PRIVATE, NULL);
    (void)curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, NULL);
    (void)curl_easy_setopt(c->easy, CURLOPT_OPENSOCKETDATA, NULL);
    (void)curl_easy_setopt(c->easy, CURLOPT_SSL_CTX_DATA, NULL);
    *pipe = (struct pipe){e, c->easy};
    c->easy = NULL;
    e->sockets++;
    return stream_open_io(e->loop, fd, &pipe_io, pipe, 0);
}

struct stream *egress__stream(struct egress_call *c)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    char *scheme = NULL;

    if (curl_easy_getinfo(c->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
        return NULL;
    (void)curl_easy_getinfo(c->easy, CURLINFO_SCHEME, &scheme);
    return slice_eq_nocase(slice_str(scheme), SLICE("https")) ? open_tls(c, fd)
                                                              : open_plain(c->egress, fd);
}

/* --- the handshake --- */

struct shake {
    struct egress_call *call;
    struct stream *stream;
    struct http1_decoder decoder;
    struct buf kept; /* bytes of an incomplete head, or that wait for credit */
    char key[WS_KEY_SIZE + 1];
    struct http1_head head;
};

static const struct http1_limits limits = {16 << 10, EGRESS__HEAD_MAX, HTTP1_FIELDS_MAX,
                                           UINT64_MAX};

static int put_target(struct egress_call *c, struct buf *out)
{
    CLEANUP(egress__part_free) char *path = egress__part(c, CURLUPART_PATH, 0);
    CLEANUP(egress__part_free) char *query = egress__part(c, CURLUPART_QUERY, 0);
    CLEANUP(buf_done) struct buf target = {.max = 1 << 16};
    const int r =
        buf_addf(&target, "%s%s%s", path ? path : "/", query ? "?" : "", query ? query : "");

    return r < 0 ? r : http1_put_request(out, SLICE("GET"), buf_slice(&target));
}

static int put_host(struct egress_call *c, struct buf *out)
{
    CLEANUP(egress__part_free) char *host = egress__part(c, CURLUPART_HOST, 0);
    CLEANUP(egress__part_free) char *port = egress__part(c, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
    CLEANUP(buf_done) struct buf text = {.max = 1024};
    const int r = buf_addf(&text, "%s%s%s", host ? host : "", port ? ":" : "", port ? port : "");

    return r < 0 ? r : http1_put_field(out, SLICE("Host"), buf_slice(&text));
}

static int put_fields(struct egress_call *c, struct buf *out)
{
    struct slice rest = buf_slice(&c->fields), name, value;
    int r = 0;

    while (r == 0 && fields_next(&rest, &name, &value))
        r = http1_put_field(out, name, value);
    return r;
}

/* What we may agree on, NULL: the asker did not ask for it or the options forbid it. The parameters
 * are ours: windows are this process's memory, not the application's. */
static const struct deflate_policy *policy_of(const struct egress_call *c)
{
    return c->offers_deflate ? websocket_policy(c->egress->ws) : NULL;
}

static int put_offer(struct egress_call *c, struct buf *out)
{
    CLEANUP(buf_done) struct buf offer = {.max = 256};

    if (!policy_of(c))
        return 0;
    (void)deflate_offer(policy_of(c), &offer);
    return http1_put_field(out, SLICE("Sec-WebSocket-Extensions"), buf_slice(&offer));
}

/* RFC 6455 4.1 */
static int put_request(struct shake *s, struct buf *out)
{
    struct egress_call *c = s->call;
    uint8_t random[16];
    int r;

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return -ERR_OS;
    ws_key(random, s->key);
    if ((r = put_target(c, out)) < 0 || (r = put_host(c, out)) < 0 ||
        (r = put_fields(c, out)) < 0 || (r = put_offer(c, out)) < 0 ||
        (r = http1_put_field(out, SLICE("Sec-WebSocket-Key"), slice_str(s->key))) < 0)
        return r;
    return buf_add(out, SLICE("Sec-WebSocket-Version: 13\r\nConnection: Upgrade\r\n"
                              "Upgrade: websocket\r\n\r\n"));
}

static uint8_t body_of(const struct http1_head *h)
{
    if (h->body == HTTP1_BODY_NONE)
        return IPC_BODY_NONE;
    return h->body == HTTP1_BODY_LENGTH ? IPC_BODY_LENGTH : IPC_BODY_STREAM;
}

static bool is_extensions(struct slice name)
{
    return slice_eq_nocase(name, SLICE("Sec-WebSocket-Extensions"));
}

static int copy_head(struct egress_call *c, const struct http1_head *h)
{
    int r = 0;

    egress__head_begin(c, h->status, h->reason);
    for (uint32_t i = 0; i < h->count && r == 0; i++)
        if (h->status != 101 || !is_extensions(h->fields[i].name))
            r = egress__head_field(c, h->fields[i].name, h->fields[i].value);
    return r;
}

/* 1: agreed on permessage-deflate; 0: on nothing; or -ERR_WS_HANDSHAKE: on what we did not offer
 * (RFC 6455 4.1). */
static int check_extensions(struct shake *s, struct deflate_terms *ret_terms)
{
    CLEANUP(buf_done) struct buf answer = {.max = EGRESS__HEAD_MAX};

    for (uint32_t i = 0; i < s->head.count; i++)
        if (is_extensions(s->head.fields[i].name) && s->head.fields[i].value.n) {
            (void)buf_add(&answer, answer.n ? SLICE(", ") : SLICE_NONE);
            (void)buf_add(&answer, s->head.fields[i].value);
        }
    if (answer.n == 0)
        return 0;
    return policy_of(s->call) ? deflate_check(buf_slice(&answer), policy_of(s->call), ret_terms)
                              : -ERR_WS_HANDSHAKE;
}

/* 101: the stream and what came behind the head become a socket. The asker learns the extension's
 * name; its parameters are this connection's matter. */
static void become_socket(struct shake *s, struct slice early)
{
    struct egress_call *c = s->call;
    struct stream *stream = s->stream;
    struct deflate_terms terms;
    struct transport *t;
    const int agreed = check_extensions(s, &terms);

    if (agreed < 0 || ws_check_response(&s->head, slice_str(s->key)) < 0) {
        egress__fail(c, -ERR_WS_HANDSHAKE, SLICE_NONE);
        return;
    }
    s->stream = NULL;
    stream_pause(stream);
    t = websocket_open(stream, true, early, c->egress->ws);
    if (agreed) {
        websocket_agree(t, &terms);
        (void)egress__head_field(c, SLICE("Sec-WebSocket-Extensions"), SLICE("permessage-deflate"));
    }
    (void)egress__head_end(c, IPC_BODY_NONE, 0, t);
}

static void on_head(struct shake *s, struct slice rest)
{
    struct egress_call *c = s->call;
    const struct http1_head *h = &s->head;

    if (h->status < 200 && h->status != 101)
        return;
    if (copy_head(c, h) < 0)
        egress__fail(c, -ERR_HTTP_HEADERS_LARGE, SLICE_NONE);
    else if (h->status == 101)
        become_socket(s, rest);
    else if (egress__head_end(c, body_of(h), h->body == HTTP1_BODY_LENGTH ? h->length : 0, NULL) >
             0)
        egress__post(c); /* to follow, when nobody stands on this stream */
}

/* One event out of *in, of which no more than the credit may be body. 0: hungry. */
static int step(struct shake *s, struct slice *in)
{
    struct egress_call *c = s->call;
    struct slice view = c->state == CALL_BODY ? slice_sub(*in, 0, c->credit) : *in, bytes;
    const size_t before = view.n;
    const int r = http1_next(&s->decoder, &view, &s->head, &bytes);

    (void)slice_take(in, before - view.n);
    if (r == HTTP1_HEAD)
        on_head(s, *in);
    else if (r == HTTP1_END)
        egress__end(c);
    else if (r < 0)
        egress__fail(c, -ERR_ORIGIN_BAD, slice_str(err_text(r)));
    else if (r == HTTP1_BODY) {
        c->credit -= bytes.n;
        c->ops->body(c->arg, bytes);
    }
    return r != 0 || before > view.n;
}

static bool is_wanted(const struct shake *s)
{
    const enum egress__state state = s->call->state;

    return s->stream && (state == CALL_SHAKE || state == CALL_BODY);
}

static void keep(struct shake *s, struct slice rest)
{
    const struct buf old = s->kept;

    buf_init(&s->kept, limits.line + limits.headers + 2 * LOOP_READ);
    if (buf_add(&s->kept, rest) < 0)
        egress__fail(s->call, -ERR_HTTP_HEADERS_LARGE, SLICE_NONE);
    mem_free(old.p); /* rest may be part of it */
}

static void go_on(struct shake *s, struct slice in)
{
    while (is_wanted(s) && step(s, &in) > 0)
        continue;
    if (!is_wanted(s))
        return;
    keep(s, in);
    if (s->call->state == CALL_BODY && in.n)
        stream_pause(s->stream);
}

static void on_data(void *arg, struct span in)
{
    struct shake *s = arg;

    if (s->kept.n == 0) {
        go_on(s, span_slice(in));
        return;
    }
    if (buf_add(&s->kept, span_slice(in)) < 0)
        egress__fail(s->call, -ERR_HTTP_HEADERS_LARGE, SLICE_NONE);
    else
        go_on(s, buf_slice(&s->kept));
}

static void on_ended(void *arg)
{
    struct shake *s = arg;

    if (http1_eof(&s->decoder, buf_slice(&s->kept)) == HTTP1_END)
        egress__end(s->call);
    else
        egress__fail(s->call, -ERR_ORIGIN_LOST, SLICE_NONE);
}

static void on_lost(void *arg, int err)
{
    struct shake *s = arg;

    egress__fail(s->call, -ERR_ORIGIN_LOST, SLICE_NONE);
}

static const struct stream_ops shake_ops = {.data = on_data, .ended = on_ended, .lost = on_lost};

void egress__shake(struct egress_call *c)
{
    CLEANUP(buf_done) struct buf request = {.max = 4 * EGRESS__HEAD_MAX};
    struct stream *stream = egress__stream(c);
    struct shake *s;

    if (!stream) {
        egress__fail(c, -ERR_ORIGIN_LOST, SLICE_NONE);
        return;
    }
    c->state = CALL_SHAKE;
    c->shake = s = mem_new(sizeof(*s));
    s->call = c;
    s->stream = stream;
    http1_init(&s->decoder, HTTP1_RESPONSES, &limits);
    stream_attach(stream, &shake_ops, s);
    if (put_request(s, &request) < 0 || stream_write(stream, buf_slice(&request)) < 0) {
        egress__fail(c, -ERR_FETCH, SLICE_NONE);
        return;
    }
    stream_resume(stream);
}

void egress__shake_resume(struct egress_call *c)
{
    struct shake *s = c->shake;

    if (c->state != CALL_BODY || !s->stream)
        return;
    if (s->kept.n)
        go_on(s, buf_slice(&s->kept));
    if (is_wanted(s) && s->kept.n == 0)
        stream_resume(s->stream);
}

void egress__shake_free(struct egress_call *c)
{
    struct shake *s = c->shake;

    if (!s)
        return;
    c->shake = NULL;
    stream_doom(s->stream);
    buf_done(&s->kept);
    mem_free(s);
}

/*
 * An origin for the tests: a server on 127.0.0.1, on the loop of what is tested. It answers request
 * after request with the texts it was given and writes down what it hears.
 */
#ifndef TEST_LIB_ORIGIN_LAB_H
#define TEST_LIB_ORIGIN_LAB_H

#include <stdio.h>
#include <string.h>

#include "conn/websocket.h"
#include "io/listen.h"
#include "io/loop.h"
#include "io/stream.h"
#include "lib/test.h"
#include "wire/http1.h"
#include "wire/ws.h"

struct visitor {
    struct origin *origin;
    struct stream *stream;
    struct transport *socket;
    struct http1_decoder decoder;
    struct buf kept;
};

struct origin {
    struct loop *loop;
    struct listener *listener;
    uint16_t port;
    const char *const *answers; /* "" answers nothing, "!" drops the connection, "ws" accepts */
    struct buf heard;
    struct visitor visitors[16];
    unsigned n;
    struct http1_head head;
    struct websocket_options ws;
};

static inline void hear_head(struct origin *o)
{
    const struct http1_head *h = &o->head;

    (void)buf_addf(&o->heard, "%.*s %.*s", SLICE_FMT(h->method), SLICE_FMT(h->target));
    for (uint32_t i = 0; i < h->count; i++)
        if (!slice_eq_nocase(h->fields[i].name, SLICE("sec-websocket-key")))
            (void)buf_addf(&o->heard, " %.*s=%.*s", SLICE_FMT(h->fields[i].name),
                           SLICE_FMT(h->fields[i].value));
    (void)buf_addf(&o->heard, "\n");
}

static inline void echo(void *arg, struct span bytes, bool binary)
{
    struct visitor *v = arg;
    struct payload p = {.bytes = span_slice(bytes), .binary = binary};

    assert_int_equal(transport_send(v->socket, &p), 0);
    payload_done(&p);
}

static inline void echo_over(void *arg, uint16_t code, bool clean, struct slice reason)
{
    struct visitor *v = arg;

    (void)buf_addf(&v->origin->heard, "closed %u\n", code);
    transport_release(v->socket);
    v->socket = NULL;
}

static const struct transport_ops echo_ops = {.message = echo, .closed = echo_over};

static inline void accept_socket(struct visitor *v, struct slice early)
{
    char accept[WS_ACCEPT_SIZE + 1], answer[300];
    struct slice key;
    int n;

    assert_int_equal(ws_check_request(&v->origin->head, &key), 0);
    ws_accept(key, accept);
    n = snprintf(answer, sizeof(answer),
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: chat\r\n\r\n\x81\x05hello",
                 accept);
    assert_int_equal(stream_write(v->stream, slice_make(answer, (size_t)n)), 0);
    v->socket = websocket_open(v->stream, false, early, &v->origin->ws);
    v->stream = NULL;
    transport_attach(v->socket, &echo_ops, v);
    transport_start(v->socket);
}

static inline void answer(struct visitor *v, struct slice rest)
{
    struct origin *o = v->origin;
    const char *text = *o->answers ? *o->answers++ : "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n";

    if (!strcmp(text, "ws")) {
        accept_socket(v, rest);
        return;
    }
    if (!strcmp(text, "!")) {
        stream_doom(v->stream);
        v->stream = NULL;
        return;
    }
    assert_int_equal(stream_write(v->stream, slice_str(text)), 0);
    if (strstr(text, "Connection: close"))
        stream_end(v->stream);
}

static inline void visitor_data(void *arg, struct span in)
{
    struct visitor *v = arg;
    struct slice rest, piece;
    int r = 1;

    assert_int_equal(buf_add(&v->kept, span_slice(in)), 0);
    rest = buf_slice(&v->kept);
    while (v->stream && r > 0) {
        r = http1_next(&v->decoder, &rest, &v->origin->head, &piece);
        if (r == HTTP1_HEAD)
            hear_head(v->origin);
        else if (r == HTTP1_BODY && piece.n > 100)
            (void)buf_addf(&v->origin->heard, "+%zu\n", piece.n);
        else if (r == HTTP1_BODY)
            (void)buf_addf(&v->origin->heard, "+%.*s\n", SLICE_FMT(piece));
        else if (r == HTTP1_END)
            answer(v, rest);
    }
    assert_true(r >= 0);
    buf_consume(&v->kept, v->kept.n - rest.n);
}

static inline void visitor_gone(void *arg)
{
    struct visitor *v = arg;

    stream_doom(v->stream);
    v->stream = NULL;
}

static inline void visitor_lost(void *arg, int err)
{
    visitor_gone(arg);
}

static const struct stream_ops visitor_ops = {visitor_data, visitor_gone, NULL, visitor_lost};
static const struct http1_limits limits = {8192, 65536, 100, UINT64_MAX};

static inline void visit(void *arg, struct stream *take_s)
{
    struct origin *o = arg;
    struct visitor *v = &o->visitors[o->n++];

    assert_true(o->n <= COUNT_OF(o->visitors));
    v->origin = o;
    v->stream = take_s;
    http1_init(&v->decoder, HTTP1_REQUESTS, &limits);
    buf_init(&v->kept, 8 << 20);
    stream_attach(take_s, &visitor_ops, v);
    stream_resume(take_s);
}

static const struct listen_ops listen_ops = {visit};

#define ANSWERS(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline struct origin *origin_open(struct loop *loop, const char *const *answers)
{
    const struct listen_options at = {.host = "127.0.0.1"};
    struct origin *o = mem_new(sizeof(*o));
    struct err_note note = {0};

    o->loop = loop;
    o->answers = answers;
    buf_init(&o->heard, 8 << 20);
    o->listener = listen_open(loop, &at, &listen_ops, o, &note);
    assert_non_null(o->listener);
    o->port = listen_port(o->listener);
    return o;
}

static inline void origin_close(struct origin *o)
{
    listen_close(o->listener);
    for (unsigned i = 0; i < o->n; i++) {
        stream_doom(o->visitors[i].stream);
        if (o->visitors[i].socket)
            transport_terminate(o->visitors[i].socket);
        buf_done(&o->visitors[i].kept);
    }
    buf_done(&o->heard);
    mem_free(o);
}

static inline void expect_text(struct buf *b, const char *want, uint16_t port)
{
    CLEANUP(buf_done) struct buf text = {.max = 1 << 20};
    const char *at;

    for (; (at = strstr(want, "%P")); want = at + 2)
        (void)buf_addf(&text, "%.*s%u", (int)(at - want), want, port);
    (void)buf_addf(&text, "%s", want);
    (void)buf_add_byte(&text, 0);
    (void)buf_add_byte(b, 0);
    assert_string_equal((const char *)b->p, (const char *)text.p);
    buf_clear(b);
}

#endif

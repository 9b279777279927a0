/*
 * Random walks: conversations nobody would think of, each from a seed that is printed when it
 * fails (WALKS=n in the environment for more of them). Whatever happens, in whatever pieces: what
 * was sent arrives whole and in order, and at the end nothing is left (loop_free() asserts on
 * timers, the sanitizer on memory).
 */
#include "conn/exchange.h"

#include <stdlib.h>

#include "conn/http1_server.h"
#include "conn/websocket.h"
#include "lib/peer.h"
#include "lib/test.h"
#include "wire/http1.h"

enum { WALKS = 150, STEPS = 120 };

static uint64_t seed;
static uint64_t state;

static void walk_begin(uint64_t n)
{
    seed = n;
    state = n * 0x9e3779b97f4a7c15u + 1;
}

static uint64_t walks(void)
{
    const char *n = getenv("WALKS");

    return n ? strtoul(n, NULL, 10) : WALKS;
}

static unsigned pick(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 20) % n);
}

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what))                                                                               \
            fail_msg("seed %lu: %s", (unsigned long)seed, #what);                                  \
    } while (0)

/* A size that is mostly small, sometimes more than a read, often at an edge. */
static size_t some_size(void)
{
    static const size_t edges[] = {0, 1, 125, 126, 127, 65535, 65536, 65537};

    switch (pick(12)) {
    case 0:
        return edges[pick(COUNT_OF(edges))];
    case 1:
        return pick(200000);
    default:
        return pick(300);
    }
}

/* Bytes that tell what they are: number n of who. ASCII, so that they may be text. */
static uint8_t byte_of(unsigned who, unsigned n, size_t at)
{
    return (uint8_t)('0' + (who * 31 + n * 7 + at + at / 71) % 70);
}

static struct blob *bytes_of(unsigned who, unsigned n, size_t size)
{
    struct blob *b = blob_new(size);

    for (size_t i = 0; i < size; i++)
        b->p[i] = byte_of(who, n, i);
    return b;
}

static bool are_bytes_of(struct slice s, unsigned who, unsigned n, size_t at)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != byte_of(who, n, at + i))
            return false;
    return true;
}

static void shake(struct stream *s)
{
    static const size_t pieces[] = {0, 1, 2, 7, 100, 5000};
    static const size_t windows[] = {0, 10, 1000, 100000};

    stream_loopback_limits(s, pieces[pick(COUNT_OF(pieces))], windows[pick(COUNT_OF(windows))]);
}

/* --- two websockets --- */

struct side {
    unsigned who;
    struct transport *transport; /* NULL: let go */
    struct side *other;
    size_t sizes[STEPS * 2];
    unsigned sent;
    unsigned received;
    bool is_over;
    bool has_heard_clean;
};

static struct loop *loop;
static bool is_violent; /* something happened that may lose messages */

static void on_message(void *arg, struct span bytes, bool binary)
{
    struct side *s = arg;
    const unsigned n = s->received++;

    CHECK(!s->is_over);
    CHECK(n < s->other->sent);
    CHECK(bytes.n == s->other->sizes[n]);
    CHECK(binary == (n % 2 == 0));
    CHECK(are_bytes_of(span_slice(bytes), s->other->who, n, 0));
    if (pick(10) == 0)
        transport_pause(s->transport);
    if (pick(200) == 0) {
        is_violent = true;
        transport_terminate(s->transport);
        s->transport = NULL;
    }
}

static void on_drained(void *arg)
{
    CHECK(((struct side *)arg)->transport);
}

static void let_go(struct side *s)
{
    if (s->transport)
        transport_release(s->transport);
    s->transport = NULL;
}

static void on_closed(void *arg, uint16_t code, bool clean, struct slice reason)
{
    struct side *s = arg;

    CHECK(!s->is_over);
    s->is_over = true;
    s->has_heard_clean = clean;
    if (pick(3))
        let_go(s);
}

static void on_failed(void *arg, int err)
{
    CHECK(!"the protocol was broken");
}

static void on_gone(void *arg)
{
    struct side *s = arg;

    CHECK(s->is_over);
    let_go(s);
}

static const struct transport_ops ops = {on_message, on_drained, on_closed, on_failed, on_gone};

static void send_one(struct side *s)
{
    struct blob *b;
    struct payload p;

    if (!s->transport || s->sent == COUNT_OF(s->sizes))
        return;
    s->sizes[s->sent] = some_size();
    b = bytes_of(s->who, s->sent, s->sizes[s->sent]);
    p = (struct payload){.bytes = blob_slice(b), .binary = s->sent % 2 == 0};
    if (transport_send(s->transport, &p) == 0)
        s->sent++;
    payload_done(&p);
    blob_unref(b);
}

static void websocket_step(struct side *s)
{
    struct transport *t = s->transport;

    switch (t ? pick(40) : 39) {
    case 0:
        (void)transport_close(t, (uint16_t)(3000 + pick(2000)), SLICE("because"));
        break;
    case 1:
        if (pick(4))
            break;
        is_violent = true;
        let_go(s);
        break;
    case 2:
        if (pick(8))
            break;
        is_violent = true;
        transport_terminate(t);
        s->transport = NULL;
        break;
    case 3:
        websocket_half_open(t, pick(2));
        break;
    case 4:
    case 5:
    case 6:
        transport_pause(t);
        break;
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
        transport_start(t);
        break;
    case 12:
    case 13:
        (void)websocket_ping(t, SLICE("ping"));
        break;
    case 14:
        if (pick(20) || !websocket_stream(t))
            break;
        is_violent = true;
        stream_loopback_break(websocket_stream(t));
        break;
    case 15:
    case 16:
        if (websocket_stream(t))
            shake(websocket_stream(t));
        break;
    case 17:
        loop_advance(loop, pick(2000));
        break;
    case 18:
    case 19:
    case 20:
    case 21:
        loop_advance(loop, 0);
        break;
    default:
        send_one(s);
        break;
    }
}

/* Every second pair compresses, on any terms. */
static void agree_on_something(struct side sides[2])
{
    const struct deflate_terms terms = {(uint8_t)(9 + pick(7)), (uint8_t)(9 + pick(7)), pick(2),
                                        pick(2)};

    if (pick(2))
        return;
    for (int i = 0; i < 2; i++)
        websocket_agree(sides[i].transport, &terms);
}

static void websocket_walk(uint64_t n)
{
    static struct side sides[2];
    static struct websocket_options options;
    struct stream *streams[2];

    walk_begin(n);
    is_violent = false;
    loop = loop_new_simulated();
    options = (struct websocket_options){
        .out_bytes = pick(2) ? 1 << 20 : 20000,
        .pool = websocket_pool_new(loop),
        .deflate = {.bits = 15, .takeover = pick(2)},
        .deflate_bytes = 1 + pick(2000),
    };
    stream_open_pair(loop, 0, &streams[0], &streams[1]);
    for (unsigned i = 0; i < 2; i++) {
        sides[i] =
            (struct side){.who = i,
                          .other = &sides[1 - i],
                          .transport = websocket_open(streams[i], i == 0, SLICE_NONE, &options)};
        transport_attach(sides[i].transport, &ops, &sides[i]);
    }
    agree_on_something(sides);
    for (unsigned i = 0; i < 2; i++) {
        shake(streams[i]);
        if (pick(4))
            transport_start(sides[i].transport);
    }
    for (int i = 0; i < STEPS; i++)
        websocket_step(&sides[pick(2)]);
    for (int i = 0; i < 400; i++) {
        for (int k = 0; k < 2; k++)
            if (sides[k].transport)
                transport_start(sides[k].transport);
        loop_advance(loop, 0);
    }
    for (unsigned i = 0; i < 2; i++)
        if (!is_violent && sides[i].has_heard_clean)
            CHECK(sides[i].received == sides[1 - i].sent);
    for (int i = 0; i < 2; i++)
        let_go(&sides[i]);
    loop_advance(loop, 60000);
    websocket_pool_free(options.pool);
    loop_free(loop);
}

TEST(websockets_lose_nothing_on_any_walk)
{
    for (uint64_t n = 1; n <= walks(); n++)
        websocket_walk(n);
}

/* --- a server and a client that pipelines --- */

enum { REQUESTS = 12, CLIENT = 0, SERVER = 1 };

/* What the walk decided about each request and its answer. */
struct round {
    size_t body;
    size_t body_received;
    bool has_body_ended;
    size_t answer;
    size_t answer_sent;
    size_t answer_received;
    bool has_answer_ended;
};

static struct round rounds[REQUESTS];
static unsigned asked, taken_up, answered;
static struct exchange *now;
static bool is_responded;
static struct peer peer;
static struct http1_decoder answers;
static struct http1_head head;

static void on_body(void *arg, struct slice bytes, bool end)
{
    struct round *r = arg;

    CHECK(!r->has_body_ended);
    CHECK(are_bytes_of(bytes, CLIENT, (unsigned)(r - rounds), r->body_received));
    r->body_received += bytes.n;
    r->has_body_ended = end;
    CHECK(r->body_received <= r->body && (!end || r->body_received == r->body));
    if (!end && pick(2))
        exchange_pull(now, 1 + pick(3000));
}

static void on_taken(void *arg, size_t n)
{
    CHECK(n > 0);
}

static void on_exchange_closed(void *arg, int err)
{
    fail_msg("seed %lu: closed %s", (unsigned long)seed, err_label(err));
}

static const struct exchange_ops exchange_facts = {on_body, on_taken, on_exchange_closed};

static void on_request(void *arg, struct exchange *x)
{
    CHECK(!now && taken_up < asked);
    now = x;
    is_responded = false;
    exchange_attach(x, &exchange_facts, &rounds[taken_up++]);
    if (pick(2))
        exchange_pull(x, 1 + pick(5000));
}

static const struct http1_server_ops server_facts = {on_request};

static void ask(void)
{
    struct round *r = &rounds[asked];
    struct blob *b;
    size_t at = 0;
    struct buf out;

    if (asked == REQUESTS)
        return;
    *r = (struct round){.body = pick(3) ? 0 : some_size(), .answer = some_size()};
    b = bytes_of(CLIENT, asked, r->body);
    buf_init(&out, 1 << 24);
    (void)buf_addf(&out, "POST /%u HTTP/1.1\r\nHost: a\r\n", asked++);
    if (pick(2)) {
        (void)buf_addf(&out, "Content-Length: %zu\r\n\r\n", r->body);
        (void)buf_add(&out, blob_slice(b));
    } else {
        (void)buf_addf(&out, "Transfer-Encoding: chunked\r\n\r\n");
        while (at < r->body) {
            const struct slice part = slice_sub(blob_slice(b), at, 1 + pick(2000));

            (void)buf_addf(&out, "%zx\r\n", part.n);
            (void)buf_add(&out, part);
            (void)buf_add(&out, SLICE("\r\n"));
            at += part.n;
        }
        (void)buf_add(&out, HTTP1_LAST_CHUNK);
    }
    (void)stream_write(peer.stream, buf_slice(&out));
    buf_done(&out);
    blob_unref(b);
}

static void respond(void)
{
    const struct round *r = &rounds[taken_up - 1];
    const struct exchange_response response = {
        .status = 200,
        .body = pick(2) ? EXCHANGE_BODY_LENGTH : EXCHANGE_BODY_STREAM,
        .length = r->answer,
    };

    CHECK(exchange_respond(now, &response) == 0);
    is_responded = true;
}

static void send_some(void)
{
    struct round *r = &rounds[taken_up - 1];
    const size_t n = MIN(r->answer - r->answer_sent, 1 + pick(20000));
    struct blob *all = bytes_of(SERVER, taken_up - 1, r->answer);
    const struct slice part = slice_sub(blob_slice(all), r->answer_sent, n);
    const int e = pick(2) ? exchange_send(now, part) : exchange_push(now, blob_copy(part));

    CHECK(e == 0 || e == -ERR_SLOW_CONSUMER);
    r->answer_sent += e == 0 ? n : 0;
    blob_unref(all);
}

static void answer_some(void)
{
    const struct round *r = now ? &rounds[taken_up - 1] : NULL;

    if (!now)
        return;
    if (!is_responded) {
        respond();
    } else if (r->answer_sent < r->answer) {
        send_some();
    } else {
        struct exchange *x = now;

        now = NULL;
        exchange_end(x);
    }
}

/* What the client has heard so far, read by the other side of the codec. */
static void read_answers(void)
{
    struct slice in = peer_heard(&peer), piece;
    int e;

    while ((e = http1_next(&answers, &in, &head, &piece)) > 0) {
        struct round *r = &rounds[answered];

        CHECK(answered < taken_up);
        if (e == HTTP1_BODY) {
            CHECK(are_bytes_of(piece, SERVER, answered, r->answer_received));
            r->answer_received += piece.n;
        } else if (e == HTTP1_END) {
            CHECK(r->answer_received == r->answer);
            r->has_answer_ended = true;
            answered++;
        }
    }
    CHECK(e == 0);
    buf_consume(&peer.heard, peer.heard.n - in.n);
}

static void exchange_step(void)
{
    switch (pick(12)) {
    case 0:
    case 1:
        ask();
        break;
    case 2:
        shake(peer.stream);
        break;
    case 3:
    case 4:
        if (now)
            exchange_pull(now, 1 + pick(100000));
        break;
    case 5:
        pick(2) ? stream_pause(peer.stream) : stream_resume(peer.stream);
        break;
    case 6:
    case 7:
        loop_advance(loop, pick(100));
        break;
    default:
        answer_some();
        break;
    }
}

static void exchange_walk(uint64_t n)
{
    static const struct http1_limits limits = {1000, 10000, 100, 1 << 30};
    static const struct http1_options options = {.out_bytes = 100000, .drop_bytes = 1 << 30};
    struct http1_server *server;
    struct stream *s;

    walk_begin(n);
    loop = loop_new_simulated();
    asked = taken_up = answered = 0;
    now = NULL;
    server = http1_server_open(loop, &options, &server_facts, NULL);
    peer_open(&peer, loop, &s);
    http1_server_take(server, s);
    http1_init(&answers, HTTP1_RESPONSES, &limits);
    shake(s);
    for (int i = 0; i < STEPS; i++)
        exchange_step();
    while (asked < REQUESTS)
        ask();
    stream_resume(peer.stream);
    for (int i = 0; i < 2000 && (answered < REQUESTS || now); i++) {
        if (now && pick(2))
            exchange_pull(now, 1000000);
        answer_some();
        loop_advance(loop, 0);
        if (i % 16 == 0)
            read_answers();
    }
    read_answers();
    CHECK(answered == REQUESTS);
    CHECK(peer.lost == 0 && !peer.has_ended);
    http1_server_close(server);
    peer_close(&peer);
    loop_free(loop);
}

TEST(exchanges_lose_nothing_on_any_walk)
{
    for (uint64_t n = 1; n <= walks(); n++)
        exchange_walk(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(websockets_lose_nothing_on_any_walk),
        cmocka_unit_test(exchanges_lose_nothing_on_any_walk),
    };

    return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}

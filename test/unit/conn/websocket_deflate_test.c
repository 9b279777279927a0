#include "conn/websocket.h"
#include "io/stream.h"
#include "lib/peer.h"
#include "lib/test.h"
#include "wire/ws.h"

/* A websocket that agreed on permessage-deflate, with a raw peer or another websocket. */
struct ear {
    struct transport *transport;
    struct buf told; /* one line a fact */
};

static struct loop *loop;
static struct websocket_pool *pool;
static struct websocket_options options;
static struct peer peer;
static struct ear ear;

static const struct deflate_terms fresh = {15, 15, true, true};
static const struct deflate_terms kept = {15, 15, false, false};

static void on_message(void *arg, struct span bytes, bool binary)
{
    struct ear *e = arg;

    if (bytes.n > 100)
        (void)buf_addf(&e->told, "%s of %zu\n", binary ? "binary" : "text", bytes.n);
    else
        (void)buf_addf(&e->told, "%s %.*s\n", binary ? "binary" : "text", (int)bytes.n, bytes.p);
}

static void on_drained(void *arg)
{
}

static void on_closed(void *arg, uint16_t code, bool clean, struct slice reason)
{
    struct ear *e = arg;

    (void)buf_addf(&e->told, "closed %u %s\n", code, clean ? "clean" : "broken");
    transport_release(e->transport);
    e->transport = NULL;
}

static void on_failed(void *arg, int err)
{
    struct ear *e = arg;

    (void)buf_addf(&e->told, "failed %s\n", err_label(err));
    transport_release(e->transport);
    e->transport = NULL;
}

static void on_gone(void *arg)
{
}

static const struct transport_ops ops = {on_message, on_drained, on_closed, on_failed, on_gone};

static void listen_to(struct ear *e, struct stream *s, bool client,
                      const struct deflate_terms *terms)
{
    e->transport = websocket_open(s, client, SLICE_NONE, &options);
    buf_init(&e->told, 1 << 20);
    if (terms)
        websocket_agree(e->transport, terms);
    transport_attach(e->transport, &ops, e);
    transport_start(e->transport);
}

static void hush(struct ear *e)
{
    if (e->transport)
        transport_terminate(e->transport);
    e->transport = NULL;
    buf_done(&e->told);
}

static void connect_peer(const struct deflate_terms *terms)
{
    struct stream *s;

    peer_open(&peer, loop, &s);
    listen_to(&ear, s, false, terms);
}

static void part(void)
{
    hush(&ear);
    if (peer.loop)
        peer_close(&peer);
    peer = (struct peer){0};
    loop_advance(loop, 0);
}

static int begin(void **state)
{
    loop = loop_new_simulated();
    pool = websocket_pool_new(loop);
    options = (struct websocket_options){.message_bytes = 1 << 20,
                                         .out_bytes = 1 << 20,
                                         .pool = pool,
                                         .deflate = {.bits = 15, .takeover = true},
                                         .deflate_bytes = 64};
    return 0;
}

static int end(void **state)
{
    part();
    loop_advance(loop, 60000);
    websocket_pool_free(pool);
    loop_free(loop);
    return 0;
}

static void expect_told(struct ear *e, const char *lines)
{
    loop_advance(loop, 0);
    assert_int_equal(buf_add_byte(&e->told, '\0'), 0);
    assert_string_equal((const char *)e->told.p, lines);
    buf_clear(&e->told);
}

/* A client's frame; first: opcode and the first byte's flags. */
static void add_frame(struct buf *b, unsigned first, struct slice payload)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    struct blob *frame = ws_frame(first & 0x7f, payload, mask);

    frame->p[0] = (uint8_t)first;
    assert_int_equal(buf_add(b, blob_slice(frame)), 0);
    blob_unref(frame);
}

static void say(unsigned first, struct slice payload)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 8 << 20);
    add_frame(&b, first, payload);
    peer_say(&peer, buf_slice(&b));
}

enum {
    FIN = 0x80,
    RSV1 = 0x40,
    PACKED_TEXT = FIN | RSV1 | WS_TEXT,
    PACKED_BINARY = FIN | RSV1 | WS_BINARY,
};

/* RFC 7692 7.2.3.1: "Hello" in one block. */
static const struct slice hello = {(const uint8_t *)"\xf2\x48\xcd\xc9\xc9\x07\x00", 7};

static void pack(struct buf *out, struct slice text)
{
    struct deflate_pair *p = deflate_pair_new(6);

    buf_init(out, 8 << 20);
    assert_int_equal(deflate_message(p, 15, true, text, out), 0);
    deflate_pair_free(p);
}

/* --- hearing --- */

TEST(a_compressed_message_is_expanded)
{
    connect_peer(&fresh);
    say(PACKED_TEXT, hello);
    say(PACKED_BINARY, hello);
    say(FIN | WS_TEXT, SLICE("plain"));
    say(PACKED_TEXT, SLICE("\x00")); /* 7.2.3.6: an empty message */
    expect_told(&ear, "text Hello\nbinary Hello\ntext plain\ntext \n");
}

/* 7.2.3.1 to 7.2.3.5: fragments, stored blocks, a block with BFINAL, two blocks, two messages. */
TEST(the_examples_of_the_rfc_are_understood)
{
    connect_peer(&kept);
    say(RSV1 | WS_TEXT, SLICE("\xf2\x48\xcd"));
    say(FIN, SLICE("\xc9\xc9\x07\x00"));
    say(PACKED_TEXT, SLICE("\xf2\x00\x11\x00\x00"));
    say(PACKED_TEXT, SLICE("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"));
    say(PACKED_TEXT, SLICE("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"));
    say(PACKED_TEXT, SLICE("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"));
    expect_told(&ear, "text Hello\ntext Hello\ntext Hello\ntext Hello\ntext Hello\n");
}

static void add_conversation(struct buf *b)
{
    add_frame(b, PACKED_TEXT, hello);
    add_frame(b, RSV1 | WS_TEXT, slice_sub(hello, 0, 2));
    add_frame(b, FIN | WS_PING, SLICE("are you there"));
    add_frame(b, WS_CONTINUATION, SLICE(""));
    add_frame(b, WS_CONTINUATION, slice_sub(hello, 2, 1));
    add_frame(b, FIN | WS_CONTINUATION, slice_sub(hello, 3, 9));
    add_frame(b, WS_BINARY, SLICE("pl"));
    add_frame(b, FIN | WS_CONTINUATION, SLICE("ain"));
    add_frame(b, RSV1 | WS_TEXT, SLICE(""));
    add_frame(b, FIN | WS_CONTINUATION, hello);
}

static const char talk[] = "text Hello\ntext Hello\nbinary plain\ntext Hello\n";

TEST(a_conversation_is_the_same_at_every_split)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 4096);
    add_conversation(&b);
    for (size_t cut = 0; cut <= b.n; cut++) {
        connect_peer(cut % 2 ? &fresh : &kept);
        peer_say(&peer, slice_sub(buf_slice(&b), 0, cut));
        peer_say(&peer, slice_sub(buf_slice(&b), cut, b.n));
        expect_told(&ear, talk);
        peer_expect(&peer, SLICE("\x8a\x0d"
                                 "are you there"));
        part();
    }
}

static void refuses(const struct deflate_terms *terms, unsigned first, struct slice payload,
                    const char *told)
{
    connect_peer(terms);
    say(first, payload);
    expect_told(&ear, told);
    part();
}

TEST(what_breaks_the_extension_is_refused)
{
    refuses(NULL, PACKED_TEXT, hello, "failed ws_rsv\n");
    refuses(&fresh, FIN | 0x20 | WS_TEXT, hello, "failed ws_rsv\n");
    refuses(&fresh, FIN | RSV1 | WS_PING, SLICE("x"), "failed ws_rsv\n");
    refuses(&fresh, FIN | RSV1 | WS_CLOSE, SLICE(""), "failed ws_rsv\n");
    refuses(&fresh, PACKED_TEXT, SLICE("\xff\xff\xff"), "failed ws_deflate\n");
    refuses(&fresh, PACKED_TEXT, SLICE("\xf2\x00\x11\x00\x00"), "failed ws_deflate\n");
}

TEST(a_continuation_is_not_marked)
{
    connect_peer(&fresh);
    say(RSV1 | WS_TEXT, slice_sub(hello, 0, 2));
    say(FIN | RSV1 | WS_CONTINUATION, slice_sub(hello, 2, 9));
    expect_told(&ear, "failed ws_rsv\n");
    peer_expect(&peer, SLICE("\x88\x27\x03\xea"
                             "reserved bit set without an extension"));
}

static void expect_close(unsigned code)
{
    const struct slice heard = peer_heard(&peer);

    assert_true(heard.n > 4);
    assert_int_equal(heard.p[0], FIN | WS_CLOSE);
    assert_int_equal(heard.p[2] << 8 | heard.p[3], code);
}

TEST(text_is_checked_behind_the_compression)
{
    CLEANUP(buf_done) struct buf b;

    connect_peer(&fresh);
    pack(&b, SLICE("\xc3"));
    say(PACKED_BINARY, buf_slice(&b));
    expect_told(&ear, "binary \xc3\n");
    say(PACKED_TEXT, buf_slice(&b));
    expect_told(&ear, "failed ws_utf8\n");
    expect_close(1007);
}

static void says_zeros(unsigned first, size_t n)
{
    CLEANUP(buf_done) struct buf zeros, b;

    buf_init(&zeros, n);
    assert_non_null(n ? buf_reserve(&zeros, n) : (uint8_t *)"");
    memset(zeros.p, 0, n);
    buf_commit(&zeros, n);
    pack(&b, buf_slice(&zeros));
    say(first, first & RSV1 ? buf_slice(&b) : buf_slice(&zeros));
}

TEST(the_limit_is_that_of_the_expanded_message)
{
    connect_peer(&fresh);
    says_zeros(PACKED_BINARY, options.message_bytes);
    expect_told(&ear, "binary of 1048576\n");
    says_zeros(PACKED_BINARY, options.message_bytes + 1);
    expect_told(&ear, "failed ws_too_large\n");
    expect_close(1009);
}

TEST(the_limit_of_a_plain_message_stays_what_it_is)
{
    connect_peer(&fresh);
    says_zeros(FIN | WS_BINARY, options.message_bytes);
    expect_told(&ear, "binary of 1048576\n");
    says_zeros(FIN | WS_BINARY, options.message_bytes + 1);
    expect_told(&ear, "failed ws_too_large\n");
}

TEST(fragments_of_a_plain_message_add_up_to_the_limit)
{
    connect_peer(&fresh);
    says_zeros(WS_BINARY, options.message_bytes);
    expect_told(&ear, "");
    say(WS_CONTINUATION, SLICE("x"));
    expect_told(&ear, "failed ws_too_large\n");
}

/* --- sending --- */

static int send_text(struct ear *e, struct slice s)
{
    struct payload p = {.bytes = s};
    const int r = transport_send(e->transport, &p);

    payload_done(&p);
    return r;
}

static struct slice rhyme(void)
{
    static char text[1000];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "row, row, row your boat gently down the stream. "[i % 48];
    return slice_make(text, sizeof(text));
}

static struct slice noise(size_t n)
{
    static uint8_t bytes[4096];
    uint32_t x = 12345;

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
    return slice_make(bytes, n);
}

TEST(long_messages_are_sent_compressed_short_ones_and_noise_as_they_are)
{
    struct payload p = {.bytes = noise(500), .binary = true};
    struct slice heard;

    connect_peer(&fresh);
    assert_int_equal(send_text(&ear, slice_sub(rhyme(), 0, 63)), 0);
    loop_advance(loop, 0);
    assert_true(slice_starts(peer_heard(&peer), SLICE("\x81\x3frow")));
    peer_forget(&peer);
    assert_int_equal(transport_send(ear.transport, &p), 0);
    loop_advance(loop, 0);
    assert_true(slice_starts(peer_heard(&peer), SLICE("\x82\x7e\x01\xf4")));
    peer_forget(&peer);
    assert_int_equal(send_text(&ear, rhyme()), 0);
    loop_advance(loop, 0);
    heard = peer_heard(&peer);
    assert_int_equal(heard.p[0], 0xc1);
    assert_int_equal(heard.p[1], heard.n - 2);
    payload_done(&p);
}

TEST(a_payload_is_compressed_once_for_each_window)
{
    static const uint8_t bits[] = {15, 15, 9, 15, 9};
    struct payload p = {.bytes = rhyme()};
    struct ear ears[COUNT_OF(bits)];
    struct peer peers[COUNT_OF(bits)];

    for (size_t i = 0; i < COUNT_OF(bits); i++) {
        const struct deflate_terms terms = {bits[i], 15, i % 2, true};
        struct stream *s;

        options.deflate.takeover = false; /* then we forget also where we need not */
        peer_open(&peers[i], loop, &s);
        listen_to(&ears[i], s, false, &terms);
        assert_int_equal(transport_send(ears[i].transport, &p), 0);
    }
    assert_int_equal(websocket_pool_stats(pool)->deflated, 2);
    assert_int_equal(p.ws_frames[7]->refs, 4);
    assert_int_equal(p.ws_frames[1]->refs, 3);
    assert_null(p.ws_frames[0]);
    payload_done(&p);
    for (size_t i = 0; i < COUNT_OF(bits); i++) {
        hush(&ears[i]);
        peer_close(&peers[i]);
    }
}

static void converse(const struct deflate_terms *terms)
{
    struct ear client, server;
    struct stream *a, *b;

    stream_open_pair(loop, 0, &a, &b);
    listen_to(&client, a, true, terms);
    listen_to(&server, b, false, terms);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send_text(&client, rhyme()), 0);
        assert_int_equal(send_text(&client, SLICE("short")), 0);
        assert_int_equal(send_text(&server, rhyme()), 0);
        assert_int_equal(send_text(&server, slice_sub(rhyme(), 10, 80)), 0);
        loop_advance(loop, 1000);
    }
    expect_told(&server, "text of 1000\ntext short\ntext of 1000\ntext short\ntext of 1000\ntext "
                         "short\n");
    assert_int_equal(transport_close(server.transport, 1000, SLICE_NONE), 0);
    expect_told(&server, "closed 1000 clean\n");
    assert_true(slice_ends(buf_slice(&client.told), SLICE("closed 1000 clean\n")));
    hush(&client);
    hush(&server);
    loop_advance(loop, 20000);
}

TEST(two_websockets_understand_each_other_on_all_terms)
{
    for (unsigned i = 0; i < 4; i++)
        for (uint8_t bits = 9; bits <= 15; bits++)
            converse(&(struct deflate_terms){bits, (uint8_t)(24 - bits), i & 1, i & 2});
}

TEST(a_kept_window_makes_the_second_message_smaller)
{
    size_t first;

    connect_peer(&kept);
    assert_int_equal(send_text(&ear, rhyme()), 0);
    loop_advance(loop, 0);
    first = peer_heard(&peer).n;
    assert_int_equal(send_text(&ear, rhyme()), 0);
    loop_advance(loop, 0);
    assert_true(peer_heard(&peer).n - first < first / 2);
}

/* A message that is refused must not have passed the window. */
TEST(windows_stay_in_step_when_the_queue_is_full)
{
    const struct deflate_terms narrow = {9, 9, false, false};
    struct ear client, server;
    struct stream *a, *b;
    unsigned refused = 0, sent = 0;

    options.out_bytes = 3000;
    stream_open_pair(loop, 0, &a, &b);
    listen_to(&client, a, true, &narrow);
    listen_to(&server, b, false, &narrow);
    for (int i = 0; i < 50; i++) {
        struct payload p = {.bytes = slice_sub(noise(4096), (size_t)i * 60, 1000), .binary = true};
        const int r = transport_send(server.transport, &p);

        assert_true(r == 0 || r == -ERR_SLOW_CONSUMER);
        refused += r < 0;
        sent += r == 0;
        if (i % 5 == 0)
            loop_advance(loop, 10);
        payload_done(&p);
    }
    loop_advance(loop, 10);
    assert_in_range(refused, 10, 40);
    assert_int_equal(client.told.n, sent * strlen("binary of 1000\n"));
    hush(&client);
    hush(&server);
}

/* --- silence --- */

static void connect_pinged(void)
{
    options.ping_ms = 30000;
    options.pong_ms = 20000;
    connect_peer(NULL);
}

TEST(a_silent_peer_is_pinged_and_given_up)
{
    connect_pinged();
    loop_advance(loop, 29000);
    peer_expect(&peer, SLICE(""));
    loop_advance(loop, 5000);
    peer_expect(&peer, SLICE("\x89\x00"));
    expect_told(&ear, "");
    loop_advance(loop, 15000);
    expect_told(&ear, "");
    loop_advance(loop, 9000);
    expect_told(&ear, "closed 1006 broken\n");
    assert_int_equal(websocket_pool_stats(pool)->silent, 1);
}

TEST(one_ping_is_enough_also_for_short_times)
{
    options.ping_ms = 400;
    options.pong_ms = 400;
    connect_peer(NULL);
    for (int i = 0; i < 200; i++)
        loop_advance(loop, 10);
    peer_expect(&peer, SLICE("\x89\x00"));
    expect_told(&ear, "closed 1006 broken\n");
}

TEST(who_answers_lives_on)
{
    connect_pinged();
    for (int i = 0; i < 20; i++) {
        loop_advance(loop, 34000);
        if (peer_heard(&peer).n)
            say(FIN | WS_PONG, SLICE(""));
        peer_forget(&peer);
    }
    expect_told(&ear, "");
    assert_in_range(websocket_pool_stats(pool)->pings, 15, 21);
}

TEST(who_speaks_is_not_pinged)
{
    connect_pinged();
    for (int i = 0; i < 20; i++) {
        say(FIN | WS_TEXT, SLICE("x"));
        loop_advance(loop, 20000);
    }
    assert_int_equal(websocket_pool_stats(pool)->pings, 0);
}

TEST(who_is_not_listened_to_is_not_judged)
{
    connect_pinged();
    transport_pause(ear.transport);
    loop_advance(loop, 300000);
    peer_expect(&peer, SLICE(""));
    transport_start(ear.transport);
    loop_advance(loop, 25000);
    peer_expect(&peer, SLICE(""));
    loop_advance(loop, 10000);
    peer_expect(&peer, SLICE("\x89\x00"));
}

TEST(a_slow_reader_lives_as_long_as_its_queue_moves)
{
    struct payload p = {.bytes = noise(4096), .binary = true};

    connect_pinged();
    stream_pause(peer.stream);
    stream_loopback_limits(peer.stream, 100, 1000);
    for (int i = 0; i < 20; i++)
        assert_int_equal(transport_send(ear.transport, &p), 0);
    for (int i = 0; i < 60; i++) {
        loop_advance(loop, 25000);
        expect_told(&ear, "");
        stream_resume(peer.stream);
        loop_tick(loop, 0);
        loop_tick(loop, 0);
        stream_pause(peer.stream);
    }
    assert_true(transport_pending(ear.transport) > 0);
    loop_advance(loop, 60000);
    expect_told(&ear, "closed 1006 broken\n");
    payload_done(&p);
}

static void open_crowd(struct ear *ears, struct peer *peers, int n)
{
    struct stream *s;

    options.ping_ms = 10000;
    options.pong_ms = 10000;
    for (int i = 0; i < n; i++) {
        peer_open(&peers[i], loop, &s);
        listen_to(&ears[i], s, false, NULL);
    }
}

TEST(a_round_finds_everybody)
{
    enum { N = 3000 };
    static struct ear ears[N];
    static struct peer peers[N];

    open_crowd(ears, peers, N);
    for (int i = 0; i < N; i += 7)
        hush(&ears[i]);
    loop_advance(loop, 13000);
    assert_int_equal(websocket_pool_stats(pool)->pings, N - (N + 6) / 7);
    loop_advance(loop, 13000);
    assert_int_equal(websocket_pool_stats(pool)->silent, N - (N + 6) / 7);
    for (int i = 0; i < N; i++) {
        assert_null(ears[i].transport);
        hush(&ears[i]);
        peer_close(&peers[i]);
    }
}

TEST(most_leave_while_a_round_is_under_way)
{
    enum { N = 3000, STAY = 10 };
    static struct ear ears[N];
    static struct peer peers[N];

    open_crowd(ears, peers, N);
    loop_advance(loop, 1300); /* the round has looked at 1024 of them */
    for (int i = STAY; i < N; i++) {
        hush(&ears[i]);
        peer_close(&peers[i]);
    }
    loop_advance(loop, 13000);
    assert_int_equal(websocket_pool_stats(pool)->pings, STAY);
    for (int i = 0; i < STAY; i++) {
        hush(&ears[i]);
        peer_close(&peers[i]);
    }
}

#define FRESH(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(a_compressed_message_is_expanded),
        FRESH(the_examples_of_the_rfc_are_understood),
        FRESH(a_conversation_is_the_same_at_every_split),
        FRESH(what_breaks_the_extension_is_refused),
        FRESH(a_continuation_is_not_marked),
        FRESH(text_is_checked_behind_the_compression),
        FRESH(the_limit_is_that_of_the_expanded_message),
        FRESH(the_limit_of_a_plain_message_stays_what_it_is),
        FRESH(fragments_of_a_plain_message_add_up_to_the_limit),
        FRESH(long_messages_are_sent_compressed_short_ones_and_noise_as_they_are),
        FRESH(a_payload_is_compressed_once_for_each_window),
        FRESH(two_websockets_understand_each_other_on_all_terms),
        FRESH(a_kept_window_makes_the_second_message_smaller),
        FRESH(windows_stay_in_step_when_the_queue_is_full),
        FRESH(a_silent_peer_is_pinged_and_given_up),
        FRESH(one_ping_is_enough_also_for_short_times),
        FRESH(who_answers_lives_on),
        FRESH(who_speaks_is_not_pinged),
        FRESH(who_is_not_listened_to_is_not_judged),
        FRESH(a_slow_reader_lives_as_long_as_its_queue_moves),
        FRESH(a_round_finds_everybody),
        FRESH(most_leave_while_a_round_is_under_way),
    };

    return cmocka_run_group_tests_name("websocket_deflate", tests, NULL, NULL);
}

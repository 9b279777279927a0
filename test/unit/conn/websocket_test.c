#include "conn/websocket.h"

#include <stdio.h>

#include "lib/peer.h"
#include "lib/test.h"
#include "wire/ws.h"

/* A server's websocket with a raw peer, or two websockets that talk to each other. */
struct ear {
    struct transport *transport;
    struct buf told; /* one line a fact */
    struct buf last; /* the last message, whole */
    bool is_quiet;   /* messages are counted, not written down */
    int messages;
    int pause_after;      /* messages; 0: never */
    bool release_on_fact; /* after closed() and failed(), as an owner usually does */
    bool terminate_on_message;
    bool be_patient; /* when it failed */
};

static struct loop *loop;
static struct peer peer;
static struct ear ear;
static struct websocket_options options;

static void tell(struct ear *e, const char *what, struct slice bytes)
{
    assert_int_equal(buf_addf(&e->told, "%s ", what), 0);
    assert_int_equal(buf_add(&e->told, bytes), 0);
    assert_int_equal(buf_add_byte(&e->told, '\n'), 0);
}

static void let_go(struct ear *e)
{
    if (!e->transport)
        return;
    transport_release(e->transport);
    e->transport = NULL;
}

static void on_message(void *arg, struct span bytes, bool binary)
{
    struct ear *e = arg;

    buf_clear(&e->last);
    assert_int_equal(buf_add(&e->last, span_slice(bytes)), 0);
    e->messages++;
    if (!e->is_quiet)
        tell(e, binary ? "binary" : "text", span_slice(bytes));
    if (e->pause_after && e->messages % e->pause_after == 0)
        transport_pause(e->transport);
    if (e->terminate_on_message) {
        transport_terminate(e->transport);
        e->transport = NULL;
        memset(bytes.p, '!', bytes.n); /* still ours */
    }
}

static void on_drained(void *arg)
{
    tell(arg, "drained", SLICE_NONE);
}

static void on_closed(void *arg, uint16_t code, bool clean, struct slice reason)
{
    struct ear *e = arg;
    char what[32];

    (void)snprintf(what, sizeof(what), "closed %u %s", code, clean ? "clean" : "broken");
    tell(e, what, reason);
    if (e->release_on_fact)
        let_go(e);
}

static void on_failed(void *arg, int err)
{
    struct ear *e = arg;

    tell(e, "failed", slice_str(err_label(err)));
    if (e->be_patient)
        websocket_be_patient(e->transport);
    if (e->release_on_fact)
        let_go(e);
}

static void on_gone(void *arg)
{
    tell(arg, "gone", SLICE_NONE);
}

static void on_control(void *arg, bool is_pong, struct slice bytes)
{
    tell(arg, is_pong ? "pong" : "ping", bytes);
}

static const struct transport_ops ops = {on_message, on_drained, on_closed,
                                         on_failed,  on_gone,    on_control};

static void listen_to(struct ear *e, struct transport *t)
{
    *e = (struct ear){.transport = t, .release_on_fact = true};
    buf_init(&e->told, 16 << 20);
    buf_init(&e->last, 64 << 20);
    transport_attach(t, &ops, e);
    transport_start(t);
}

static void hush(struct ear *e)
{
    buf_done(&e->told);
    buf_done(&e->last);
}

static int begin(void **state)
{
    struct stream *s;

    loop = loop_new_simulated();
    options = (struct websocket_options){.message_bytes = 1 << 20, .out_bytes = 1 << 20};
    peer_open(&peer, loop, &s);
    listen_to(&ear, websocket_open(s, false, SLICE_NONE, &options));
    return 0;
}

/* Nothing may be left: loop_free() asserts that no timer is, ASan that no memory is. */
static int end(void **state)
{
    if (ear.transport)
        transport_terminate(ear.transport);
    peer_close(&peer);
    loop_free(loop);
    hush(&ear);
    return 0;
}

static void expect_told(struct ear *e, const char *lines)
{
    loop_advance(loop, 0);
    assert_int_equal(buf_add_byte(&e->told, '\0'), 0);
    assert_string_equal((const char *)e->told.p, lines);
    buf_clear(&e->told);
}

static const uint8_t mask[4] = {1, 2, 3, 4};

/* Adds a client's frame; op may carry bits of the first byte: without 0x80 it is not final. */
static void add_frame(struct buf *b, unsigned first, struct slice payload)
{
    uint8_t head[14] = {(uint8_t)first};
    size_t n = 2;

    if (payload.n < 126) {
        head[1] = (uint8_t)(0x80 | payload.n);
    } else if (payload.n <= UINT16_MAX) {
        head[1] = 0x80 | 126;
        head[n++] = (uint8_t)(payload.n >> 8);
        head[n++] = (uint8_t)payload.n;
    } else {
        head[1] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            head[n++] = (uint8_t)((uint64_t)payload.n >> shift);
    }
    memcpy(head + n, mask, 4);
    assert_int_equal(buf_add(b, slice_make(head, n + 4)), 0);
    for (size_t i = 0; i < payload.n; i++)
        assert_int_equal(buf_add_byte(b, payload.p[i] ^ mask[i % 4]), 0);
}

static void say(unsigned first, struct slice payload)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 64 << 20);
    add_frame(&b, first, payload);
    peer_say(&peer, buf_slice(&b));
}

#define TEXT 0x81
#define BINARY 0x82
#define CLOSE 0x88
#define PING 0x89
#define PONG 0x8a

/* Bytes to send when only their number matters. */
static const char filler[4096];

static struct payload text(struct slice s)
{
    return (struct payload){.bytes = s};
}

static int send_text(struct slice s)
{
    struct payload p = text(s);
    const int r = transport_send(ear.transport, &p);

    payload_done(&p);
    return r;
}

/* --- messages --- */

TEST(messages_arrive_with_their_kind)
{
    say(TEXT, SLICE("hello"));
    say(BINARY, SLICE("bytes"));
    say(TEXT, SLICE(""));
    expect_told(&ear, "text hello\nbinary bytes\ntext \n");
}

TEST(what_is_sent_leaves_as_frames_in_order)
{
    assert_int_equal(send_text(SLICE("one")), 0);
    struct payload p = {.bytes = SLICE("two"), .binary = true};
    assert_int_equal(transport_send(ear.transport, &p), 0);
    payload_done(&p);
    peer_expect(&peer, SLICE("\x81\x03one\x82\x03two"));
}

TEST(a_payload_is_framed_once_for_all)
{
    struct payload p = text(SLICE("same"));
    const struct blob *frame;

    assert_int_equal(transport_send(ear.transport, &p), 0);
    frame = p.ws_frames[0];
    assert_int_equal(transport_send(ear.transport, &p), 0);
    assert_ptr_equal(p.ws_frames[0], frame);
    assert_int_equal(frame->refs, 3);
    payload_done(&p);
    peer_expect(&peer, SLICE("\x81\x04same\x81\x04same"));
}

/* Everything a client can say in one conversation; `talk` is what a server must make of it. */
static void add_conversation(struct buf *b)
{
    add_frame(b, TEXT, SLICE("first"));
    add_frame(b, 0x01, SLICE("frag"));
    add_frame(b, PING, SLICE("are you there"));
    add_frame(b, 0x00, SLICE("men"));
    add_frame(b, 0x80, SLICE("ted"));
    add_frame(b, PONG, SLICE("unasked"));
    add_frame(b, 0x02, SLICE(""));
    add_frame(b, 0x80, SLICE(""));
    add_frame(b, TEXT, SLICE("gr\xc3\xbc\xc3\x9f"));
    add_frame(b, CLOSE,
              SLICE("\x03\xe8"
                    "bye"));
}

static const char talk[] = "text first\ntext fragmented\nbinary \ntext gr\xc3\xbc\xc3\x9f\n"
                           "closed 1000 clean bye\n";

TEST(a_conversation_is_the_same_at_every_split)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 4096);
    add_conversation(&b);
    for (size_t cut = 0; cut <= b.n; cut++) {
        peer_say(&peer, slice_sub(buf_slice(&b), 0, cut));
        peer_say(&peer, slice_sub(buf_slice(&b), cut, b.n));
        expect_told(&ear, talk);
        peer_expect(&peer, SLICE("\x8a\x0d"
                                 "are you there\x88\x05\x03\xe8"
                                 "bye"));
        assert_true(peer.has_ended);
        (void)end(NULL);
        (void)begin(NULL);
    }
}

TEST(a_conversation_is_the_same_byte_by_byte)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 4096);
    add_conversation(&b);
    peer_say_slowly(&peer, buf_slice(&b));
    expect_told(&ear, talk);
    peer_expect(&peer, SLICE("\x8a\x0d"
                             "are you there\x88\x05\x03\xe8"
                             "bye"));
}

/* The owner stops after every message, and is woken at every split. */
TEST(a_conversation_is_the_same_with_pauses)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 4096);
    add_conversation(&b);
    for (size_t cut = 0; cut <= b.n; cut += 3) {
        ear.pause_after = 1;
        peer_say(&peer, slice_sub(buf_slice(&b), 0, cut));
        for (int i = 0; i < 3 && ear.transport; i++) {
            transport_start(ear.transport);
            loop_advance(loop, 0);
        }
        peer_say(&peer, slice_sub(buf_slice(&b), cut, b.n));
        for (int i = 0; i < 8 && ear.transport; i++) {
            transport_start(ear.transport);
            loop_advance(loop, 0);
        }
        expect_told(&ear, talk);
        (void)end(NULL);
        (void)begin(NULL);
    }
}

TEST(a_pause_holds_at_once_and_keeps_what_was_read)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 4096);
    add_frame(&b, TEXT, SLICE("one"));
    add_frame(&b, TEXT, SLICE("two"));
    add_frame(&b, TEXT, SLICE("three"));
    ear.pause_after = 2;
    peer_say(&peer, buf_slice(&b));
    expect_told(&ear, "text one\ntext two\n");
    say(TEXT, SLICE("four"));
    expect_told(&ear, "");
    transport_start(ear.transport);
    transport_start(ear.transport);
    expect_told(&ear, "text three\ntext four\n");
}

TEST(a_pause_pushes_back_on_the_peer)
{
    struct stream *s = websocket_stream(ear.transport);

    stream_loopback_limits(s, 0, 100000);
    transport_pause(ear.transport);
    ear.is_quiet = true;
    for (int i = 0; i < 100; i++)
        say(BINARY, slice_make(filler, 50));
    loop_advance(loop, 0);
    assert_int_equal(ear.messages, 0);
    for (int i = 0; i < 5000; i++)
        say(BINARY, slice_make(filler, 50));
    assert_true(stream_pending(peer.stream) > 100000);
    transport_start(ear.transport);
    loop_advance(loop, 0);
    assert_int_equal(ear.messages, 5100);
}

TEST(a_message_of_the_greatest_size_passes_and_one_byte_more_does_not)
{
    struct blob *big = blob_new((1 << 20) + 1);

    memset(big->p, 'x', big->n);
    ear.is_quiet = true;
    say(BINARY, slice_sub(blob_slice(big), 0, 1 << 20));
    assert_int_equal(ear.messages, 1);
    assert_int_equal(ear.last.n, 1 << 20);
    say(0x02, slice_sub(blob_slice(big), 0, 1 << 19));
    say(0x80, slice_sub(blob_slice(big), 0, 1 << 19));
    assert_int_equal(ear.messages, 2);
    say(BINARY, blob_slice(big));
    expect_told(&ear, "failed ws_too_large\n");
    peer_expect(&peer, SLICE("\x88\x1f\x03\xf1"
                             "message larger than its limit"));
    blob_unref(big);
}

TEST(early_bytes_come_first)
{
    CLEANUP(buf_done) struct buf b;
    struct stream *s;

    (void)end(NULL);
    loop = loop_new_simulated();
    peer_open(&peer, loop, &s);
    buf_init(&b, 4096);
    add_frame(&b, TEXT, SLICE("early"));
    add_frame(&b, TEXT, SLICE("late"));
    listen_to(&ear, websocket_open(s, false, slice_sub(buf_slice(&b), 0, 14), &options));
    peer_say(&peer, slice_sub(buf_slice(&b), 14, b.n));
    expect_told(&ear, "text early\ntext late\n");
}

TEST(the_owner_may_end_it_while_it_looks_at_a_message)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 4096);
    add_frame(&b, TEXT, SLICE("one"));
    add_frame(&b, TEXT, SLICE("two"));
    ear.terminate_on_message = true;
    peer_say(&peer, buf_slice(&b));
    expect_told(&ear, "text one\n");
    assert_true(peer.has_ended);
}

TEST(the_owner_may_end_it_while_it_looks_at_a_kept_message)
{
    transport_pause(ear.transport);
    ear.pause_after = 1;
    say(TEXT, SLICE("one"));
    transport_start(ear.transport);
    loop_advance(loop, 0);
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 4096);
    for (int i = 0; i < 3; i++)
        add_frame(&b, TEXT, SLICE("kept"));
    transport_start(ear.transport);
    peer_say(&peer, buf_slice(&b));
    ear.terminate_on_message = true;
    transport_start(ear.transport);
    expect_told(&ear, "text one\ntext kept\ntext kept\n");
}

TEST(the_owner_may_end_it_while_it_looks_at_a_joined_message)
{
    ear.terminate_on_message = true;
    say(0x01, SLICE("frag"));
    say(0x80, SLICE("mented"));
    expect_told(&ear, "text fragmented\n");
}

/* --- pings --- */

TEST(pings_that_come_together_get_their_pongs)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 4096);
    add_frame(&b, PING, SLICE("old"));
    add_frame(&b, PING, SLICE("new"));
    peer_say(&peer, buf_slice(&b));
    peer_expect(&peer, SLICE("\x8a\x03old\x8a\x03new"));
    say(PING, SLICE(""));
    peer_expect(&peer, SLICE("\x8a\x00"));
}

TEST(of_very_many_pings_at_once_the_newest_is_answered_for_all)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 4096);
    for (int i = 0; i < 200; i++)
        add_frame(&b, PING, SLICE("a"));
    add_frame(&b, PING, SLICE("z"));
    peer_say(&peer, buf_slice(&b));
    assert_int_equal(peer_heard(&peer).n, 65 * 3);
    assert_int_equal(peer_heard(&peer).p[65 * 3 - 1], 'z');
}

TEST(a_flood_of_pings_from_who_does_not_read_stays_bounded)
{
    stream_loopback_limits(peer.stream, 0, 10);
    stream_pause(peer.stream);
    for (int i = 0; i < 5000; i++)
        say(PING, slice_make(filler, 60));
    assert_true(transport_pending(ear.transport) < 70000);
    stream_loopback_limits(peer.stream, 0, 0);
    stream_resume(peer.stream);
    say(PING, SLICE("last"));
    assert_true(slice_ends(peer_heard(&peer), SLICE("\x8a\x04last")));
}

TEST(we_can_ping_too)
{
    assert_int_equal(websocket_ping(ear.transport, SLICE("hi")), 0);
    peer_expect(&peer, SLICE("\x89\x02hi"));
    say(PONG, SLICE("hi"));
    expect_told(&ear, "");
    assert_int_equal(websocket_ping(ear.transport, slice_make(filler, 126)), -ERR_WS_CONTROL);
}

TEST(an_owner_who_wants_to_hears_pings_and_answers_them_itself)
{
    websocket_hear_controls(ear.transport, false);
    say(PING, SLICE("one"));
    say(PONG, SLICE("two"));
    expect_told(&ear, "ping one\npong two\n");
    peer_expect(&peer, SLICE(""));
    assert_int_equal(websocket_pong(ear.transport, SLICE("one")), 0);
    peer_expect(&peer, SLICE("\x8a\x03one"));
}

TEST(an_owner_may_hear_pings_that_are_answered_here)
{
    websocket_hear_controls(ear.transport, true);
    say(PING, SLICE("one"));
    expect_told(&ear, "ping one\n");
    peer_expect(&peer, SLICE("\x8a\x03one"));
}

TEST(an_owner_who_wants_to_hears_of_any_queue_that_is_empty_again)
{
    stream_loopback_limits(peer.stream, 0, 1);
    stream_pause(peer.stream);
    assert_int_equal(send_text(SLICE("a few bytes")), 0);
    websocket_want_drained(ear.transport);
    expect_told(&ear, "");
    stream_loopback_limits(peer.stream, 0, 0);
    stream_resume(peer.stream);
    expect_told(&ear, "drained \n");
}

/* --- closing --- */

TEST(the_peers_close_is_answered_with_its_code_and_reason)
{
    say(CLOSE, SLICE("\x0f\xa0"
                     "enough"));
    expect_told(&ear, "closed 4000 clean enough\n");
    peer_expect(&peer, SLICE("\x88\x08\x0f\xa0"
                             "enough"));
    assert_true(peer.has_ended);
}

TEST(an_empty_close_is_answered_empty)
{
    say(CLOSE, SLICE(""));
    expect_told(&ear, "closed 1005 clean \n");
    peer_expect(&peer, SLICE("\x88\x00"));
}

TEST(our_close_comes_behind_what_was_sent_and_is_told_when_answered)
{
    assert_int_equal(send_text(SLICE("last")), 0);
    assert_int_equal(transport_close(ear.transport, 1001, SLICE("going")), 0);
    assert_int_equal(transport_close(ear.transport, 1001, SLICE("going")), -ERR_CLOSED);
    assert_int_equal(send_text(SLICE("late")), -ERR_CLOSED);
    peer_expect(&peer, SLICE("\x81\x04last\x88\x07\x03\xe9going"));
    expect_told(&ear, "");
    assert_false(peer.has_ended);
    say(TEXT, SLICE("under way"));
    say(CLOSE, SLICE("\x03\xe9"));
    expect_told(&ear, "text under way\nclosed 1001 clean \n");
    assert_true(peer.has_ended);
}

TEST(a_close_that_is_not_answered_ends_after_the_closing_time)
{
    options.close_ms = 5000;
    assert_int_equal(transport_close(ear.transport, 1000, SLICE_NONE), 0);
    loop_advance(loop, 4999);
    expect_told(&ear, "");
    loop_advance(loop, 1);
    expect_told(&ear, "closed 1006 broken \n");
    assert_true(peer.has_ended);
}

TEST(codes_and_reasons_that_may_not_be_sent_are_refused)
{
    const uint16_t bad[] = {1, 999, 1004, 1006, 1015, 1016, 2999, 5000};

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(transport_close(ear.transport, bad[i], SLICE_NONE), -ERR_SYNTAX);
    assert_int_equal(transport_close(ear.transport, 0, SLICE("why")), -ERR_SYNTAX);
    assert_int_equal(transport_close(ear.transport, 1000, slice_make(filler, 124)), -ERR_SYNTAX);
    assert_int_equal(transport_close(ear.transport, 1000, SLICE("\xff")), -ERR_SYNTAX);
    assert_int_equal(transport_close(ear.transport, 0, SLICE_NONE), 0);
    peer_expect(&peer, SLICE("\x88\x00"));
}

TEST(half_open_lets_the_owner_say_more_and_answer_itself)
{
    ear.release_on_fact = false;
    websocket_half_open(ear.transport, true);
    say(CLOSE, SLICE("\x03\xe8"
                     "bye"));
    expect_told(&ear, "closed 1000 clean bye\n");
    peer_expect(&peer, SLICE_NONE);
    assert_int_equal(send_text(SLICE("wait")), 0);
    peer_expect(&peer, SLICE("\x81\x04wait"));
    assert_int_equal(transport_close(ear.transport, 3000, SLICE("now")), 0);
    peer_expect(&peer, SLICE("\x88\x05\x0b\xb8now"));
    assert_true(peer.has_ended);
}

TEST(half_open_tells_when_the_connection_goes_meanwhile)
{
    ear.release_on_fact = false;
    websocket_half_open(ear.transport, true);
    say(CLOSE, SLICE("\x03\xe8"));
    peer_end(&peer);
    expect_told(&ear, "closed 1000 clean \ngone \n");
    assert_int_equal(send_text(SLICE("late")), -ERR_CLOSED);
    assert_int_equal(transport_close(ear.transport, 1000, SLICE_NONE), -ERR_CLOSED);
}

TEST(half_open_released_without_a_word_still_answers)
{
    websocket_half_open(ear.transport, true);
    say(CLOSE, SLICE("\x03\xe8"));
    peer_expect(&peer, SLICE("\x88\x00"));
}

TEST(a_lost_connection_is_1006)
{
    stream_loopback_break(peer.stream);
    expect_told(&ear, "closed 1006 broken \n");
}

TEST(an_end_without_close_is_1006)
{
    say(0x01, SLICE("unfinished"));
    peer_end(&peer);
    expect_told(&ear, "closed 1006 broken \n");
}

TEST(a_broken_protocol_is_told_with_its_row_and_the_peer_gets_the_code)
{
    say(0x83, SLICE("?"));
    expect_told(&ear, "failed ws_opcode\n");
    peer_expect(&peer, SLICE("\x88\x10\x03\xea"
                             "unknown opcode"));
    assert_true(peer.has_ended);
    say(TEXT, SLICE("ignored"));
    loop_advance(loop, 10000); /* the peer does not close its half: closing time */
    expect_told(&ear, "");
}

TEST(a_patient_owner_says_more_before_the_peer_hears_of_its_mistake)
{
    ear.release_on_fact = false;
    ear.be_patient = true;
    say(0x83, SLICE("?"));
    say(TEXT, SLICE("ignored"));
    expect_told(&ear, "failed ws_opcode\n");
    assert_int_equal(peer_heard(&peer).n, 0);
    assert_int_equal(send_text(SLICE("last")), 0);
    assert_int_equal(transport_close(ear.transport, 1000, SLICE("never mind")), 0);
    peer_expect(&peer, SLICE("\x81\x04last\x88\x10\x03\xea"
                             "unknown opcode"));
    assert_true(peer.has_ended);
    assert_int_equal(send_text(SLICE("more")), -ERR_CLOSED);
    let_go(&ear);
    expect_told(&ear, "");
}

TEST(patience_ends_with_a_release_and_with_the_closing_time)
{
    ear.release_on_fact = false;
    ear.be_patient = true;
    say(0x83, SLICE("?"));
    expect_told(&ear, "failed ws_opcode\n");
    loop_advance(loop, 10000);
    expect_told(&ear, "gone \n");
    assert_int_equal(send_text(SLICE("more")), -ERR_CLOSED);
    let_go(&ear);
}

TEST(text_that_is_none_is_1007)
{
    say(TEXT, SLICE("\xff"));
    expect_told(&ear, "failed ws_utf8\n");
    assert_true(slice_starts(peer_heard(&peer), SLICE("\x88\x19\x03\xef")));
}

TEST(a_protocol_error_after_our_close_is_no_clean_end)
{
    assert_int_equal(transport_close(ear.transport, 1000, SLICE_NONE), 0);
    say(0x83, SLICE("?"));
    expect_told(&ear, "closed 1006 broken \n");
    peer_expect(&peer, SLICE("\x88\x02\x03\xe8"));
}

TEST(released_while_open_the_peer_gets_the_queue_and_no_close)
{
    assert_int_equal(send_text(SLICE("last")), 0);
    let_go(&ear);
    say(TEXT, SLICE("nobody hears"));
    peer_expect(&peer, SLICE("\x81\x04last"));
    assert_true(peer.has_ended);
    loop_advance(loop, 20000);
    expect_told(&ear, "");
}

TEST(released_after_our_close_the_handshake_goes_on_without_an_owner)
{
    assert_int_equal(transport_close(ear.transport, 1000, SLICE_NONE), 0);
    let_go(&ear);
    say(TEXT, SLICE("nobody hears"));
    assert_false(peer.has_ended);
    say(CLOSE, SLICE("\x03\xe8"));
    assert_true(peer.has_ended);
    peer_expect(&peer, SLICE("\x88\x02\x03\xe8"));
    loop_advance(loop, 20000);
    expect_told(&ear, "");
}

TEST(released_while_paused_with_bytes_kept_the_handshake_still_ends)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 4096);
    add_frame(&b, TEXT, SLICE("one"));
    add_frame(&b, TEXT, SLICE("two"));
    add_frame(&b, CLOSE, SLICE("\x03\xe8"));
    ear.pause_after = 1;
    peer_say(&peer, buf_slice(&b));
    assert_int_equal(transport_close(ear.transport, 1001, SLICE_NONE), 0);
    let_go(&ear);
    loop_advance(loop, 0);
    assert_true(peer.has_ended);
    expect_told(&ear, "text one\n");
}

TEST(terminated_the_peer_sees_no_close_and_no_queue)
{
    assert_int_equal(send_text(SLICE("never")), 0);
    transport_terminate(ear.transport);
    ear.transport = NULL;
    peer_expect(&peer, SLICE_NONE);
    assert_true(peer.has_ended);
}

/* --- slow readers --- */

TEST(who_does_not_read_meets_the_bound_and_can_still_be_told_goodbye)
{
    struct payload p = text(slice_make(filler, 100));
    int r = 0, sent = 0;

    options.out_bytes = 10000;
    stream_pause(peer.stream);
    stream_loopback_limits(peer.stream, 0, 1000);
    for (; r == 0; sent++)
        r = transport_send(ear.transport, &p);
    assert_int_equal(r, -ERR_SLOW_CONSUMER);
    assert_in_range(sent, 90, 100);
    assert_int_equal(transport_close(ear.transport, 1013, SLICE("too slow")), 0);
    stream_resume(peer.stream);
    assert_true(slice_ends(peer_heard(&peer), SLICE("\x88\x0a\x03\xf5too slow")));
    payload_done(&p);
}

TEST(a_queue_over_half_of_its_bound_tells_when_it_is_empty_again)
{
    struct payload p = text(slice_make(filler, 100));

    options.out_bytes = 1000;
    assert_int_equal(transport_send(ear.transport, &p), 0);
    expect_told(&ear, "");
    for (int i = 0; i < 6; i++)
        assert_int_equal(transport_send(ear.transport, &p), 0);
    expect_told(&ear, "drained \n");
    payload_done(&p);
}

TEST(a_message_passes_while_less_than_the_bound_waits)
{
    struct payload big = text(slice_make(filler, 3000));

    options.out_bytes = 1000;
    assert_int_equal(transport_send(ear.transport, &big), 0);
    assert_int_equal(transport_send(ear.transport, &big), -ERR_SLOW_CONSUMER);
    expect_told(&ear, "drained \n");
    assert_int_equal(send_text(SLICE("x")), 0);
    assert_int_equal(transport_send(ear.transport, &big), 0);
    assert_int_equal(send_text(SLICE("y")), -ERR_SLOW_CONSUMER);
    payload_done(&big);
}

/* --- the client's side --- */

TEST(a_client_and_a_server_understand_each_other)
{
    struct stream *a, *b;
    struct ear client, server;
    struct payload p = text(SLICE("gr\xc3\xbc\xc3\x9f"));

    stream_open_pair(loop, 0, &a, &b);
    listen_to(&client, websocket_open(a, true, SLICE_NONE, &options));
    listen_to(&server, websocket_open(b, false, SLICE_NONE, &options));
    assert_int_equal(transport_send(client.transport, &p), 0);
    assert_int_equal(transport_send(server.transport, &p), 0);
    assert_int_equal(websocket_ping(client.transport, SLICE("x")), 0);
    expect_told(&client, "text gr\xc3\xbc\xc3\x9f\n");
    expect_told(&server, "text gr\xc3\xbc\xc3\x9f\n");
    assert_int_equal(transport_close(client.transport, 4001, SLICE("done")), 0);
    expect_told(&server, "closed 4001 clean done\n");
    expect_told(&client, "closed 4001 clean done\n");
    loop_advance(loop, 20000);
    payload_done(&p);
    hush(&client);
    hush(&server);
}

TEST(unmasked_frames_of_a_client_are_refused)
{
    peer_say(&peer, SLICE("\x81\x02hi"));
    expect_told(&ear, "failed ws_mask\n");
}

#define FRESH(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(messages_arrive_with_their_kind),
        FRESH(what_is_sent_leaves_as_frames_in_order),
        FRESH(a_payload_is_framed_once_for_all),
        FRESH(a_conversation_is_the_same_at_every_split),
        FRESH(a_conversation_is_the_same_byte_by_byte),
        FRESH(a_conversation_is_the_same_with_pauses),
        FRESH(a_pause_holds_at_once_and_keeps_what_was_read),
        FRESH(a_pause_pushes_back_on_the_peer),
        FRESH(a_message_of_the_greatest_size_passes_and_one_byte_more_does_not),
        FRESH(early_bytes_come_first),
        FRESH(the_owner_may_end_it_while_it_looks_at_a_message),
        FRESH(the_owner_may_end_it_while_it_looks_at_a_kept_message),
        FRESH(the_owner_may_end_it_while_it_looks_at_a_joined_message),
        FRESH(pings_that_come_together_get_their_pongs),
        FRESH(of_very_many_pings_at_once_the_newest_is_answered_for_all),
        FRESH(a_flood_of_pings_from_who_does_not_read_stays_bounded),
        FRESH(we_can_ping_too),
        FRESH(an_owner_who_wants_to_hears_pings_and_answers_them_itself),
        FRESH(an_owner_may_hear_pings_that_are_answered_here),
        FRESH(an_owner_who_wants_to_hears_of_any_queue_that_is_empty_again),
        FRESH(the_peers_close_is_answered_with_its_code_and_reason),
        FRESH(an_empty_close_is_answered_empty),
        FRESH(our_close_comes_behind_what_was_sent_and_is_told_when_answered),
        FRESH(a_close_that_is_not_answered_ends_after_the_closing_time),
        FRESH(codes_and_reasons_that_may_not_be_sent_are_refused),
        FRESH(half_open_lets_the_owner_say_more_and_answer_itself),
        FRESH(half_open_tells_when_the_connection_goes_meanwhile),
        FRESH(half_open_released_without_a_word_still_answers),
        FRESH(a_lost_connection_is_1006),
        FRESH(an_end_without_close_is_1006),
        FRESH(a_broken_protocol_is_told_with_its_row_and_the_peer_gets_the_code),
        FRESH(a_patient_owner_says_more_before_the_peer_hears_of_its_mistake),
        FRESH(patience_ends_with_a_release_and_with_the_closing_time),
        FRESH(text_that_is_none_is_1007),
        FRESH(a_protocol_error_after_our_close_is_no_clean_end),
        FRESH(released_while_open_the_peer_gets_the_queue_and_no_close),
        FRESH(released_after_our_close_the_handshake_goes_on_without_an_owner),
        FRESH(released_while_paused_with_bytes_kept_the_handshake_still_ends),
        FRESH(terminated_the_peer_sees_no_close_and_no_queue),
        FRESH(who_does_not_read_meets_the_bound_and_can_still_be_told_goodbye),
        FRESH(a_queue_over_half_of_its_bound_tells_when_it_is_empty_again),
        FRESH(a_message_passes_while_less_than_the_bound_waits),
        FRESH(a_client_and_a_server_understand_each_other),
        FRESH(unmasked_frames_of_a_client_are_refused),
    };

    return cmocka_run_group_tests_name("websocket", tests, NULL, NULL);
}

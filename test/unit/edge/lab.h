/*
 * A laboratory: one edge on a simulated loop, clients that are peers in memory, and workers that
 * are played by the test: it reads the frames the edge wrote and writes what a worker would.
 */
#ifndef TEST_UNIT_EDGE_LAB_H
#define TEST_UNIT_EDGE_LAB_H

#include <stdio.h>
#include <stdlib.h>

#include "conn/http1_server.h"
#include "edge/delivery.h"
#include "edge/doors.h"
#include "edge/edge_int.h"
#include "edge/frames.h"
#include "edge/hold.h"
#include "edge/inbound.h"
#include "edge/settings.h"
#include "io/stream.h"
#include "lib/peer.h"
#include "lib/test.h"

/* A process that the test plays. */
struct fake {
    struct peer pipe;
    uint32_t generation;
    struct link *link;
};

struct lab {
    struct loop *loop;
    struct edge *edge;
    struct app *app; /* the first */
    struct edge_listener *door;
    struct buf reports; /* one line each */
    struct log_capture log;
    uint32_t generation;
    /* From the last REQUEST and event that a fake read. */
    uint64_t id;
    uint64_t hold;
    uint64_t seq;
};

static const char *const report_names[] = {"WAKE", "IDLE", "READY", "FAILED", "EXITING",
                                           "BAD",  "LOST", "KILL",  "STOPPED"};

static void lab_on_report(void *arg, struct report *r)
{
    struct lab *lab = arg;

    (void)buf_addf(&lab->reports, "%s", report_names[r->kind]);
    if (r->kind == REPORT_IDLE)
        (void)buf_addf(&lab->reports, r->idle ? " yes" : " no");
    if (r->text.n)
        (void)buf_add_byte(&lab->reports, ' ');
    (void)buf_add(&lab->reports, span_slice(r->text));
    (void)buf_add_byte(&lab->reports, '\n');
}

static inline void lab_open_with(struct lab *lab, const struct app_config *apps, size_t n)
{
    const struct edge_options o = {.index = 0, .count = 1, .apps = apps, .n_apps = n};
    struct err_note note = {0};

    *lab = (struct lab){.loop = loop_new_simulated()};
    buf_init(&lab->reports, 1 << 20);
    log_capture_init(&lab->log, LOG_HUMAN);
    lab->log.log.min = LOG_INFO;
    lab->edge = edge_new(lab->loop, &o, &note);
    if (!lab->edge)
        fail_msg("%s", note.text);
    lab->edge->log = lab->log.log;
    lab->edge->on_report = lab_on_report;
    lab->edge->on_report_arg = lab;
    edge_introduce(&lab->edge, 1);
    edge_begin(lab->edge);
    lab->app = lab->edge->apps[0];
    lab->door = doors_open(lab->edge, EDGE_PUBLIC);
}

static inline void lab_open(struct lab *lab)
{
    const struct app_config app = {
        .name = "app",
        .script = SLICE("x"),
        .worker_path = "/nowhere",
        .limits = {.message_bytes = 1 << 20, .send_queue_bytes = 1 << 20},
        .dev = true,
    };

    lab_open_with(lab, &app, 1);
}

static inline void lab_close(struct lab *lab)
{
    loop_advance(lab->loop, 0);
    edge_free(lab->edge);
    loop_advance(lab->loop, 60000);
    loop_free(lab->loop);
    buf_done(&lab->reports);
    log_capture_done(&lab->log);
}

/* What was reported since the last time. */
static inline void lab_expect_reports(struct lab *lab, const char *lines)
{
    loop_advance(lab->loop, 0);
    (void)buf_add_byte(&lab->reports, '\0');
    assert_string_equal((char *)lab->reports.p, lines);
    buf_clear(&lab->reports);
}

static inline bool lab_logged(struct lab *lab, const char *what)
{
    return slice_find_slice(buf_slice(&lab->log.lines), slice_str(what)) >= 0;
}

/* --- clients --- */

static inline void client_open(struct lab *lab, struct peer *c)
{
    struct stream *s;

    peer_open(c, lab->loop, &s);
    http1_server_take(lab->door->http, s);
}

static inline void client_get(struct lab *lab, struct peer *c, const char *target)
{
    char text[512];
    const int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target);

    client_open(lab, c);
    peer_say(c, slice_make(text, (size_t)n));
}

#define UPGRADE                                                                                    \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static inline void client_upgrade(struct lab *lab, struct peer *c, const char *target)
{
    char text[512];
    const int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n" UPGRADE, target);

    client_open(lab, c);
    peer_say(c, slice_make(text, (size_t)n));
}

/* A frame with a mask of zeroes. */
static inline void client_frame(struct peer *c, uint8_t opcode, struct slice payload)
{
    struct buf b;

    buf_init(&b, 1 << 26);
    assert_true(payload.n < 65536);
    (void)buf_add_byte(&b, 0x80 | opcode);
    if (payload.n < 126) {
        (void)buf_add_byte(&b, (uint8_t)(0x80 | payload.n));
    } else {
        (void)buf_add_byte(&b, 0x80 | 126);
        (void)buf_add_byte(&b, (uint8_t)(payload.n >> 8));
        (void)buf_add_byte(&b, (uint8_t)payload.n);
    }
    (void)buf_add(&b, slice_make("\0\0\0\0", 4));
    (void)buf_add(&b, payload);
    peer_say(c, buf_slice(&b));
    buf_done(&b);
}

static inline void client_text(struct peer *c, const char *text)
{
    client_frame(c, 1, slice_str(text));
}

/* The connection breaks. */
static inline void client_cut(struct peer *c)
{
    stream_loopback_break(c->stream);
    loop_advance(c->loop, 0);
}

static inline bool client_heard(struct peer *c, const char *part)
{
    return slice_find_slice(peer_heard(c), slice_str(part)) >= 0;
}

/* A Close frame with this code was the last that came. */
static inline bool client_heard_close(struct peer *c, unsigned code)
{
    const uint8_t want[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    const struct slice all = peer_heard(c);

    for (size_t i = 0; i + 4 <= all.n; i++)
        if (all.p[i] == 0x88 && i + 2 + all.p[i + 1] == all.n && !memcmp(all.p + i + 2, want, 2))
            return true;
    return false;
}

/* --- workers --- */

static inline struct order *lab_order(struct lab *lab, struct order o)
{
    struct order *copy = mem_new(sizeof(*copy));

    *copy = o;
    copy->to = lab->edge;
    return copy;
}

/* A process that has started and is READY, but does not serve yet. */
static inline void fake_start(struct lab *lab, struct fake *f)
{
    struct stream *s;

    peer_open(&f->pipe, lab->loop, &s);
    f->generation = ++lab->generation;
    f->link = link_new(lab->app, f->generation, s, &frames_ops);
}

static inline void fake_serve(struct lab *lab, struct fake *f)
{
    fake_start(lab, f);
    edge_obey(lab->edge,
              lab_order(lab, (struct order){.kind = ORDER_SERVE, .generation = f->generation}));
    loop_advance(lab->loop, 0);
}

/* It dies: why, and what its pulse said. Errors are its own doing, ERR_WORKER_DOWN is a kill from
 * outside. */
static inline void fake_die(struct lab *lab, struct fake *f, int why, uint64_t guilty,
                            uint64_t begun)
{
    peer_close(&f->pipe);
    edge_obey(lab->edge, lab_order(lab, (struct order){.kind = ORDER_GONE,
                                                       .generation = f->generation,
                                                       .why = why,
                                                       .by_itself = why && why != ERR_WORKER_DOWN,
                                                       .guilty = guilty,
                                                       .begun = begun}));
    loop_advance(lab->loop, 0);
}

#define SAY(f, lower, id, flags, ...)                                                              \
    do {                                                                                           \
        struct buf say_;                                                                           \
        const struct ipc_##lower m_ = {__VA_ARGS__};                                               \
                                                                                                   \
        buf_init(&say_, 1 << 26);                                                                  \
        assert_int_equal(ipc_put_##lower(&say_, id, flags, &m_), 0);                               \
        peer_say(&(f)->pipe, buf_slice(&say_));                                                    \
        buf_done(&say_);                                                                           \
    } while (0)

static inline void fake_ack(struct fake *f, uint64_t first, uint64_t n)
{
    uint64_t range[2] = {first, n};

    SAY(f, ack, 0, 0, .ranges = slice_make(range, sizeof(range)));
}

static inline void fake_send(struct fake *f, uint64_t hold, const char *text)
{
    SAY(f, ws_send, 0, 0, .holds = slice_make(&hold, 8), .bytes = slice_str(text));
}

#define GET(lower)                                                                                 \
    struct ipc_##lower m;                                                                          \
    assert_int_equal(ipc_get_##lower(f, &m), 0)

static inline void describe_more(struct buf *b, const struct ipc_frame *f)
{
    if (f->type == IPC_RESTORE) {
        struct slice tags, tag;
        GET(restore);

        (void)buf_addf(b, " closing=%u name=%.*s url=%.*s attachment=%.*s tags=", m.closing,
                       SLICE_FMT(m.name), SLICE_FMT(m.url), SLICE_FMT(m.attachment));
        for (tags = m.tags; ipc_list_next(&tags, &tag) > 0;)
            (void)buf_addf(b, "%.*s,", SLICE_FMT(tag));
    } else if (f->type == IPC_RESTORED) {
        GET(restored);

        (void)buf_addf(b, " %u auto=%u %.*s %.*s", m.token, m.has_auto, SLICE_FMT(m.auto_request),
                       SLICE_FMT(m.auto_response));
    } else if (f->type == IPC_WS_OWNER) {
        GET(ws_owner);

        (void)buf_addf(b, " %.*s %.*s", SLICE_FMT(m.actor), SLICE_FMT(m.name));
    } else if (f->type == IPC_ALARM) {
        GET(alarm);

        (void)buf_addf(b, " %.*s %.0f", SLICE_FMT(m.actor), m.wall_ms);
    } else if (f->type == IPC_CREDIT) {
        GET(credit);

        (void)buf_addf(b, " %u", m.bytes);
    } else if (f->type == IPC_RESPONSE) {
        GET(response);

        (void)buf_addf(b, " %u", m.status);
    } else if (f->type == IPC_FAIL) {
        GET(fail);

        (void)buf_addf(b, " %.*s", SLICE_FMT(m.text));
    }
}

/* "WS_MESSAGE hi": what matters of a frame; ids and seqs go to the lab. */
static inline void describe(struct lab *lab, struct buf *b, const struct ipc_frame *f)
{
    (void)buf_addf(b, "%s", ipc_name(f->type));
    if (f->type == IPC_REQUEST) {
        struct slice line;
        GET(request);

        lab->id = f->id;
        lab->hold = m.hold;
        lab->seq = m.seq;
        (void)slice_split(&m.head, '\n', &line);
        (void)buf_addf(b, " %.*s", SLICE_FMT(line));
    } else if (f->type == IPC_WS_MESSAGE) {
        GET(ws_message);

        lab->seq = m.seq;
        (void)buf_addf(b, " %.*s", SLICE_FMT(m.bytes));
    } else if (f->type == IPC_WS_CLOSED) {
        GET(ws_closed);

        lab->seq = m.seq;
        (void)buf_addf(b, " %u %s %.*s", m.code, m.clean ? "clean" : "lost", SLICE_FMT(m.reason));
    } else if (f->type == IPC_WS_ERROR) {
        GET(ws_error);

        lab->seq = m.seq;
        (void)buf_addf(b, " %u", m.code);
    } else if (f->type == IPC_BODY) {
        (void)buf_addf(b, " %.*s%s", SLICE_FMT(f->payload), f->flags & IPC_END ? " end" : "");
    } else {
        describe_more(b, f);
    }
    (void)buf_add_byte(b, '\n');
}

/* The frames that came since the last time, one line each. */
static inline void fake_expect(struct lab *lab, struct fake *w, const char *lines)
{
    struct slice in;
    struct ipc_frame f;
    struct buf b;

    loop_advance(lab->loop, 0);
    in = peer_heard(&w->pipe);
    buf_init(&b, 1 << 26);
    while (ipc_next(&in, IPC_FROM_GATEWAY, &f, NULL) > 0)
        describe(lab, &b, &f);
    assert_int_equal(in.n, 0);
    (void)buf_add_byte(&b, '\0');
    assert_string_equal((char *)b.p, lines);
    buf_done(&b);
    peer_forget(&w->pipe);
}

/* A client's socket, accepted by the worker for an actor ("" and no flags: plainly). Returns the
 * hold; its REQUEST is acknowledged. */
static inline uint64_t lab_socket(struct lab *lab, struct fake *w, struct peer *c, unsigned flags,
                                  const char *actor)
{
    uint64_t hold;

    client_upgrade(lab, c, "/ws");
    fake_expect(lab, w, "REQUEST GET http://h/ws\n");
    hold = lab->hold;
    assert_int_not_equal(hold, 0);
    SAY(w, response, lab->id, 0, .status = 101, .hold = hold);
    SAY(w, ws_accept, hold, flags, .half_open = flags == IPC_HIBERNATE, .actor = slice_str(actor),
        .name = SLICE("lobby"));
    fake_ack(w, lab->seq, 1);
    assert_true(client_heard(c, "HTTP/1.1 101"));
    peer_forget(c);
    return hold;
}

#endif

/* What a WebSocket decoder hears, as text: one line a message, its pieces joined. */
#ifndef TEST_LIB_HEAR_WS_H
#define TEST_LIB_HEAR_WS_H

#include "lib/cuts.h"
#include "wire/ws.h"

struct ws_hearing {
    struct buf *out;
    struct buf message;
    uint64_t heard; /* payload bytes of data */
};

static inline void ws_tell_bytes(struct buf *out, const char *what, struct slice s)
{
    (void)buf_addf(out, "%s ", what);
    (void)buf_add(out, s);
    (void)buf_addf(out, "\n");
}

/* False when an event contradicts those before it. */
static inline bool ws_tell(struct ws_hearing *h, const struct ws_event *ev)
{
    const struct slice bytes = span_slice(ev->bytes);

    switch (ev->type) {
    case WS_EVENT_PING:
        ws_tell_bytes(h->out, "ping", bytes);
        return bytes.n <= WS_CONTROL_MAX;
    case WS_EVENT_PONG:
        ws_tell_bytes(h->out, "pong", bytes);
        return bytes.n <= WS_CONTROL_MAX;
    case WS_EVENT_CLOSE:
        (void)buf_addf(h->out, "close %u ", ev->code);
        ws_tell_bytes(h->out, "", bytes);
        return bytes.n <= WS_REASON_MAX;
    case WS_EVENT_DATA:
        break;
    }
    if (ev->is_first != (h->message.n == 0) || (bytes.n == 0 && !ev->is_last))
        return false;
    (void)buf_add(&h->message, bytes);
    h->heard += bytes.n;
    if (ev->is_last) {
        if (ev->is_rsv1)
            (void)buf_addf(h->out, "compressed ");
        ws_tell_bytes(h->out, ev->is_binary ? "binary" : "text", buf_slice(&h->message));
        buf_clear(&h->message);
    }
    return true;
}

/*
 * Gives a copy of wire in pieces, keeping what was not taken in front of the next. Ends with
 * "hungry", "inside" (a message has begun) or an error's label. False for events out of order.
 */
static inline bool ws_hear(struct buf *out, const struct ws_rules *rules, struct slice wire,
                           struct cuts cuts)
{
    struct ws_hearing h = {.out = out, .message = {.max = SIZE_MAX}};
    uint8_t *copy = mem_new(wire.n);
    struct ws_decoder d = {0};
    struct span in = {copy, 0};
    struct ws_event ev;
    size_t given = 0;
    bool is_fine = true;
    int r = 0;

    if (wire.n)
        memcpy(copy, wire.p, wire.n);
    for (;;) {
        while (is_fine && (r = ws_next(&d, rules, &in, &ev)) > 0)
            is_fine = ws_tell(&h, &ev) && h.message.n <= rules->max;
        if (!is_fine || r < 0 || in.n > WS_KEEP_MAX || given == wire.n)
            break;
        in.n += cuts_take(&cuts, given, wire.n - given);
        given += cuts_take(&cuts, given, wire.n - given);
    }
    is_fine = is_fine && (r < 0 || in.n <= WS_KEEP_MAX);
    (void)buf_addf(out, "%s\n",
                   r < 0                      ? err_label(r)
                   : ws_is_inside_message(&d) ? "inside"
                                              : "hungry");
    buf_done(&h.message);
    mem_free(copy);
    return is_fine;
}

#endif

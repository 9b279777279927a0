/*
 * WebSocket-over-HTTP: bodies of type application/websocket-events, both ways.
 * https://pushpin.org/docs/protocols/websocket-over-http/
 *
 *   body   = *event
 *   event  = type CRLF  |  type SP hexlength CRLF content CRLF
 */
#ifndef WIRE_WOH_H
#define WIRE_WOH_H

#include "base/bytes.h"
#include "base/err.h"

#define WOH_CONTENT_TYPE "application/websocket-events"

enum woh_type {
    WOH_OPEN = 1,
    WOH_TEXT,
    WOH_BINARY,
    WOH_PING,
    WOH_PONG,
    WOH_CLOSE,
    WOH_DISCONNECT,
    WOH_TYPES,
};

struct woh_event {
    enum woh_type type;
    struct slice content; /* borrowed from the input */
};

enum { WOH_LINE_MAX = 64 }; /* of an event's first line, its CRLF included */

/*
 * Takes one event off the front of *in: 1 and *ret; 0: hungry, read more and call again with what
 * is left and the new bytes behind it. last: nothing comes behind *in; then content that is cut is
 * taken as it is, and 0 is the body's end. -ERR_SYNTAX: a first line without its CRLF (where last),
 * longer than WOH_LINE_MAX, or with a bad length; the whole body is then invalid. Unknown types are
 * skipped. The CRLF behind content is not looked at (Pushpin does not either).
 */
int woh_next(struct slice *in, bool last, struct woh_event *ret);

/* --- writing --- */

/* "TEXT", with its length. */
struct slice woh_type_name(enum woh_type type);
/* What an event of n bytes of content takes. */
size_t woh_size(enum woh_type type, size_t n);
/* Appends an event; without content it is its bare line. -ERR_TOO_LARGE. */
int woh_put(struct buf *out, enum woh_type type, struct slice content);

/*
 * What to send for a CLOSE of the origin: its code, or 1000 where it names none, or one that may
 * not stand in a close frame; reason cut to what fits one, "" when it is no UTF-8. Borrows from
 * content.
 */
void woh_read_close(struct slice content, unsigned *ret_code, struct slice *ret_reason);

#endif

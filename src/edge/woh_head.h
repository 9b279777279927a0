/*
 * The heads of WebSocket-over-HTTP: the fields of a request, what those of a response say, and the
 * metadata that go back and forth (Set-Meta- in responses, Meta- in all requests after).
 */
#ifndef EDGE_WOH_HEAD_H
#define EDGE_WOH_HEAD_H

#include "base/bytes.h"
#include "base/err.h"

enum {
    WOH_META_BYTES = 16 << 10, /* of all Meta- lines; what is more is ignored */
    WOH_KEEP_ALIVE_MIN_S = 20, /* a shorter Keep-Alive-Interval is raised to it */
    WOH_FIELDS_MAX = 512 << 10,
};

/* Appends the lines that every request of a client has: those of `fields` ("name: value\n"…) but
 * for what is the handshake's or ours, and the protocol's own. grip: the extension is offered.
 * id: the Connection-Id.
 * -ERR_TOO_LARGE. */
int woh_put_fields(struct buf *out, struct slice fields, bool grip, struct slice id);

/* What a response's head says. */
struct woh_head {
    bool is_events; /* status 200 and the right type: the body is to be read */
    bool has_keep_alive;
    uint32_t keep_alive_s; /* 0: off */
    size_t accepted;       /* content bytes; SIZE_MAX: all */
};

/* Reads a response's head ("name: value\n"…). meta, if not NULL, is a buf of "Meta-Name: value\n"
 * lines, which Set-Meta- fields change. */
struct woh_head woh_read_head(unsigned status, struct slice head, struct buf *meta);
/* Appends the values of its Sec-WebSocket-Extensions, joined by commas, to the zeroed buf. */
void woh_put_extensions(struct buf *out, struct slice head);

/* Appends the lines of an accepting response that the client gets in its 101. */
int woh_put_accepted(struct buf *out, struct slice head);

#endif

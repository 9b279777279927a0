/*
 * The target `test`: an origin without a server, to try holds with nothing but curl.
 *
 *   /            a greeting
 *   /response    a response hold, /stream a stream hold, on the channels that the query names
 *                ("?channel=a&channel=b"), else on "test"
 *   /ws          a WebSocket that says what it hears, on the same channels
 */
#ifndef EDGE_ORIGIN_BUILTIN_H
#define EDGE_ORIGIN_BUILTIN_H

#include "base/bytes.h"

struct origin_builtin {
    uint16_t status;
    struct buf head; /* "name: value\n"… */
    struct buf body;
};

/* is_events: content is WebSocket-over-HTTP. ret is the caller's: origin_builtin_done(). */
void origin_builtin_answer(struct slice path, bool is_events, struct slice content,
                           struct origin_builtin *ret);
void origin_builtin_done(struct origin_builtin *t);

#endif

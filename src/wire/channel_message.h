/*
 * Control messages on a WebSocket with GRIP: what stands behind "c:" in a text of the origin.
 * https://pushpin.org/docs/protocols/grip/ "WebSocket"
 */
#ifndef WIRE_CHANNEL_MESSAGE_H
#define WIRE_CHANNEL_MESSAGE_H

#include "wire/grip_words.h"

enum channel_message_type {
    CHANNEL_SUBSCRIBE,
    CHANNEL_UNSUBSCRIBE,
    CHANNEL_DETACH,
    CHANNEL_SET_META,
    CHANNEL_KEEP_ALIVE,
    CHANNEL_SEND_DELAYED,
    CHANNEL_FLUSH_DELAYED,
    CHANNEL_SESSION, /* accepted and without effect: it needs a service that nobody has */
};

struct channel_message {
    struct arena memory; /* owns what the rest points at */
    enum channel_message_type type;
    struct slice channel;        /* SUBSCRIBE, UNSUBSCRIBE; not empty, without the route's prefix */
    struct grip_filters filters; /* SUBSCRIBE; those we know */
    /* SUBSCRIBE, our extension: what was published after the item of this id is sent first; `gap`,
     * a text for the client, when nobody knows any more what that was. */
    struct slice after_id, gap;
    bool has_after_id, has_gap;
    struct slice name, value; /* SET_META */
    bool has_value;           /* false: the name is removed */
    /* KEEP_ALIVE (without content: off) and SEND_DELAYED. */
    bool has_content;
    struct slice content;
    enum grip_ws_type message_type;
    uint32_t timeout_s;             /* at least 1 */
    enum grip_keep_alive_mode mode; /* KEEP_ALIVE */
};

/*
 * Reads the JSON behind "c:". -ERR_SYNTAX: no JSON, unknown type, bad fields: to be ignored, the
 * note says why. -ERR_DENIED: more than GRIP_FILTERS_MAX filters: close with 1011. After success:
 * channel_message_done().
 */
int channel_message_parse(struct slice json, struct channel_message *ret, struct err_note *note);
/* Safe on zeroed memory. */
void channel_message_done(struct channel_message *m);

#endif

/*
 * Published items: the JSON of Pushpin's publish API, and the same items as ZeroMQ brings them.
 * https://pushpin.org/docs/protocols/ "Publishing"
 */
#ifndef WIRE_GRIP_ITEM_H
#define WIRE_GRIP_ITEM_H

#include "wire/grip_words.h"
#include "wire/tnet.h"

enum grip_action { GRIP_SEND, GRIP_HINT, GRIP_CLOSE, GRIP_REFRESH };

/* One for each kind of hold. */
enum grip_kind { GRIP_HTTP_RESPONSE, GRIP_HTTP_STREAM, GRIP_WS_MESSAGE, GRIP_KINDS };

/* What an item says to holds of one kind. */
struct grip_format {
    bool has; /* false: nothing, and the rest is zero */
    enum grip_action action;
    struct slice content; /* of SEND, decoded; of a patch: its JSON text */
    bool is_patch;        /* http-response: content is a JSON Patch of the held body */
    /* Only for subscriptions with exactly these content-changing filters. An unknown one matches
     * none; more than GRIP_FILTERS_MAX are cut and the last is then unknown. */
    bool has_content_filters;
    struct grip_filters content_filters;
    uint16_t code; /* http-response: 0 when absent, then 200; of a ws close: 1000 when absent */
    struct slice reason;      /* of both; empty when absent */
    struct grip_pair *fields; /* http-response: header fields, fit for http1_put_field */
    size_t n_fields;
    enum grip_ws_type type; /* ws-message */
};

struct grip_item {
    struct slice channel;
    struct slice id, prev_id;
    bool has_id, has_prev_id;
    bool no_seq;
    int64_t size; /* for accounting of blocks; -1: not given */
    struct grip_pair *meta;
    size_t n_meta;
    struct grip_format formats[GRIP_KINDS];
};

/* Owns what its items point at. */
struct grip_items {
    struct arena memory;
    struct grip_item *items;
    size_t n;
};

/*
 * Reads the body of a publish request: {"items": […]}. Either all items are good or none is there.
 * -ERR_SYNTAX: answer 400 with the note's text and a newline ("Invalid format: object does not
 * contain 'items'"). Names and values that are too long for a note are cut in it. After success:
 * grip_items_done(). Cost and memory are linear in the body, whose size the caller bounds.
 */
int grip_items_parse(struct slice body, struct grip_items *ret, struct err_note *note);

/*
 * Reads one message of ZeroMQ: an item as a tnetstring, with or without a leading "T", or "J" and
 * its JSON. `topic`, if not NULL, is the channel, whatever the item says. n is then 1. Errors as
 * above.
 */
int grip_item_parse_zmq(struct slice message, const struct slice *topic, struct grip_items *ret,
                        struct err_note *note);
/* Items of a `publish` command: a list of them. */
int grip_items_parse_tnet(struct tnet list, struct grip_items *ret, struct err_note *note);

/* Safe on zeroed memory. */
void grip_items_done(struct grip_items *items);

/*
 * JSON Patch (RFC 6902: add, remove, replace, move, copy, test) of a held body; a newline at the
 * document's end stays. Appends to out. -ERR_SYNTAX: the document is no JSON, or the patch does not
 * apply, or has more than 4096 operations; -ERR_TOO_LARGE: the result does not fit. Nothing is
 * appended then.
 */
int grip_patch(struct buf *out, struct slice document, struct slice patch);

#endif

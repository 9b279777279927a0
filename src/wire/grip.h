/*
 * GRIP instructions: what an origin's response tells the gateway to do with the client, in Grip-*
 * header fields or in a body of type application/grip-instruct.
 * https://pushpin.org/docs/protocols/grip/
 *
 * Response heads are text, "name: value\n" for each field, as egress/egress.h gives them.
 */
#ifndef WIRE_GRIP_H
#define WIRE_GRIP_H

#include "wire/grip_words.h"

enum grip_hold_mode { GRIP_HOLD_NONE, GRIP_HOLD_RESPONSE, GRIP_HOLD_STREAM };

struct grip_channel {
    struct slice name; /* without the route's prefix */
    struct slice prev_id;
    bool has_prev_id;
    bool recover; /* our extension: what the client missed since its Last-Event-ID comes first */
    struct grip_filters filters; /* those we know */
};

struct grip_instruct {
    struct arena memory; /* owns what the rest points at */

    enum grip_hold_mode hold;
    struct grip_channel *channels; /* in order, each name once; more than may be subscribed to */
    size_t n_channels;
    uint32_t timeout_s; /* of a response hold, at least 5 */

    bool has_keep_alive; /* stream holds */
    struct slice keep_alive;
    uint32_t keep_alive_s; /* at least 1 */
    enum grip_keep_alive_mode keep_alive_mode;

    struct grip_pair *meta;
    size_t n_meta;

    uint16_t status;     /* for the client; 0: the response's own */
    struct slice reason; /* empty: of the status (or, without status, the response's own) */

    bool has_next, has_gone;
    struct slice next; /* URI references, to be resolved against the request's URI */
    struct slice gone;
    uint32_t next_s;

    bool has_exposed; /* only these fields of the response reach the client */
    struct slice *exposed;
    size_t n_exposed;

    /* From a JSON instruction: these stand for the fields and body of the response. */
    bool is_json;
    struct grip_pair *fields; /* fit for http1_put_field */
    size_t n_fields;
    struct slice body;
};

/* Whether a response instructs: a field whose name begins with "Grip-", or the JSON type. */
bool grip_is_instructed(struct slice head);
/* Content-Type, without parameters, is application/grip-instruct. */
bool grip_is_json(struct slice head);

/*
 * Reads what an instructed response says; `body` is looked at only if it is a JSON instruction, and
 * must then be complete. The result owns its memory: grip_instruct_done() after success.
 * -ERR_ORIGIN_BAD with Pushpin's text ("Grip-Timeout has invalid value") in the note. Cost is
 * linear in head and body.
 */
int grip_instruct_parse(struct slice head, unsigned status, struct slice body,
                        struct grip_instruct *ret, struct err_note *note);
/* Safe on zeroed memory. */
void grip_instruct_done(struct grip_instruct *g);

/* Name begins with "Grip-", in any case: never for clients. */
bool grip_is_field(struct slice name);

/* The value of a request's Grip-Last: "channel; last-id=ID", quoted where it must be. Appends, or
 * -ERR_TOO_LARGE, or -ERR_HTTP_VALUE for what no header field can carry. */
int grip_put_last(struct buf *out, struct slice channel, struct slice last_id);

/*
 * The value of a Sec-WebSocket-Extensions: whether it names `grip`, and then the prefix of messages
 * ("m:" unless message-prefix says otherwise; may be empty). ret_prefix borrows from value or is
 * static. A prefix with escapes in its quotes is not agreed on: false.
 */
bool grip_is_negotiated(struct slice extensions, struct slice *ret_prefix);

/* A field's value with parameters, for those who read others of this form: takes one element off
 * the front of a list (commas in quotes do not count), then one part of an element (up to ";").
 * Empty elements are skipped; false at the end. */
bool grip_element_next(struct slice *list, struct slice *ret_element);
bool grip_part_next(struct slice *element, struct slice *ret_part);

#endif

/*
 * permessage-deflate (RFC 7692): what two peers agree on, and messages through zlib.
 *
 * Terms without context takeover need no memory between messages: one deflate_pair of the loop
 * serves every such connection. With takeover a connection has a pair of its own (about 300 KiB
 * at window 15), made by deflate_pair_new() when it sends or receives its first message.
 */
#ifndef WIRE_DEFLATE_H
#define WIRE_DEFLATE_H

#include "base/bytes.h"
#include "base/err.h"

enum { DEFLATE_BITS_MIN = 8, DEFLATE_BITS_MAX = 15 };

/* What was agreed (7.1). Fresh: the sender forgets its window after each message. */
struct deflate_terms {
    uint8_t server_bits; /* log2 of the window of what the server compresses, 9 … 15 */
    uint8_t client_bits; /* of what the client compresses, 8 … 15 */
    bool server_fresh;
    bool client_fresh;
};

/* What a server is willing to agree on. */
struct deflate_policy {
    uint8_t bits;  /* largest window for either side, 9 … 15 */
    bool takeover; /* keep windows between messages where the client allows it */
    /* What one answer asks for besides (deflate_wish); 0: nothing. */
    uint8_t server_bits;
    uint8_t client_bits;
    bool server_fresh;
    bool client_fresh;
};

/*
 * Reads an answer that an application would like its server to give: one permessage-deflate
 * element, whose parameters narrow *policy. 0 when it is anything else; *policy is untouched then.
 * Whether the client can be told so is deflate_accept()'s matter.
 */
int deflate_wish(struct slice answer, struct deflate_policy *policy);

/*
 * Reads the value of a Sec-WebSocket-Extensions request field (several fields joined with ", ") and
 * takes the first permessage-deflate offer that can be met (5.1, 7.1). 1: agreed, the answer's
 * element is appended to *out; 0: nothing to agree on, other extensions are passed over. An offer
 * with an unknown, repeated or badly valued parameter is declined, never an error (7.1).
 * -ERR_TOO_LARGE: out is full.
 */
int deflate_accept(struct slice offers, const struct deflate_policy *policy,
                   struct deflate_terms *ret_terms, struct buf *out);

/* The offer a client makes: both windows free, both sides asked to be fresh unless takeover. */
int deflate_offer(const struct deflate_policy *policy, struct buf *out);

/* A client checks the answer to deflate_offer(). 1: agreed; 0: the server declined (empty answer);
 * -ERR_WS_HANDSHAKE: an extension or a parameter that was not offered (RFC 6455 4.1, RFC 7692 7.1).
 */
int deflate_check(struct slice answer, const struct deflate_policy *policy,
                  struct deflate_terms *ret_terms);

/* A compressor and an expander with their windows. */
struct deflate_pair;

/* level: zlib's, 1 (fast) … 9 (small). Memory is taken at first use of each half. Never NULL. */
struct deflate_pair *deflate_pair_new(int level);
void deflate_pair_free(struct deflate_pair *p);

/*
 * Appends the compressed form of a message, without the final 00 00 ff ff (7.2.1). bits: window of
 * the sending side; fresh: forget the window first. An empty message is the single byte 00.
 * -ERR_TOO_LARGE when out is full: a kept window is then broken, the connection must be closed.
 */
int deflate_message(struct deflate_pair *p, uint8_t bits, bool fresh, struct slice in,
                    struct buf *out);

/*
 * Appends what a whole compressed message (all its frames joined) stands for (7.2.2). Never more
 * than max bytes (out needs room for one more): -ERR_WS_TOO_LARGE as soon as it would be more,
 * whatever the input claims. -ERR_WS_DEFLATE: not deflate, or a reference outside the window.
 */
int inflate_message(struct deflate_pair *p, uint8_t bits, bool fresh, struct slice in, size_t max,
                    struct buf *out);

#endif

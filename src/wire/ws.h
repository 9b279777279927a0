/*
 * WebSocket (RFC 6455): handshake, frames, messages, close codes; server and client.
 *
 * Pure and pull-driven. The decoder works in the caller's read buffer: payload is unmasked in place
 * and reported in pieces as it arrives, so that an idle connection keeps nothing but the 16 bytes
 * of struct ws_decoder. A frame header or control frame that is cut stays in the input: at most
 * WS_KEEP_MAX bytes that the caller keeps in front of its next read.
 */
#ifndef WIRE_WS_H
#define WIRE_WS_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/utf8.h"

struct http1_head;

enum {
    WS_CONTROL_MAX = 125, /* RFC 6455 5.5 */
    WS_HEADER_MAX = 14,
    WS_KEEP_MAX = WS_HEADER_MAX + WS_CONTROL_MAX,
    WS_REASON_MAX = WS_CONTROL_MAX - 2, /* bytes of a close reason */
};

/* Opcodes, as on the wire. */
enum ws_op {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10
};

enum ws_role { WS_SERVER, WS_CLIENT };

/* What holds for a connection; shared by all that agreed on the same. */
struct ws_rules {
    enum ws_role role; /* ours: a server hears masked frames, a client unmasked ones (5.1) */
    uint32_t max;      /* payload bytes of a message, all fragments: -ERR_WS_TOO_LARGE */
    uint8_t rsv; /* reserved bits that an extension uses, as in the first byte: 0x40 for RSV1 */
};

/* Zero is the beginning, and again the state after each message: an idle connection need not keep
 * it. Owns nothing; may be copied. */
struct ws_decoder {
    uint32_t left;    /* payload bytes of the data frame still to come */
    uint32_t total;   /* payload bytes of the message so far */
    uint8_t mask[4];  /* turned so that [0] is for the next byte */
    uint8_t op;       /* of the message in progress; 0: none */
    uint8_t bits;     /* see ws.c */
    struct utf8 utf8; /* of the text message in progress */
    uint8_t error;
};

enum ws_event_type {
    WS_EVENT_DATA = 1, /* a piece of a message */
    WS_EVENT_PING,     /* answer with WS_PONG and the same bytes */
    WS_EVENT_PONG,
    WS_EVENT_CLOSE, /* the last event; code and reason */
};

struct ws_event {
    enum ws_event_type type;
    struct span bytes; /* unmasked, in the input; of a close: the reason */
    /* Data. A message that came at once is first and last. Pieces are never empty but for an empty
     * last one. Text is checked to be UTF-8 up to here (unless is_rsv1). */
    bool is_first;
    bool is_last;
    bool is_binary;
    bool is_rsv1;  /* the message's first frame had RSV1: compressed, not checked as UTF-8 */
    uint32_t left; /* bytes of this frame still to come */
    /* Close: 1005 when the frame was empty (7.1.5). */
    uint16_t code;
};

/*
 * Takes one event off the front of *in: its type, 0 when hungry, <0 a row of errors.def
 * (err_close_code() says with which code to close; 1002, 1007 or 1009). When hungry, bytes left in
 * *in (at most WS_KEEP_MAX) are to be given again with more behind them. After an error it stays in
 * error; after a close all input is taken and dropped (5.5.1).
 */
int ws_next(struct ws_decoder *d, const struct ws_rules *rules, struct span *in,
            struct ws_event *ret_ev);

/* Whether a message has begun and not ended. */
bool ws_is_inside_message(const struct ws_decoder *d);

/* Codes that may stand in a close frame (7.4.1, and the registry up to 1014; 3000..4999). */
bool ws_is_close_code(unsigned code);

/* --- encoding --- */

/* XORs bytes with the mask; `at` is the place of the first byte in the payload. */
void ws_mask(struct span bytes, const uint8_t mask[4], size_t at);

/* A whole frame as a blob with one reference, ready for the outq of any number of connections.
 * mask NULL for a server; a client draws four unpredictable bytes for every frame (10.3). */
struct blob *ws_frame(unsigned op, struct slice payload, const uint8_t *mask);
/* Code 0 or 1005: an empty close frame; any other must be ws_is_close_code(), which the caller has
 * checked. The reason is cut at WS_REASON_MAX, between characters; one that is not UTF-8 is left
 * out. */
struct blob *ws_close_frame(unsigned code, struct slice reason, const uint8_t *mask);

/* --- handshake --- */

enum { WS_KEY_SIZE = 24, WS_ACCEPT_SIZE = 28 }; /* characters; the arrays below hold a NUL too */

/* Whether a request wants to become a WebSocket: Connection: upgrade and Upgrade: websocket. */
bool ws_is_upgrade(const struct http1_head *h);
/*
 * A server checks such a request (4.2.1): GET, HTTP/1.1, one Sec-WebSocket-Key of 16 bytes in
 * base64, version 13. -ERR_WS_HANDSHAKE; -ERR_WS_VERSION: answer 426 with
 * Sec-WebSocket-Version: 13.
 */
int ws_check_request(const struct http1_head *h, struct slice *ret_key);
/* Sec-WebSocket-Accept for a key. */
void ws_accept(struct slice key, char ret[WS_ACCEPT_SIZE + 1]);
/* A client's Sec-WebSocket-Key from 16 random bytes. */
void ws_key(const uint8_t random[16], char ret[WS_KEY_SIZE + 1]);
/* A client checks the answer to its key (4.1): 101, Upgrade, Connection, Accept.
 * -ERR_WS_HANDSHAKE. Whether the subprotocol and extensions were offered is the caller's matter. */
int ws_check_response(const struct http1_head *h, struct slice key);

#endif

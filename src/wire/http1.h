/*
 * HTTP/1.1 messages (RFC 9112, RFC 9110): requests as a server hears them, responses as a client
 * does, and the writer of both.
 *
 * Pure and pull-driven: bytes in, one event out. Memory: a head is parsed when all of it stands in
 * one contiguous piece of the caller's, and what is reported borrows from there. Bodies pass
 * through without being kept. So a connection gathers bytes only while a head is incomplete.
 *
 * Strict, because what two parsers read differently is how requests are smuggled: every line ends
 * in CRLF, nothing is folded, one Host, one Content-Length or one Transfer-Encoding that is exactly
 * "chunked". Every refusal is a row of errors.def with its status; the caller answers that and
 * closes. After an error the decoder stays in error.
 */
#ifndef WIRE_HTTP1_H
#define WIRE_HTTP1_H

#include "base/bytes.h"
#include "base/err.h"

enum { HTTP1_FIELDS_MAX = 128 };

/* Shared by all connections of a listener; must outlive their decoders. */
struct http1_limits {
    uint32_t line;    /* bytes of the first line, its CRLF included: -ERR_HTTP_URI_LONG */
    uint32_t headers; /* bytes of all field lines, and of all trailers: -ERR_HTTP_HEADERS_LARGE */
    uint32_t fields;  /* how many, at most HTTP1_FIELDS_MAX: -ERR_HTTP_HEADERS_LARGE */
    uint64_t body;    /* bytes, without chunk framing: -ERR_HTTP_BODY_LARGE */
};

struct http1_field {
    struct slice name;  /* as written; compare with slice_eq_nocase */
    struct slice value; /* without blanks around it; never holds CR, LF, NUL or another control */
};

enum http1_body {
    HTTP1_BODY_NONE,
    HTTP1_BODY_LENGTH, /* length says how many bytes; never 0 */
    HTTP1_BODY_CHUNKED,
    HTTP1_BODY_CLOSE, /* responses only: until the connection ends */
};

/* How a request names its target (RFC 9112 3.2). */
enum http1_form {
    HTTP1_ORIGIN,    /* "/path?query" */
    HTTP1_ABSOLUTE,  /* "http://host/path?query" */
    HTTP1_AUTHORITY, /* "host:port", CONNECT only */
    HTTP1_ASTERISK,  /* "*", OPTIONS only */
};

/* A head. Big (4 KiB): a loop has one. All slices borrow from the input. */
struct http1_head {
    /* Requests. */
    struct slice method;
    struct slice target; /* as sent */
    enum http1_form form;
    struct slice
        authority; /* the target's own, else that of Host; empty in HTTP/1.0 without Host */
    struct slice
        path; /* with query; "/" for an absolute target without one, empty for CONNECT and "*" */
    bool is_https; /* an absolute target said https */
    /* Responses. */
    uint16_t status;
    struct slice reason;
    /* Both. */
    uint8_t minor; /* HTTP/1.x */
    enum http1_body body;
    uint64_t length; /* BODY_LENGTH; for a response without body (HEAD, 304) what it announced */
    bool keep_alive; /* the peer means to go on with this connection afterwards */
    bool expects_continue; /* it waits for "100 Continue" before sending its body */
    struct slice
        upgrade; /* value of Upgrade, when Connection names it too (RFC 9110 7.8); else empty */
    uint32_t count;
    struct http1_field fields[HTTP1_FIELDS_MAX];
};

enum http1_side { HTTP1_REQUESTS, HTTP1_RESPONSES };

/* About 48 bytes. Zeroed and given to http1_init; owns nothing. */
struct http1_decoder {
    const struct http1_limits *limits;
    uint64_t left;     /* bytes of the body, or of the chunk, still to come */
    uint64_t received; /* body bytes so far */
    uint32_t scanned;  /* how far an incomplete head has been searched for its end */
    uint32_t first;    /* bytes of its first line, 0 while that is incomplete */
    uint32_t line;     /* where its last line begins; within chunk sizes: digits so far */
    uint32_t extra;    /* bytes of chunk extensions and trailers so far */
    int16_t error;
    uint8_t state;
    uint8_t side;
    bool is_answer_to_head;
    bool is_blank_skipped;
};

void http1_init(struct http1_decoder *d, enum http1_side side, const struct http1_limits *limits);

enum { HTTP1_HEAD = 1, HTTP1_BODY, HTTP1_END };

/*
 * Takes one event off the front of *in:
 *
 *   HTTP1_HEAD  *ret_head is set
 *   HTTP1_BODY  *ret_bytes (not empty) is a piece of the body
 *   HTTP1_END   the message is complete; the next call begins the next one
 *   0           hungry: read more. Bytes left in *in belong to an incomplete head: call again with
 *               the same bytes and more behind them. Within a body all of *in is taken.
 *   < 0         a row of errors.def
 *
 * A request with Upgrade (or CONNECT) that is granted ends the HTTP part: what is left in *in
 * behind HTTP1_END is the other protocol's. A response below 200, but for 101, is a HEAD without
 * END: the real answer's HEAD follows.
 */
int http1_next(struct http1_decoder *d, struct slice *in, struct http1_head *ret_head,
               struct slice *ret_bytes);

/* The next response answers a HEAD request: it has no body, whatever it says. */
void http1_expect_head_answer(struct http1_decoder *d);

/*
 * The peer will send nothing more. HTTP1_END: that was the end of a body until close; 0: between
 * two messages, all is well; -ERR_RESET: a message was cut. rest: bytes not taken yet.
 */
int http1_eof(struct http1_decoder *d, struct slice rest);

/* Between two messages: nothing of the next one has been taken. */
bool http1_is_idle(const struct http1_decoder *d);

/* --- reading heads --- */

/* Value of the first field of that name (any case), NULL when there is none. */
const struct slice *http1_find(const struct http1_head *h, struct slice name);
/* Whether a list field ("Connection", "Upgrade") holds the token, in any of its lines, any case. */
bool http1_has_token(const struct http1_head *h, struct slice name, struct slice token);
/* Takes the next item off a comma-separated list, trimmed, empty ones skipped; false at its end.
 * Commas within quoted strings separate too: for lists of tokens only. */
bool http1_list_next(struct slice *list, struct slice *ret_item);
/* The grammar's token (methods, field names, subprotocols): not empty, tchar only. */
bool http1_is_token(struct slice s);
/* Bytes that a field value may hold: no control but tab. */
bool http1_is_value(struct slice s);
/* "host", "host:port", "[::1]:port" (RFC 3986 3.2.2 without user information). */
bool http1_is_authority(struct slice s);
/* Fields about this connection, not about the message (RFC 9110 7.6.1), and Content-Length: the
 * writer of a head decides them; from elsewhere they are not passed on. */
bool http1_is_framing(struct slice name);

/* --- writing --- All append to out: -ERR_TOO_LARGE when it is full. --- */

/* The registered phrase, "" for a status without one. */
const char *http1_reason(unsigned status);
/* "HTTP/1.1 200 OK". An empty reason takes the registered phrase. status 100..999.
 * -ERR_HTTP_VALUE for a reason with control characters. */
int http1_put_status(struct buf *out, unsigned status, struct slice reason);
/* -ERR_HTTP_METHOD, -ERR_HTTP_TARGET when they are not fit for a request line. */
int http1_put_request(struct buf *out, struct slice method, struct slice target);
/* -ERR_HTTP_NAME, -ERR_HTTP_VALUE, and nothing appended: nobody splits a head through us. */
int http1_put_field(struct buf *out, struct slice name, struct slice value);
int http1_put_number(struct buf *out, struct slice name, uint64_t value);
/* The empty line. */
int http1_put_end(struct buf *out);
/* The two halves around a chunk's bytes, for those who queue the bytes themselves: writes the size
 * line to ret (at most HTTP1_CHUNK_HEAD bytes) and returns its length; behind the bytes goes CRLF.
 */
enum { HTTP1_CHUNK_HEAD = 18 };
size_t http1_chunk_head(uint64_t n, char ret[HTTP1_CHUNK_HEAD]);
#define HTTP1_CHUNK_TAIL SLICE("\r\n")
#define HTTP1_LAST_CHUNK SLICE("0\r\n\r\n")
#define HTTP1_CONTINUE SLICE("HTTP/1.1 100 Continue\r\n\r\n")

#endif

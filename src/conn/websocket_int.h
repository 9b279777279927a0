/* What the files of websocket share: websocket.c (the protocol's course), websocket_deflate.c
 * (compressed messages), websocket_pool.c (what all websockets of a loop have in common). */
#ifndef CONN_WEBSOCKET_INT_H
#define CONN_WEBSOCKET_INT_H

#include "base/list.h"
#include "conn/websocket.h"
#include "io/loop.h"
#include "wire/ws.h"

enum {
    WEBSOCKET__CLIENT = 1 << 0,
    WEBSOCKET__READING = 1 << 1, /* the owner wants messages */
    WEBSOCKET__HALF_OPEN = 1 << 2,
    WEBSOCKET__SAID = 1 << 3,
    WEBSOCKET__HEARD = 1 << 4, /* also after an error: nothing more is decoded */
    WEBSOCKET__TOLD = 1 << 5,
    WEBSOCKET__RELEASED = 1 << 6,
    WEBSOCKET__FINISHING = 1 << 7,
    WEBSOCKET__PRESSED = 1 << 8, /* the owner waits for drained() */
    WEBSOCKET__PONG_POSTED = 1 << 9,
    WEBSOCKET__REPLAY_POSTED = 1 << 10,
    WEBSOCKET__PINGED = 1 << 11,   /* the peer was silent and has been asked */
    WEBSOCKET__CONTROLS = 1 << 12, /* the owner hears pings and pongs */
    WEBSOCKET__SILENT = 1 << 13,   /* … and answers the pings itself */
};

enum {
    WEBSOCKET__NOBODY = (1 << 24) - 1, /* an index: not in a pool */
    WEBSOCKET__UNIT_SHIFT = 7,         /* `alive` counts units of 128 ms */
};

/* What only a busy websocket needs, or one with windows of its own. */
struct websocket__more {
    struct websocket *websocket;
    struct buf kept; /* bytes of the next frame, or, after a pause, of many; from kept_at on */
    size_t kept_at;
    struct buf message;
    struct blob *pong;
    int failed;      /* the row of errors.def that the peer's mistake is; 0: none */
    uint16_t pongs;  /* in this tick */
    bool is_patient; /* the owner says when that is told to the peer */
    struct timer closing;
    struct deflate_pair *pair; /* windows that outlive a message */
    struct list released;      /* in options.released */
};

struct websocket {
    struct transport transport;
    struct stream *stream; /* NULL: gone */
    union {
        const struct websocket_options *options; /* as long as there is a stream */
        struct loop *loop;                       /* after it */
    };
    struct websocket__more *more;
    struct ws_decoder decoder;
    uint32_t index : 24;   /* in the pool's members */
    uint32_t out_bits : 4; /* window of what we deflate; 0: nothing was agreed */
    uint32_t in_bits : 4;  /* of what the peer does */
    uint32_t alive : 16;   /* when the peer last gave a sign of life */
    uint32_t facts : 14;
    uint32_t out_fresh : 1; /* we forget the window after each message */
    uint32_t in_fresh : 1;
};

static_assert(sizeof(struct websocket) <= 72, "an idle websocket is small");

static inline bool websocket__has(const struct websocket *w, uint32_t fact)
{
    return (w->facts & fact) != 0;
}

/* Its struct more, made when it has none. */
struct websocket__more *websocket__more(struct websocket *w);

/* The round came by: pings a silent peer, gives up one that does not answer (which may end this
 * and other websockets). now: in units. */
void websocket__look(struct websocket *w, uint16_t now);

/* --- websocket_pool.c --- */

/* Enters and leaves the round. */
void pool__add(struct websocket_pool *p, struct websocket *w);
void pool__remove(struct websocket_pool *p, struct websocket *w);
/* The compressor and expander that all messages with fresh windows share. */
struct deflate_pair *pool__pair(struct websocket_pool *p, unsigned level);
/* Where a message is compressed, and where one is expanded: empty, of that bound, good until the
 * next call. (Two, because who is told a message may send it on.) pool__tidy() gives back what a
 * big message took. */
struct buf *pool__deflated(struct websocket_pool *p);
struct buf *pool__inflated(struct websocket_pool *p, size_t max);
void pool__tidy(struct buf *scratch);
struct websocket_pool_stats *pool__stats(struct websocket_pool *p);

/* --- websocket_deflate.c --- */

/* The frame that w sends for *p, compressed where that was agreed and is worth it. One reference.
 * It must be sent: it may have passed w's own window, and the peer's must not get out of step. */
struct blob *websocket__frame(struct websocket *w, struct payload *p);
/* What a compressed message stands for, in a buf of the pool (for pool__tidy). -ERR_WS_DEFLATE,
 * -ERR_WS_TOO_LARGE over max. */
int websocket__expand(struct websocket *w, struct slice in, size_t max, struct buf **ret);
/* Bytes that a message of at most max bytes may take on the wire when it is compressed badly. */
size_t websocket__wire_bytes(const struct websocket *w, size_t max);
/* Four unpredictable bytes for a client's frame (RFC 6455 10.3), NULL for a server's. */
const uint8_t *websocket__mask(const struct websocket *w, uint8_t room[4]);

#endif

/*
 * A hold: one parked client. A transport below, a backend above, and between them what must
 * outlive the code that answers: whose it is, tags, attachment, automatic answers.
 *
 *   PENDING ──► OPEN ──► CLOSING ──► OVER     PENDING: named in a REQUEST, no 101 yet
 *      │         │ ├───► LEFT ─────► OVER     CLOSING: we said Close, the peer did not yet
 *      │         │ └───────────────► OVER     LEFT: the peer said Close, we may still send
 *      ▼         ▼                            OVER: no transport; stays until its last event is
 *    (free)    (free)                               acknowledged, then it is free
 *
 * Small on purpose: an idle one is this struct (about 136 bytes) and pieces that many share. It
 * lives in the edge's slots and is named by its id everywhere outside this process; a freed hold's
 * memory stays zeroable memory until the slot comes round again, but nobody touches it.
 */
#ifndef EDGE_HOLD_H
#define EDGE_HOLD_H

#include "base/list.h"
#include "conn/transport.h"
#include "edge/backend.h"
#include "edge/slots.h"

struct actor;
struct app;
struct edge;

enum hold_state { HOLD_PENDING, HOLD_OPEN, HOLD_CLOSING, HOLD_LEFT, HOLD_OVER };

struct hold {
    struct slot slot;
    struct app *app;
    struct transport *transport; /* in OPEN, CLOSING and LEFT */
    const struct backend_ops *backend;
    struct actor *actor;     /* hibernatable holds, while they are listed there */
    struct list in_actor;    /* actor.holds */
    struct list waiting;     /* app.waiting: not read until fewer events wait */
    struct blob *tags;       /* LIST; NULL: none */
    struct blob *url;        /* "protocol\nurl"; NULL: unknown */
    struct blob *attachment; /* NULL: none */
    struct visit *visit;     /* for the access log; NULL: not on it (access.h) */
    union {
        uint64_t since; /* order of acceptance */
        uint64_t other; /* joined: the id of the other one */
        void *owner;    /* the backend's, where it is no worker */
    };
    double auto_ms;       /* wall time of the last automatic answer; 0: never */
    uint32_t known_to;    /* the generation that was told whose it is */
    uint32_t event_bytes; /* in the events that are not acknowledged */
    uint32_t rate_at;     /* see is_too_fast() */
    uint16_t n_events;    /* not acknowledged; little more than HOLD_EVENTS_MAX */
    uint8_t state;        /* enum hold_state */
    bool accepted : 1;    /* a WS_ACCEPT named it */
    bool hibernates : 1;
    bool half_open : 1;
    bool joined : 1;
    bool full : 1;     /* too many of its own events wait */
    bool outgoing : 1; /* opened by the application's fetch */
    bool failed : 1;   /* LEFT because of the peer's mistake: goes when its events are done */
    bool missed : 1;   /* messages were dropped since its queue was empty */
};

static inline uint64_t hold_id(const struct hold *h)
{
    return h->slot.id;
}

/* A PENDING hold of the application. NULL when there is no free id. */
struct hold *hold_new(struct app *a, const struct backend_ops *backend);
/* The living hold of that id; NULL. */
struct hold *hold_find(const struct app *a, uint64_t id);
/* A PENDING hold gets its connection and is OPEN, not read yet. url, protocol: for RESTORE. */
void hold_open(struct hold *h, struct transport *take_t, struct slice url, struct slice protocol);
/* Parts of hold.url. */
void hold_origin(const struct hold *h, struct slice *ret_url, struct slice *ret_protocol);

/* The application's code took it: reads and tells the backend from the 101 on. half_open: the
 * peer's Close is not answered by itself. */
void hold_accept(struct hold *h, bool hibernates, bool half_open);
/* The backend is told of the client's Pings and Pongs; answer: Pings are answered by itself, too.
 * Of an accepted hold. */
void hold_hear_controls(struct hold *h, bool answer);
/* Reads or not, as listening, full and waiting say. Call it after changing one of them. */
void hold_pace(struct hold *h);

/* -ERR_CLOSED when it is not OPEN or LEFT. -ERR_SLOW_CONSUMER: the client does not keep up, and is
 * closed (1013) and its backend told, or the message is dropped (enum app_slow). */
int hold_send(struct hold *h, struct payload *p);
/* Says Ping or Pong, at most 125 bytes. Errors as transport_send(). */
int hold_control(struct hold *h, bool is_pong, struct slice bytes);
/* There is no room: ends one of the newest, with 1013, or at once when much waits for it; its
 * backend is told. False: none was found. */
bool hold_shed_newest(struct edge *e);
/* Says Close; code 0: empty. The answer to the peer's Close when LEFT. -ERR_SYNTAX: a code or
 * reason that cannot be sent. */
int hold_close(struct hold *h, uint16_t code, struct slice reason);
/* Lets the connection go: after saying Close with `code` when nobody said it (0: without a word),
 * the peer's answer is not waited for. The hold is OVER; no fact is told. */
void hold_leave(struct hold *h, uint16_t code, struct slice reason);
/* Cuts the connection. The hold is OVER; no fact is told. */
void hold_terminate(struct hold *h);
/* Frees an OVER or PENDING hold. */
void hold_free(struct hold *h);
/* Frees it when it is OVER and none of its events waits for its ACK; true then. */
bool hold_settle(struct hold *h);

/* Passes messages and closes between two OPEN, unaccepted holds, without any worker; they end
 * together. (proxy.c) */
void hold_join(struct hold *a, struct hold *b);

#endif

/*
 * What the files of HTTP holds share: grip_hold.c collects and decides, grip_poll.c holds
 * responses, grip_stream.c streams, grip_link.c fetches links, grip_line.c lets what they ask for
 * wait.
 */
#ifndef EDGE_GRIP_HOLD_INT_H
#define EDGE_GRIP_HOLD_INT_H

#include "base/list.h"
#include "base/map.h"
#include "edge/edge_int.h"
#include "edge/grip_hold.h"
#include "edge/subscriber.h"
#include "edge/upstream.h"
#include "wire/grip.h"

/* --- what waits in line --- */

/* Something that the origin is asked for, embedded in what asks. */
struct grip_ask {
    struct list in_line; /* linked: it waits */
    void (*go)(struct grip_ask *ask);
};

/* The holds of an application on one edge. */
struct grip_holds {
    struct app *app;
    struct list holds;
    struct list line;    /* of asks for a call */
    struct list again;   /* of polls that are to be made again */
    struct list fetches; /* struct grip_fetching */
    struct list gones;   /* struct grip_gone */
    struct map joinable; /* "route uri last" -> struct grip_fetching that has no response yet */
    struct timer pace;   /* while `again` waits */
    unsigned n_calls;    /* under way */
    unsigned n_gones;
    unsigned again_left;
    int64_t again_ms; /* when again_left was filled */
    uint64_t dice;
};

struct grip_holds *grip_holds__of(struct app *a);
/* 0 … 999, not to be guessed. */
unsigned grip_holds__jitter(struct grip_holds *hs);

/* go() now, or when fewer than GRIP_HOLD_CALLS are under way. */
void grip_line__call(struct grip_holds *hs, struct grip_ask *ask);
/* A call that went is over. */
void grip_line__called(struct grip_holds *hs);
/* go() now, or as soon as the pace permits. */
void grip_line__again(struct grip_holds *hs, struct grip_ask *ask);
/* It does not wait any more. */
void grip_line__leave(struct grip_holds *hs, struct grip_ask *ask);

/* --- the hold --- */

enum grip_hold_state {
    GRIP_COLLECTING, /* the response's body */
    GRIP_RELAYING,   /* … is too long for that: it goes to the client as it comes */
    GRIP_PARKED,     /* a response hold */
    GRIP_OPEN,       /* a stream */
    GRIP_OVER,
};

/* Where the request went; borrowed from the origin's, for as long as that is ours. */
struct grip_place {
    struct slice uri;
    struct slice prefix;
    const void *route;
    const char *const *subs;
};

/* COLLECTING, RELAYING: the origin's response. */
struct grip_collect {
    struct upstream_call *call; /* NULL: it is over */
    uint16_t status;
    struct slice reason, head, target, route_id, last_event_id; /* in `text` */
    struct buf text;
    struct buf body;
    struct grip_place place;
    struct grip_instruct instruct; /* RELAYING */
    unsigned channels;
};

/* PARKED: the answer at the timeout. */
struct grip_poll {
    struct grip_ask again;
    struct grip_hold *hold;
    struct slice prefix; /* of its channels; borrowed from the origin's */
    struct slice reason, fields, body;
    uint16_t status;
    uint8_t text[];
};

/* OPEN, with a keep-alive. */
struct grip_alive {
    int64_t since_ms; /* the last time that something was sent */
    uint32_t ms;
    bool is_idle; /* what is sent puts it off */
    struct blob *bytes;
};

struct grip_hold {
    struct subscriber sub;
    struct list in_app;
    struct app *app;
    struct reply reply;
    const struct grip_origin_ops *ops;
    void *origin;       /* NULL: given back */
    struct timer timer; /* PARKED: its timeout; OPEN: its keep-alive */
    union {             /* by state; may be NULL */
        struct grip_collect *collect;
        struct grip_poll *poll;
        struct grip_alive *alive;
    };
    struct grip_link *link; /* NULL: there is none */
    uint64_t seat;          /* in the roster, when somebody wants statistics */
    uint8_t state;
    uint8_t mode; /* enum grip_hold_mode: what the gauges count it as */
    bool is_head;
    bool debug;
    bool is_subscribed; /* sub was initialised */
    bool is_news;       /* a channel with a prev-id is new */
    bool has_gap;       /* GRIP_MISSED_UNKNOWN, and the client was not told */
};

/* The transition, when it is legal. */
void grip_hold__state(struct grip_hold *h, enum grip_hold_state to);
/* It counts as held so from now on. */
void grip_hold__count(struct grip_hold *h, enum grip_hold_mode mode);
/* Sends the head of the collected response, as the instruction has it. As reply_respond(). */
int grip_hold__respond(struct grip_hold *h, const struct grip_instruct *g, enum exchange_body body,
                       uint64_t length);
/* Frees what it has, and with `gone` tells the origin; the reply is over or given away. */
void grip_hold__end(struct grip_hold *h, bool gone);
void grip_hold__collect_free(struct grip_hold *h, struct grip_collect *c);
/* Answers with an error before a response has begun, and ends. text: for debug. */
void grip_hold__refuse(struct grip_hold *h, struct slice text);
/* The client's connection is cut; ends. */
void grip_hold__abort(struct grip_hold *h);

/* Makes it a subscriber of that kind. */
void grip_hold__subscriber(struct grip_hold *h, enum grip_kind kind, const struct grip_collect *c);
enum grip_missed {
    GRIP_MISSED_NOTHING,
    GRIP_MISSED_SOME,    /* something was published that the origin's answer does not know of */
    GRIP_MISSED_UNKNOWN, /* nobody knows what came after `after` */
};

/* Subscribes to what the instruction says instead of what was before. `after`: the client's
 * Last-Event-ID, or empty: what came after it is on its way, where it is known and channels want
 * that. */
enum grip_missed grip_hold__subscribe(struct grip_hold *h, const struct grip_instruct *g,
                                      const struct grip_place *place, struct slice after);
/* "Grip-Last: …\n" lines of all channels with a prev-id. */
void grip_hold__last(struct grip_hold *h, struct slice prefix, struct buf *out);
/* What is known of the request is not needed for the response. */
void grip_hold__park(struct grip_hold *h);

/* --- response holds --- */

/* Holds the collected response, as the instruction says. */
void grip_poll__park(struct grip_hold *h, const struct grip_instruct *g);
/* The answer at the timeout. */
void grip_poll__answer(struct grip_hold *h);
void grip_poll__free(struct grip_hold *h);
extern const struct subscriber_ops grip_poll__facts;

/* --- streams --- */

/* Sends the head. False: the response can have no body and was ended, or could not be sent; the
 * hold is over. */
bool grip_stream__begin(struct grip_hold *h, const struct grip_instruct *g);
/* The body of a response was sent: hold, follow the next link, or end, as the instruction says.
 * From COLLECTING and RELAYING, whose memory it takes. */
void grip_stream__open(struct grip_hold *h, const struct grip_instruct *g);
/* The same after the response to a link. */
void grip_stream__go_on(struct grip_hold *h, const struct grip_instruct *g,
                        const struct grip_place *place);
/* Bytes for the client. False: the client was too slow and is cut; the hold is over. */
bool grip_stream__send(struct grip_hold *h, struct blob *bytes, struct blob **chunked);
/* Ends the response; why: for debug, may be empty. */
void grip_stream__end(struct grip_hold *h, struct slice why);
void grip_stream__taken(struct grip_hold *h);
void grip_stream__free(struct grip_hold *h);
extern const struct subscriber_ops grip_stream__facts;

/* --- links --- */

/* The instruction's links are the hold's from now on. base: what they are relative to.
 * -ERR_ORIGIN_BAD: one cannot be. */
int grip_link__set(struct grip_hold *h, const struct grip_instruct *g,
                   const struct grip_place *place, struct slice base);
/* Fetches the next link as soon as it may be. Nothing when there is none, or it is on its way. */
void grip_link__fetch(struct grip_hold *h);
/* The time until the next fetch begins anew. */
void grip_link__touch(struct grip_hold *h);
/* A fetch is under way: what is published meanwhile waits for the page. */
bool grip_link__is_asked(const struct grip_hold *h);
/* A fetch brings bytes just now: nothing else is sent between them. */
bool grip_link__is_busy(const struct grip_hold *h);
/* The client has taken bytes. */
void grip_link__taken(struct grip_hold *h);
/* The hold is over; with `gone` the origin is told, and h->origin used up for it. */
void grip_link__end(struct grip_hold *h, bool gone);
/* Whatever is under way or waits. The holds are over. */
void grip_link__cancel_all(struct grip_holds *hs);

#endif

/*
 * What the files of this folder share: the edge, an application as one edge sees it, and who
 * speaks to whom.
 *
 *   edge ──► app ──► link(s)    pipe to a generation of its worker: frames in and out
 *     │       ├────► events     what has happened and is not acknowledged (delivery.c)
 *     │       ├────► actors     whose holds they are
 *     │       └────► alarms
 *     ├──► holds       parked clients of all applications, by id
 *     ├──► inbounds    exchanges that a worker answers, by id
 *     └──► fleet       edge 0 only: the processes
 *
 * Edges and the fleet speak by mails, also when they share a loop, so that nothing is called from
 * inside itself: `struct order` goes from the fleet to every edge, `struct report` from an edge to
 * the fleet.
 */
#ifndef EDGE_EDGE_INT_H
#define EDGE_EDGE_INT_H

#include "base/list.h"
#include "base/log.h"
#include "base/stat.h"
#include "conn/websocket.h"
#include "edge/actors.h"
#include "edge/alarms.h"
#include "edge/edge.h"
#include "edge/events.h"
#include "edge/route.h"
#include "edge/slots.h"
#include "egress/rules.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "wire/ipc.h"

struct access;
struct egress;
struct files;
struct fleet;
struct grip_holds;
struct http1_server;
struct link;
struct listener;
struct origin_table;
struct relay;
struct control;
struct settings;
struct shed;
struct statistics;
struct zeromq;
struct upstreams;

struct app_stats {
#define STAT STAT_FIELD
#include "edge/app.metrics.def"
#undef STAT
};

struct edge_stats {
#define STAT STAT_FIELD
#include "edge/edge.metrics.def"
#undef STAT
};

/* --- an application as one edge sees it ----------------------------------------------------------
 *
 *            report WAKE          order SERVE           order DRAIN, or link lost
 *   ASLEEP ──────────────► WAKING ───────────► SERVING ───────────────────────────┐
 *     ▲  an event is queued  │ ▲                                                  ▼
 *     │                      │ └── order GONE, events left ────────────────── (WAKING)
 *     └── order GONE, no events left
 *
 * BROKEN stands beside: the code cannot run; requests are answered with its text, socket events
 * wait.
 */
enum app_state { APP_ASLEEP, APP_WAKING, APP_SERVING };

struct app {
    struct edge *edge;
    unsigned index; /* the same on every edge */
    struct settings *settings;
    struct websocket_options ws;
    struct websocket_options ws_origin; /* of clients whose backend is an origin (woh.c) */
    struct list goodbyes; /* sockets that say theirs and are nobody's any more (ws.released) */
    struct files *files;
    struct origin_table *routes; /* NULL: it has no origin */
    struct upstreams *upstreams; /* the same */
    struct list proxied;         /* requests that an origin answers (origin.c) */
    int64_t failures_second;     /* of origin.failed lines */
    unsigned failures_logged;    /* … in it */
    struct app_stats stats;
    enum app_state state;
    bool reported_idle;
    struct blob *broken; /* why the code cannot run; NULL: it can, as far as we know */

    struct events events;
    uint64_t last_sent;     /* seq of the newest event that went over a link */
    struct list waiting;    /* holds that are not read until fewer events wait (hold.waiting) */
    uint32_t n_open;        /* inbounds and holds; siblings look at it (app_open()) */
    struct list inbounds;   /* exchanges, inbound.in_app */
    struct list wohs;       /* woh.in_app */
    struct list ws_origins; /* pair.in_app (ws_origin.c) */

    struct actors actors;
    struct alarms alarms;
    struct timer alarm_timer;

    struct list links;    /* generations alive or dying, link.in_app */
    struct link *serving; /* gets the events */
    struct link *bearer;  /* was given the events that are sent: serving, or it is draining */
    struct link *heir;    /* serves as soon as the bearer is gone */

    struct grip_holds *grip; /* response and stream holds; NULL before the first */
};

/* --- orders: fleet → edges --- */

enum order_kind {
    ORDER_OPEN,     /* here is your end of the pipe to a new generation: fd; text: write it first */
    ORDER_SERVE,    /* the generation gets events from now on */
    ORDER_DRAIN,    /* no more events; tell it to finish within ms (0: at once) */
    ORDER_GONE,     /* its process is gone; why, guilty and begun say how */
    ORDER_SETTINGS, /* new settings */
    ORDER_BROKEN,   /* the code cannot run: text. Without text: it may be tried again */
    ORDER_CERTIFY,  /* listener `app` reads its certificates again: text, names of files, each with
                       its NUL */
    ORDER_CROWD,    /* enough connections are here: accept no more until some have gone */
    ORDER_SHUT,     /* take no new connections; go on with those that are here */
    ORDER_STOP,     /* leave: close what is held; report when requests are answered, or after ms */
};

struct order {
    struct mail mail;
    struct edge *to;
    enum order_kind kind;
    unsigned app;
    uint32_t generation;
    int fd;           /* as loop_give() said; negative: there is none */
    struct span text; /* owned by the order */
    struct settings *settings;
    uint32_t ms;
    int why;         /* row of errors.def; 0: it ended as it was told */
    bool by_itself;  /* it ended because of something it ran, not by a kill from outside */
    uint64_t guilty; /* the event that ran then; 0: not known */
    uint64_t begun;  /* seq of the newest event of this edge that had begun */
};

/* --- reports: edges → fleet --- */

enum report_kind {
    REPORT_WAKE,    /* an event waits and nobody serves */
    REPORT_IDLE,    /* nothing runs and nothing waits here; last: false when that has ended */
    REPORT_READY,   /* text: exports */
    REPORT_FAILED,  /* text */
    REPORT_EXITING, /* why, text */
    REPORT_BAD,     /* the worker broke the protocol: text */
    REPORT_LOST,    /* the pipe ended */
    REPORT_KILL,    /* a developer wants to see it survive */
    REPORT_STOPPED, /* after ORDER_STOP */
};

struct report {
    struct mail mail;
    struct edge *to; /* edge 0 */
    unsigned edge;
    enum report_kind kind;
    unsigned app;
    uint32_t generation;
    bool idle;
    int why;
    struct span text; /* owned by the report */
};

/* --- the edge --- */

enum { EDGE_LISTENERS = 16 };

struct edge_listener {
    struct edge *edge;
    enum edge_door door;
    struct listener *listener;
    struct http1_server *http;
    struct tls *tls; /* NULL: none */
    int given;       /* by edge 0: its Unix socket, for loop_take() */
};

struct edge {
    struct loop *loop;
    unsigned index;
    unsigned count;
    struct log log;
    const struct edge_ops *ops;
    void *arg;
    struct edge **siblings; /* [count], after edge_introduce */
    struct fleet *fleet;    /* edge 0's; others may only look at fleet_view() */
    struct router router;
    struct app **apps;
    size_t n_apps;
    struct slots holds;
    struct websocket_pool *sockets;
    struct zeromq *zeromq;         /* edge 0's; NULL: none */
    struct statistics *statistics; /* NULL: nobody wants them */
    struct relay *relay;           /* publishing */
    struct control *control;       /* … by HTTP */
    uint32_t control_clients;      /* connections of its door */
    struct timer control_crowd;    /* set while that listener pauses because they are here */
    struct slots inbounds;
    struct slots roster; /* roster.h */
    struct edge_listener listeners[EDGE_LISTENERS];
    size_t n_listeners;
    uint64_t accepted_order; /* hold.since */
    uint32_t max_connections;
    struct admit *admit;         /* NULL: no limit for one client. Shared by all edges */
    struct shed *shed;           /* NULL: memory has no ceiling */
    struct access *access;       /* NULL: there is no access log */
    struct egress_rules trusted; /* its allow list: proxies that are believed */
    struct timer crowd;          /* set while listeners pause because too many are here */
    struct edge_stats stats;
    bool gone; /* freed, but for this struct: mails are dropped */
    uint32_t goodbye_ms;
    struct timer goodbye; /* edge 0: between SHUT and STOP */
    bool shut;            /* nobody new gets in */
    bool stopping;
    struct timer stop_check; /* until what is held is closed; on edge 0 also until all others are */
    int64_t goodbye_by;      /* then closed sockets whose clients did not answer are cut */
    int64_t stop_by;         /* then requests are cut */
    bool said_stopped;
    unsigned rounds;  /* on their way (round.h) */
    unsigned stopped; /* edge 0: how many have */
    void (*done)(void *arg);
    void *done_arg;
    /* What mails call: edge_obey(); on edge 0, the fleet. Tests listen in its place. */
    void (*obey)(struct edge *e, struct order *take_o);
    void (*on_report)(void *arg, struct report *r);
    void *on_report_arg;
};

/* --- of an application; app.h makes and ends it --- */

struct slice app_name(const struct app *a);
/* Requests in progress and WebSockets of the application on all edges, as of a moment ago. */
uint32_t app_open(const struct app *a);
/* A new egress by the application's policy as it is now; NULL with the note when that is wrong. */
struct egress *app_egress(struct app *a, struct err_note *note);

/* --- of an edge --- */

static inline uint64_t edge_tag(const struct edge *e)
{
    return (uint64_t)e->index << IPC_EDGE_SHIFT;
}

/* Posts a copy of r (and of text) to the fleet. */
void edge_report(struct edge *e, struct report r, struct slice text);
/* Posts o to its edge; takes o's settings and what was given with fd. text is copied. */
void edge_order(struct edge *to, struct order o, struct slice text);
/* Frees it and its text; its fd and settings were taken when it was obeyed. NULL is nothing. */
void order_free(struct order *o);
/* Carries an order out, on its edge's loop. */
void edge_obey(struct edge *e, struct order *take_o);

#endif

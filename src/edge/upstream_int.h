/* What the files of upstream share: upstream.c (a call), upstream_head.c (its heads),
 * upstream_peer.c (a server: its connections and its health). */
#ifndef EDGE_UPSTREAM_INT_H
#define EDGE_UPSTREAM_INT_H

#include "base/list.h"
#include "base/map.h"
#include "conn/http1_client.h"
#include "edge/upstream.h"
#include "egress/egress.h"
#include "io/loop.h"
#include "wire/ws.h"

enum {
    UPSTREAM__CONNECTIONS = 1024, /* to one server at once; calls above wait in line */
    UPSTREAM__LINE = 16384,       /* that wait for one server: -ERR_OVERLOADED */
    UPSTREAM__SWEEP_MS = 1000,
    UPSTREAM__FORGIVE_MS = 60000,
    UPSTREAM__BURST = 256, /* connections made: what that took goes back to the system after it */
};

struct app_origin;
struct app_origin_target;
struct upstream__peer;

struct upstreams {
    struct app *app;
    struct loop *loop;
    struct egress *egress;
    struct map peers; /* by key */
    struct list calls;
    unsigned n_calls;
    struct timer sweep;
    unsigned dials, dials_swept; /* since memory was given back; of those before the last sweep */
    struct buf request;          /* heads are written here */
    struct buf response;
    struct http1_head head;
    bool is_closed;
};

/* A connection to a peer: idle in its list, or a call's. */
struct upstream__conn {
    struct list link;
    struct upstream__peer *peer;
    struct http1_client *http;
    char *name;         /* TLS: of which host; NULL: none */
    int64_t idle_until; /* then it is closed */
    uint32_t keep_ms;   /* the server closes it after so long; 0: not said */
    uint32_t uses;
    bool is_old; /* of settings that were replaced: not kept */
};

/* A server. It lives while it has connections or calls, or has failed lately. */
struct upstream__peer {
    struct upstreams *upstreams;
    struct slice key;
    char *name;       /* for messages */
    struct list idle; /* the last used one first */
    struct list line; /* calls that wait for a connection, upstream_call.in_line */
    unsigned n_line;
    unsigned open;     /* connections and attempts */
    unsigned failures; /* attempts in a row */
    unsigned attempts; /* under way */
    int64_t rests_until;
    int64_t probe_at; /* while it rests: not before */
};

/*
 *        no connection                 connected
 *   NEW ──────────────► CONNECTING ───────────────► ASKED ──► ANSWERED ──► OVER
 *    │  too many        │      │ failed: NEW, next target
 *    ├───────► WAITING ─┘      │
 *    └─ idle connection ──────────────────────────► ASKED
 */
enum upstream__state {
    CALL_NEW,
    CALL_WAITING,
    CALL_CONNECTING,
    CALL_ASKED,
    CALL_ANSWERED,
    CALL_OVER
};

struct upstream_call {
    struct list in_upstreams;
    struct list in_line;
    struct upstreams *upstreams;
    const struct upstream_ops *ops;
    void *arg;
    enum upstream__state state;
    struct origin_route *route;

    /* The request. */
    char *text; /* owns the slices */
    struct slice method, path, host, fields;
    enum exchange_body body;
    uint64_t length;
    uint64_t given; /* bytes of the body that came */
    uint64_t told;  /* … that taken() told of */
    uint64_t gone;  /* … that have left on this connection */
    struct buf kept;
    bool is_kept; /* kept is all of the body that came */
    bool is_body_over;
    bool sign, upgrade, over_http, plain;
    bool hurries;   /* the response's body must go on */
    bool has_moved; /* … and did so lately */

    /* Where. */
    struct app_origin_target *direct; /* NULL: the route's */
    struct slice direct_key;
    size_t target;  /* the one that is tried */
    uint32_t tried; /* targets, as bits, for the text */
    struct upstream__peer *peer;
    struct upstream__conn *conn;
    struct egress_call *dial;
    bool was_repeated;
    int why; /* the last target's error */

    size_t credit; /* before there is a connection */
    struct timer late;
    char key[WS_KEY_SIZE + 1];
    bool is_posted;
    int broken; /* an error of the asker */
};

/* --- upstream_peer.c --- */

/* Finds or makes it. */
struct upstream__peer *upstream__peer(struct upstreams *u, struct slice key, const char *name);
/* Frees what nobody needs any more. */
void upstream__peer_rest(struct upstream__peer *p);
/* Where there is room for a connection and a call that waits for one, the call goes on. False:
 * there is not. */
bool upstream__peer_go_on(struct upstream__peer *p);
/* Whether it may be asked now: it does not rest. */
bool upstream__peer_is_well(const struct upstream__peer *p);
/* It rests, and may be tried by one. */
bool upstream__peer_wants_probe(const struct upstream__peer *p);
/* An idle connection for that TLS name (empty: none), or NULL. */
struct upstream__conn *upstream__peer_take(struct upstream__peer *p, struct slice name);
/* An attempt has come to its end. */
void upstream__peer_reached(struct upstream__peer *p);
void upstream__peer_failed(struct upstream__peer *p);

struct upstream__conn *upstream__conn_new(struct upstream__peer *p, struct stream *take_s,
                                          struct slice name);
/* Nobody uses it any more: kept when reusable, else closed. The next in line goes on. */
void upstream__conn_release(struct upstream__conn *conn, bool reusable);

/* Closes what was idle for too long, forgets old failures. False: nothing is left to look at. */
bool upstream__sweep(struct upstreams *u);
/* Looks soon. */
void upstream__sweep_soon(struct upstreams *u);
void upstream__close_idle(struct upstreams *u);
/* All are at rest. */
void upstream__free_peers(struct upstreams *u);

/* --- upstream_head.c --- */

/* The request's head in place of what is in the buf: signed, with the framing of its body. Below 0:
 * it cannot be sent. */
int upstream__put_head(struct upstream_call *c, struct buf *out);
/* The fields of a response in place of what is in the buf, but for those of the connection; what
 * Keep-Alive says is noted. -ERR_TOO_LARGE. */
int upstream__copy_head(struct upstream_call *c, const struct http1_head *h, struct buf *out);

/* --- upstream.c --- */

/* The target that is tried, or has answered. */
const struct app_origin_target *upstream__target(const struct upstream_call *c);
/* The first call in p's line may go on. */
void upstream__call_next(struct upstream__peer *p);

#endif

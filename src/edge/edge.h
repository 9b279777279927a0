/*
 * An edge: everything one gateway loop owns. Listeners, the router, holds, a link to the worker of
 * every application; edge 0 also has the fleet (it starts, watches and ends the worker processes
 * and gives every sibling its own end of a pipe to them).
 *
 * How a program uses it: one loop per thread (io/threads.h); edge_new() for each, on its thread,
 * one after another; edge_introduce() once; edge_listen() on each, edge 0 first; edge_begin() once.
 * An edge is touched from its own loop only; the verbs below say when another thread may call them.
 *
 * Nothing here reads a configuration file: an application arrives as a struct app_config.
 * Strings and slices of the structs below are borrowed for the call only, the edge copies them.
 */
#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "egress/egress.h"

struct edge;
struct loop;
struct tls_certificate;
struct tls_options;

/* --- an application whose requests go to an HTTP origin (GRIP) --- */

/* A key of Grip-Sig or of a publisher, as wire/jwt.h takes it; no file is left to read. */
struct app_key {
    enum app_key_form {
        APP_KEY_NONE, /* there is no key: text is empty */
        APP_KEY_TEXT, /* for jwt_key_new(): a secret, "base64:…", a PEM or a JWK */
        APP_KEY_FILE, /* for jwt_key_new_file(): what was in the file of "file:PATH" */
    } form;
    struct slice text;
};

struct app_header {
    const char *name;
    const char *value; /* never NULL, may be empty */
};

/* One server of a route. */
struct app_origin_target {
    const char *host;         /* a name or an address without brackets; NULL: `path` or `test` */
    uint16_t port;            /* 1 … 65535 with a host */
    const char *path;         /* absolute path of a Unix socket instead, or NULL */
    const char *name;         /* "host:port" as it was written, for messages; never NULL */
    bool test;                /* no server at all: the built-in answers of `test` */
    bool tls;                 /* TLS to it */
    bool insecure;            /* its certificate is not checked */
    const char *host_field;   /* Host and SNI to send instead of the client's; NULL: the client's */
    const char *cert_host;    /* the name its certificate must have; NULL: the name of SNI */
    bool trust_connect_host;  /* the certificate may be for `host` instead */
    bool untrusted;           /* the application's egress rules hold for it, too */
    bool over_http;           /* WebSockets reach it as WebSocket-over-HTTP */
    bool one_event;           /* … with at most one event in a request */
    const char *const *subs;  /* channels every hold of it is subscribed to, without the route's
                                 prefix; NULL-terminated, or NULL */
    struct slice client_cert; /* PEM, or empty */
    struct slice client_key;  /* PEM, or empty; both or none */
    struct slice ca;          /* PEM of certificates trusted instead of the system's, or empty */
};

enum app_protocol { APP_PROTOCOL_ANY, APP_PROTOCOL_HTTP, APP_PROTOCOL_WS };
enum app_secure { APP_SECURE_ANY, APP_SECURE_NO, APP_SECURE_YES };
enum app_jsonp { APP_JSONP_EXTENDED, APP_JSONP_BASIC };

/*
 * Which requests, and what becomes of them; in the order of the file. Text that is not said is
 * NULL.
 */
struct app_origin_route {
    const char *id;   /* its name for handoffs, Pushpin-Route, rates and statistics */
    const char *host; /* exact, lower-case, without port; NULL: any host ("*"); "": only by its id
                       */
    enum app_protocol protocol;
    enum app_secure secure;  /* whether the client came over TLS */
    const char *path_beg;    /* bytes the path must begin with */
    uint32_t path_rem;       /* so many first bytes of the path are dropped */
    const char *replace_beg; /* path_beg is dropped, this put in front ("" just drops it) */
    const char *as_host;     /* the host of the request's URI from here on: of Host, unless the
                                target has a host_field, and of links */

    const char *prefix;               /* put in front of every channel the origin names */
    const char *sig_iss;              /* NULL: app_origin's; "": requests are not signed */
    struct app_key sig_key;           /* none: app_origin's */
    const struct app_header *headers; /* on requests: all of the name are removed, then this one is
                                         added unless its value is empty */
    size_t n_headers;
    bool debug;        /* error pages say why */
    bool orig_headers; /* copies of the client's fields as eb9bf0f5-NAME */
    bool no_grip;      /* a plain proxy: no signature, no features, no instructions */
    bool aco;          /* answers CORS for the origin, and JSONP */
    enum app_jsonp jsonp_mode;
    const char *jsonp_cb;        /* query parameter that names the callback ["callback"] */
    const char *jsonp_body;      /* … the body ["_body"] */
    const char *jsonp_defcb;     /* the callback when the query names none [none: not JSONP] */
    const char *jsonp_defmethod; /* the method when it says none ["GET"; basic: "POST"] */

    const struct app_origin_target *targets; /* tried in this order; at least one */
    size_t n_targets;
};

/* What to do with X-Forwarded-For: first `keep`, then `append`. */
struct app_forwarded {
    bool truncate; /* only the last `keep` addresses stay */
    uint32_t keep;
    bool append; /* the peer's address is added */
};

enum app_forwarded_proto { /* X-Forwarded-Proto and X-Forwarded-Protocol for clients with TLS */
                           APP_FORWARDED_PROTO, /* the first only [] */
                           APP_FORWARDED_BOTH,
                           APP_FORWARDED_NONE,
};

/*
 * Routes to origins and what holds for all of them. An application may have this instead of a
 * worker, or beside one, which then names routes by their id when it hands a request off.
 * 0, NULL and empty mean the default in brackets.
 */
struct app_origin {
    const struct app_origin_route *routes;
    size_t n_routes;

    const char *sig_iss;         /* of Grip-Sig ["pushpin"] */
    struct app_key sig_key;      /* [none: requests are not signed] */
    struct app_key upstream_key; /* clients whose Grip-Sig it verifies are trusted [none are] */
    bool debug;                  /* error pages say why, on every route */
    bool auto_cross_origin;      /* `aco` on every route */
    bool accept_route_header;    /* Pushpin-Route names the route */
    bool accept_forwarded_proto; /* a client's X-Forwarded-Proto is believed */
    enum app_forwarded_proto set_forwarded_proto;
    struct app_forwarded forwarded;         /* of clients [the field is relayed as it is] */
    struct app_forwarded forwarded_trusted; /* of trusted clients [the same] */
    const char *const *unmarked; /* orig_headers: names that are not marked unless they were */
    const char *cdn_loop;        /* our name in CDN-Loop (RFC 8586) [none] */
    bool no_pong;                /* a client's Ping is not answered here, only passed on: by
                                    WebSocket-over-HTTP the origin would have to */
    uint32_t subscriptions;      /* channels of one hold or WebSocket [20]; more are dropped */
    uint32_t connect_ms;         /* for a connection and its TLS handshake [10000] */
    uint32_t response_ms;        /* an origin that is silent so long has failed [60000] */
    uint32_t pool_idle_ms;       /* an unused connection to a target is kept for [60000] */
    uint32_t requests;           /* open at the origins at once, of an edge [no limit]: 503 */
    uint32_t breaker_failures;   /* so many connects in a row fail, and a target is passed over
                                    [5] */
    uint32_t breaker_ms;         /* for so long [2000]; unless every target is in that state */
};

/* --- an application --- */

enum app_sandbox {
    APP_SANDBOX_AUTO,   /* apply what the system permits, log what it does not */
    APP_SANDBOX_STRICT, /* refuse to run when a part cannot be applied */
    APP_SANDBOX_OFF,
};

/* 0 means the default in brackets. */
struct app_limits {
    uint32_t cpu_ms;          /* CPU time of one turn [30000] */
    uint64_t memory_bytes;    /* resident memory of the worker process [512 MiB] */
    uint32_t actor_idle_ms;   /* an instance without work goes to sleep after [10000] */
    uint32_t process_idle_ms; /* a process without instances is ended after [20000] */
    uint32_t drain_ms; /* a worker has this long to finish on a reload or stop [10000; dev: 1000] */
    uint32_t ready_ms; /* the module's evaluation may take [20000] */
    uint32_t head_ms;  /* for a request's head, a handshake's too, to arrive [15000] */
    uint32_t message_bytes;    /* one WebSocket message [32 MiB] */
    uint64_t request_bytes;    /* one request body [100 MiB] */
    uint32_t connections;      /* WebSockets and requests in progress [no limit]: 503 */
    uint32_t send_queue_bytes; /* while so much waits for a client, a message more closes it
                                  [4 MiB] */
    uint32_t comment_ms;       /* a silent event stream gets a comment after this time [30000]; or
                            APP_NEVER */
};

/* What happens to a message for a client whose queue is full. */
enum app_slow {
    APP_SLOW_CLOSE, /* the client is closed with 1013 */
    APP_SLOW_DROP,  /* the message is dropped for it; `slow_mark` tells it when it reads again */
};

/* WebSockets of clients and to servers. 0 means the default in brackets. */
struct app_sockets {
    const char *const
        *origins;          /* who may connect (edge/browser_origin.h), NULL-terminated; NULL: all */
    uint32_t message_rate; /* messages a second of one client: more close it, 1008 [any] */
    uint32_t message_burst; /* that may come at once [as many as in a second] */
    enum app_slow slow;
    const char *slow_mark;  /* text that stands for dropped messages; NULL: none */
    uint32_t ping_ms;       /* a peer that was silent for so long is pinged [30000]; APP_NEVER */
    uint32_t pong_ms;       /* and given up when it stays silent for so long [20000] */
    bool uncompressed;      /* permessage-deflate (RFC 7692) is not agreed on */
    uint8_t deflate_level;  /* zlib's, 1 … 9 [4] */
    uint8_t deflate_bits;   /* log2 of the largest window, 9 … 15 [15] */
    bool deflate_takeover;  /* windows outlive a message: less traffic, 300 KiB a connection */
    uint32_t deflate_bytes; /* shorter messages are sent as they are [1024] */
};

#define APP_NEVER UINT32_MAX

enum app_not_found { APP_NOT_FOUND_NONE, APP_NOT_FOUND_404_PAGE, APP_NOT_FOUND_SPA };
enum app_html { APP_HTML_AUTO, APP_HTML_FORCE_SLASH, APP_HTML_DROP_SLASH, APP_HTML_NONE };

/* wrangler's `assets`. dir NULL: the application has none. */
struct app_assets {
    const char *dir;
    enum app_not_found not_found;
    enum app_html html;
    /* run_worker_first: true for every path, or patterns of paths ("/api/" and a star; "!" in front
     * excludes). */
    bool worker_first;
    const char *const *worker_first_paths; /* NULL-terminated, or NULL */
};

/* A name that `env.NAME.fetch()` reaches: another application of this gateway or an HTTP server. */
struct app_service {
    const char *name; /* FETCH.service */
    const char *app;  /* the name of an application, or NULL */
    const char *url;  /* "http://127.0.0.1:9000", or NULL */
};

struct app_config {
    const char *name; /* [a-z0-9_-]+, names its state folder, log lines and metrics */

    /* What the worker gets in START. */
    struct slice config; /* JSON */
    struct slice script;
    struct slice map; /* source map, may be empty */

    const char *state_dir;   /* exists, the worker's only folder; absolute path */
    const char *worker_path; /* the holdfast-worker program */
    enum app_sandbox sandbox;
    struct app_limits limits;
    struct app_sockets sockets;
    struct app_assets assets;
    struct egress_policy egress;
    const struct app_service *services;
    size_t n_services;
    const struct app_origin *origin; /* NULL: none. Without a script nothing but this answers. */

    bool dev;   /* error texts in 500 pages, /__holdfast/ endpoints for loopback clients */
    bool eager; /* start the worker at once, not at the first event, so that errors show */
};

/* host: "example.com", "*.example.com" or NULL for any; path: "/api/" prefix of segments, or NULL
 * for any. The longest host wins, then the longest path. app: a name of app_config. */
struct edge_route {
    const char *host;
    const char *path;
    const char *app;
};

/* What becomes of an application's code, told on edge 0's loop; may call edge 0's verbs. */
struct edge_ops {
    /* A generation of its worker has evaluated the module. */
    void (*app_ready)(void *arg, const char *app);
    /* The code cannot run, or its worker ends before it is ready: text says why, with file and
     * line. */
    void (*app_failed)(void *arg, const char *app, struct slice text);
};

/*
 * Who may publish at the control door; one match is enough. All empty: everyone who reaches the
 * door. Lists are NULL-terminated, NULL is an empty list.
 */
struct publish_auth {
    const char *const *tokens;  /* of `Authorization: Bearer` and `Fastly-Key` */
    const char *const *logins;  /* "user:password" of `Authorization: Basic` */
    const struct app_key *keys; /* a Bearer JWT that one of these verifies, with `exp` */
    size_t n_keys;
    const char *jwt_iss; /* the `iss` of such a JWT must be this; NULL: any */
};

/* ZeroMQ's sockets, as "tcp://127.0.0.1:5560" or "ipc://path"; NULL: none. Edge 0 has them. */
struct zmq_options {
    const char *const *pull;   /* PULL, bound; NULL-terminated, or NULL */
    const char *const *sub;    /* SUB, bound; the same */
    bool sub_connect;          /* `sub` are connected to instead */
    const char *command;       /* REP, bound */
    const char *const *stats;  /* PUB, bound */
    const char *stats_from;    /* `from` of statistics ["holdfast"] */
    bool stats_json;           /* "J" and JSON instead of tnetstrings */
    bool no_stats_connections; /* no `conn` messages */
    uint32_t stats_conn_ms;    /* the ttl that `conn` messages promise [120000] */
    uint32_t stats_sub_ms;     /* … and `sub` messages [60000] */
    uint32_t stats_report_ms;  /* between `report` messages [10000] */
    uint16_t ipc_mode;         /* of "ipc://" paths [0600] */
};

/* Publishing, of a whole gateway. 0 means the default in brackets; APP_NEVER: no limit. */
struct grip_options {
    struct publish_auth auth;
    uint32_t control_headers; /* bytes of a publish request's head [10000] */
    uint32_t control_body;    /* … of its body [1000000] */
    uint32_t control_clients; /* connections of the control door [128] */
    uint32_t message_rate;    /* deliveries a second for one route id [no limit] */
    uint32_t message_hwm;     /* deliveries that may wait for that; more are dropped [25000] */
    uint32_t message_block;   /* bytes that count as one delivery [a message is one] */
    uint32_t message_wait_ms; /* an item waits for its predecessor (prev-id) [5000] */
    uint32_t id_cache_ms;     /* the same id is not delivered twice within [60000] */
    uint32_t linger_ms;       /* a polled channel stays known without subscribers [60000] */
    bool no_first;            /* holds are not refreshed when their channel becomes known */
    uint32_t history_count;   /* messages kept for a channel, for recovery [100] */
    uint32_t history_bytes;   /* … bytes of them [1 MiB] */
    uint32_t history_ms;      /* … for so long [300000] */
    uint64_t history_total;   /* bytes kept for all channels together [64 MiB] */
    struct zmq_options zmq;
};

struct edge_options {
    unsigned index; /* of this edge, 0 … count-1; edge 0 has the fleet */
    unsigned count; /* at most PULSE_LINKS */
    const struct app_config *apps;
    size_t n_apps;
    const struct edge_route *routes; /* none: the first application answers everything */
    size_t n_routes;
    const struct edge_ops *ops; /* may be NULL */
    void *arg;
    struct log log;           /* a copy for each edge; its ops are shared by all */
    uint32_t max_connections; /* of all edges; 0: what RLIMIT_NOFILE leaves in their file tables */
    unsigned file_tables;     /* of all edges together (io/threads.h); 0 is 1 */
    uint32_t goodbye_ms;      /* on a stop, clients with WebSockets may go on for so long [0] */
    uint32_t max_per_client;  /* of those, with one IPv4 address or IPv6 /64; 0: no limit */
    /* Proxies whose X-Forwarded-For and Forwarded are believed: addresses, networks, "private".
     * NULL-terminated, or NULL. They have no limit of their own. */
    const char *const *trusted_proxies;
    uint64_t memory_bytes;  /* the process may have resident: above it nobody is accepted and the
                               newest  connections are ended (shed.h); 0: no ceiling */
    const char *access_log; /* a file (io/log_file.h), "-": standard error; NULL: none. Its form is
                               the log's */
    struct grip_options grip;
};

/* NULL with *note when an option is wrong (unknown application of a route, no assets folder…). */
struct edge *edge_new(struct loop *loop, const struct edge_options *o, struct err_note *note);
/* After edge_stop() is done, with all loops at rest, on its thread; siblings before edge 0. NULL is
 * nothing. */
void edge_free(struct edge *e);

/* Tells count edges of each other; edges[i] has index i. Needed for one edge also. */
void edge_introduce(struct edge *const *edges, unsigned count);
/* Starts what is to run from the beginning: eager workers, those of waiting alarms, ZeroMQ. With
 * edge 0, when everything else has succeeded. */
void edge_begin(struct edge *edge0);

enum edge_door {
    EDGE_PUBLIC,  /* applications, by the routes */
    EDGE_CONTROL, /* the publish API, /metrics, /healthz, /readyz */
};

struct edge_address {
    const char *host;
    uint16_t port;
    const char *path;              /* a Unix socket instead of both */
    uint16_t mode;                 /* of the path; 0: 0600 */
    const struct tls_options *tls; /* NULL: none */
    bool proxy_protocol; /* connections begin with a PROXY header (wire/proxy.h), and must */
};

/*
 * Accepts there (port 0: any, *ret_port says which; siblings then listen at that one). All edges
 * are given the same addresses in the same order, edge 0 first. -ERR_OS with the note saying why
 * (in use, not permitted, no such address), -ERR_CONFIG: a certificate cannot be used.
 */
int edge_listen(struct edge *e, enum edge_door door, const struct edge_address *at,
                uint16_t *ret_port, struct err_note *note);

/*
 * The nth edge_listen() (from 0) takes these certificates for new connections, on all edges; what
 * was wrong with them is logged, and the old ones stay. On edge 0's loop.
 */
void edge_certify(struct edge *e, size_t nth, const struct tls_certificate *certificates, size_t n);

/*
 * New code or configuration for the application of that name, on edge 0's loop. The new
 * generation is started beside the old one; when it is ready the old one finishes what is running
 * (limits.drain_ms) and leaves, and then the new one gets the events. Hibernatable sockets stay,
 * others close with 1012. When the new code cannot run: in dev requests are answered with its error
 * until the next reload; otherwise the old generation stays. -ERR_NOT_FOUND: no such application.
 * -ERR_CONFIG: the note says what is wrong with it; nothing was changed.
 */
int edge_reload(struct edge *e, const struct app_config *app, struct err_note *note);

/*
 * Stops accepting; idle connections close, others after their response. goodbye_ms later clients
 * hear 1001 (going away) on their WebSockets and workers are drained: requests have limits.drain_ms
 * from then on to be answered, and clients to take the answers; what is not over then is cut, event
 * streams among it. Then done is called, once. On edge 0's loop; siblings are told. A second call
 * ends all waits at once.
 */
void edge_stop(struct edge *e, void (*done)(void *arg), void *arg);

#endif

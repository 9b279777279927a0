/*
 * Egress: the requests that worker code makes (fetch, new WebSocket), by libcurl on the edge's
 * loop.
 *
 * One struct egress for each application of an edge: connections, names and certificates that one
 * application's policy gives are not shared with another. A call is one fetch, redirects included;
 * its facts come from the loop, never from inside a verb. Bodies flow under credit both ways, as on
 * the link: egress_credit() lets response bytes come, taken() says how many request bytes are gone.
 *
 * Content codings are passed through as they come (the worker decodes what JavaScript reads).
 */
#ifndef EGRESS_EGRESS_H
#define EGRESS_EGRESS_H

#include "base/bytes.h"
#include "base/err.h"

struct loop;
struct stream;
struct transport;
struct websocket_options;
struct egress;
struct egress_call;

/* What outgoing requests may do. Lists are NULL-terminated; NULL is an empty list. */
struct egress_policy {
    const char *const *allow;   /* "host", "*.host", "host:port", "10.0.0.0/8"; empty: everything */
    const char *const *deny;    /* the same; wins over allow */
    const char *const *resolve; /* "HOST:PORT:ADDRESS", as curl --resolve */
    const char *const *ca_files; /* PEM, trusted besides the system's */
};

/* 0 means the default in brackets. */
struct egress_limits {
    uint32_t calls;      /* at once: -ERR_OVERLOADED [1024] */
    uint32_t idle;       /* connections kept for reuse [64] */
    uint32_t connect_ms; /* name, TCP and TLS together [20000] */
    uint32_t head_ms;    /* from the last byte of the request to the response's head [300000] */
    uint32_t redirects;  /* [20], as fetch() */
};

/* NULL with the note when a rule, an override or a certificate file is wrong. policy is copied;
 * ws must outlive the egress and the sockets it made. */
struct egress *egress_new(struct loop *loop, const struct egress_policy *policy,
                          const struct egress_limits *limits, const struct websocket_options *ws,
                          struct err_note *note);
/* Cancels all calls, in silence. Sockets that were handed over live on. NULL is nothing. */
void egress_free(struct egress *e);

enum egress_redirect { EGRESS_FOLLOW, EGRESS_MANUAL, EGRESS_ERROR }; /* the numbers of FETCH */

/* All slices are copied. */
struct egress_request {
    struct slice head; /* as in FETCH: "METHOD URL\n" and "name: value\n"…; framing fields and Host
                          in it are ignored. Schemes: http, https, and for an upgrade ws, wss */
    enum egress_redirect redirect;
    uint8_t body;    /* IPC_BODY_NONE, _LENGTH, _STREAM */
    uint64_t length; /* of an IPC_BODY_LENGTH */
    bool upgrade;    /* a WebSocket is asked for; no body then */
    /* NULL, or "http://127.0.0.1:9000": the request goes there (its own host stays in Host), and no
     * rule of the policy applies. */
    const char *service;
};

/* Valid until response() returns. */
struct egress_response {
    uint16_t status;
    struct slice reason;
    struct slice head; /* "name: value\n"…, without the fields about the connection */
    struct slice url;  /* where redirects led; empty when there were none */
    uint8_t body;      /* IPC_BODY_… */
    uint64_t length;
    /* The upgrade was granted (status 101): a paused transport, the receiver's from now on. This is
     * then the call's last fact. Otherwise NULL. */
    struct transport *socket;
};

/* A connection, and nothing said on it. Everything is copied. */
struct egress_connect {
    const char *host; /* a name or an address */
    uint16_t port;
    const char *path;       /* a Unix socket instead of both */
    const char *name;       /* SNI of TLS (an address is checked, and not sent); NULL: no TLS */
    const char *cert_name;  /* the name the certificate must have; NULL: `name` */
    bool insecure;          /* the certificate is not checked */
    struct slice cert, key; /* PEM of a client's certificate, or empty */
    struct slice ca;        /* PEM, trusted instead of the system's; or empty */
    bool by_rules;          /* the policy's rules hold */
};

/* Facts. Each may call any verb of its call but not egress_free(). */
struct egress_ops {
    /* The head of the final response. */
    void (*response)(void *arg, const struct egress_response *r);
    /* Response bytes, within the credit. */
    void (*body)(void *arg, struct slice bytes);
    /* The response is complete, with or without a body. Last; the call is gone. */
    void (*ended)(void *arg);
    /* No response, or its body was cut. Last; the call is gone. text: for people. */
    void (*failed)(void *arg, int err, struct slice text);
    /* n bytes of the request's body have left the queue. */
    void (*taken)(void *arg, size_t n);
    /* Of egress_connect(): a paused stream, the receiver's from now on. Last; the call is gone. */
    void (*connected)(void *arg, struct stream *take_s);
};

/* Never NULL: what is wrong is told by failed(). The call lives until its last fact or
 * egress_cancel(). */
struct egress_call *egress_start(struct egress *e, const struct egress_request *r,
                                 const struct egress_ops *ops, void *arg);
/* Connects; failed() or connected() is told, later. Of the others only egress_cancel() may be
 * called. */
struct egress_call *egress_connect(struct egress *e, const struct egress_connect *to,
                                   const struct egress_ops *ops, void *arg);
/* More of the request's body; end: that was all. A sender that ignores its credit
 * (IPC_BODY_WINDOW and what taken() gave) or its announced length makes the call fail. */
void egress_body(struct egress_call *c, struct slice bytes, bool end);
/* n more bytes of the response's body may come. Begins with IPC_BODY_WINDOW. */
void egress_credit(struct egress_call *c, size_t n);
/* Nobody wants it any more (or the request's body was aborted): no further fact. */
void egress_cancel(struct egress_call *c);

/* Calls under way, for a gauge. */
unsigned egress_calls(const struct egress *e);

#endif

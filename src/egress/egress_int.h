/* What the files of egress share: egress.c (libcurl on the loop), call.c (one fetch), redirect.c
 * (its next hop), dial.c (a connection only), socket.c (the opening handshake of a WebSocket). */
#ifndef EGRESS_EGRESS_INT_H
#define EGRESS_EGRESS_INT_H

#include <curl/curl.h>

#include "base/list.h"
#include "egress/egress.h"
#include "egress/rules.h"
#include "io/loop.h"

enum {
    EGRESS__HEAD_MAX = 128 << 10, /* bytes of a response's fields */
    EGRESS__KEEP_MAX = 1 << 20,   /* of a request's body, kept so that a redirect can repeat it */
};

struct egress {
    struct loop *loop;
    CURLM *multi;
    struct timer timer;
    bool is_timer_told; /* libcurl set the timer since we last asked */
    bool is_closed;
    unsigned sockets; /* connections handed over, which live in multi */
    unsigned calls;
    struct egress_limits limits;
    const struct websocket_options *ws;
    struct egress_rules rules;
    struct curl_slist *resolve;
    struct list open;
    char **ca_files;
    size_t n_ca_files;
};

/* The transfer's end is told to egress__call_done(). Sets what is the same for all transfers. */
CURL *egress__easy(struct egress *e, struct egress_call *c);
/* Looks for finished transfers; after every action on the multi, never inside libcurl. */
void egress__collect(struct egress *e);
/* A call or a socket has gone: frees a closed egress with its last one. In the reap phase. */
void egress__rest(struct egress *e);
/* The library's certificates and the policy's. */
CURLcode egress__tls(CURL *easy, void *ctx, void *arg_e);

/*
 *   NEW ─► HEAD ─┬─► BODY ──► OVER
 *           ▲    ├─► SKIP (a redirect's body) ─► HEAD (next hop)
 *           │    └─► SHAKE (WebSocket) ─► OVER or BODY or HEAD (next hop)
 *   any ────┴──────► OVER (failed, cancelled)
 */
enum egress__state { CALL_NEW, CALL_HEAD, CALL_SKIP, CALL_SHAKE, CALL_BODY, CALL_OVER };

struct egress_call {
    struct list in_egress;
    struct egress *egress;
    const struct egress_ops *ops;
    void *arg;
    enum egress__state state;
    bool is_posted; /* work() is due */
    bool is_reaped;
    int broken; /* an error that the asker made */

    /* The request. */
    char *method;
    CURLU *url;
    struct buf fields; /* "name: value\n"…, those that we pass on */
    char *service;
    struct dial *dial; /* only a connection is asked for; NULL: a request */
    bool is_exempt;    /* from the rules */
    enum egress_redirect redirect;
    bool upgrade;
    bool offers_deflate; /* the asker would like its WebSocket compressed */
    unsigned hops;

    /* Its body: queue[at..] waits; what is before `at` is kept for a redirect. */
    uint8_t body;
    bool is_ended;
    bool is_unwanted; /* a redirect made a GET of it: taken and dropped */
    uint64_t length;
    uint64_t given;   /* bytes that came */
    uint64_t told;    /* bytes that taken() told of */
    uint64_t dropped; /* bytes not kept any more */
    struct buf queue;
    size_t at;

    /* This hop. */
    CURL *easy;
    struct curl_slist *lines;
    struct curl_slist *connect_to;
    struct timer head_timer;
    uint16_t port;
    bool by_name;
    bool was_denied;
    bool is_send_paused;
    bool is_recv_paused;
    bool is_late;
    size_t wanted; /* credit that the paused piece needs */
    size_t credit;
    size_t skipped;
    uint16_t status;
    struct buf reason;
    struct buf head;
    struct buf location;
    struct shake *shake;
    char error[CURL_ERROR_SIZE];
};

/* --- call.c --- */

/* A new call, which is counted and listed, and has nothing to do yet. */
struct egress_call *egress__call_new(struct egress *e, const struct egress_ops *ops, void *arg);
/* Its transfer has ended. */
void egress__call_done(struct egress_call *c, CURLcode code);
/* libcurl asks for a descriptor; CURL_SOCKET_BAD when the rules forbid the address. */
curl_socket_t egress__call_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address);
/* Does c's due work soon. */
void egress__post(struct egress_call *c);
/* The last fact. text may be empty. */
void egress__fail(struct egress_call *c, int err, struct slice text);
void egress__end(struct egress_call *c);

/* A head line by line, whatever its source. begin empties it. field: -ERR_TOO_LARGE. */
void egress__head_begin(struct egress_call *c, unsigned status, struct slice reason);
int egress__head_field(struct egress_call *c, struct slice name, struct slice value);
/* The head is whole: 1: it is a redirect to be followed (state SKIP); 0: response() was told;
 * < 0: the call has failed. */
int egress__head_end(struct egress_call *c, uint8_t body, uint64_t length,
                     struct transport *socket);
/* Asks what c's URL and fields say now: the first hop, or the next one. */
void egress__hop(struct egress_call *c);
/* The transfer of the hop before is over. */
void egress__detach(struct egress_call *c);

/* --- redirect.c --- */

/* Goes where a redirect leads. */
void egress__follow(struct egress_call *c);
/* Drops what no server is told: user, password, fragment. */
void egress__strip(CURLU *url);

/* --- texts for libcurl --- */

/* With its NUL, good until the next verb of the buf. */
static inline const char *egress__text(struct buf *text)
{
    (void)buf_add_byte(text, 0);
    return (const char *)text->p;
}

/* A part of its URL, for CLEANUP(egress__part_free); NULL: it has none. */
static inline char *egress__part(const struct egress_call *c, CURLUPart part, unsigned flags)
{
    char *s = NULL;

    return curl_url_get(c->url, part, &s, flags) == CURLUE_OK ? s : NULL;
}

static inline void egress__part_free(char **s)
{
    curl_free(*s);
}

/* --- dial.c --- */

/* Which socket, which TLS. */
void egress__dial_set(struct egress_call *c);
/* Whether the rules permit it. */
bool egress__dial_is_allowed(struct egress_call *c);
/* c's easy handle is connected: hands it up. */
void egress__dialled(struct egress_call *c);
void egress__dial_free(struct egress_call *c);

/* --- socket.c --- */

/* c's connection as a stream of ours. NULL: there is none. Of TLS libcurl's handle goes with it. */
struct stream *egress__stream(struct egress_call *c);
/* c's easy handle is connected: says the opening handshake. Takes the handle. */
void egress__shake(struct egress_call *c);
/* New credit, or the call is over (frees it). */
void egress__shake_resume(struct egress_call *c);
void egress__shake_free(struct egress_call *c);

#endif

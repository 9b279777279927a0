/*
 * libcurl's multi handle on our loop. It says which descriptors and which time it waits for; we
 * tell it what has happened. It expects level-triggered readiness and the loop gives edges, so a
 * watch that is still wanted after an action is armed again.
 */
#include "egress/egress.h"

#include <assert.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/epoll.h>

#include "egress/egress_int.h"

/* --- descriptors --- */

struct socket {
    struct watch watch;
    struct egress *egress;
    uint32_t events; /* what libcurl waits for; 0: nothing, and the watch is off */
    bool is_gone;
};

static void on_ready(struct watch *w, uint32_t events)
{
    struct socket *s = CONTAINER_OF(w, struct socket, watch);
    struct egress *e = s->egress;
    int running, action = 0; /* 0: libcurl looks for itself */

    if (s->is_gone || !s->events)
        return;
    if (!(events & ~(uint32_t)(EPOLLIN | EPOLLOUT)))
        action =
            (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
    (void)curl_multi_socket_action(e->multi, w->fd, action, &running);
    if (!s->is_gone && s->events)
        (void)watch_change(e->loop, w, s->events);
    egress__collect(e);
}

static void free_socket(void *arg)
{
    mem_free(arg);
}

static void forget_socket(struct egress *e, struct socket *s)
{
    if (s->events)
        watch_stop(e->loop, &s->watch);
    s->events = 0;
    s->is_gone = true;
    (void)curl_multi_assign(e->multi, s->watch.fd, NULL);
    loop_defer(e->loop, LOOP_REAP, free_socket, s);
}

static struct socket *new_socket(struct egress *e, curl_socket_t fd)
{
    struct socket *s = mem_new(sizeof(*s));

    s->watch.ready = on_ready;
    s->watch.fd = fd;
    s->egress = e;
    (void)curl_multi_assign(e->multi, fd, s);
    return s;
}

static void want_events(struct egress *e, struct socket *s, uint32_t events)
{
    const uint32_t before = s->events;

    if (events == before)
        return;
    s->events = events;
    if (!events)
        watch_stop(e->loop, &s->watch);
    else if (before)
        (void)watch_change(e->loop, &s->watch, events);
    else if (watch_start(e->loop, &s->watch, events) < 0)
        s->events = 0; /* the kernel is out of memory: the transfer times out */
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
    struct egress *e = arg;
    struct socket *s = assigned;

    if (what == CURL_POLL_REMOVE) {
        if (s)
            forget_socket(e, s);
        return 0;
    }
    if (!s)
        s = new_socket(e, fd);
    want_events(e, s, (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0));
    return 0;
}

/* --- time --- */

static int on_timer(CURLM *multi, long ms, void *arg)
{
    struct egress *e = arg;

    e->is_timer_told = true;
    if (ms < 0)
        timer_del(e->loop, &e->timer);
    else /* the tick's time stands a little behind libcurl's clock */
        timer_set(e->loop, &e->timer, loop_now(e->loop) + ms + (ms > 0));
    return 0;
}

static void on_due(struct timer *t)
{
    struct egress *e = CONTAINER_OF(t, struct egress, timer);
    int running;
    long ms;

    e->is_timer_told = false;
    (void)curl_multi_socket_action(e->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    /* When it was asked a moment too early it does not repeat what it is waiting for. */
    if (!e->is_timer_told && curl_multi_timeout(e->multi, &ms) == CURLM_OK && ms >= 0)
        (void)on_timer(e->multi, MAX(ms, 1), e);
    egress__collect(e);
}

void egress__collect(struct egress *e)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(e->multi, &left))) {
        struct egress_call *c = NULL;
        const CURLcode code = msg->data.result;

        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        egress__call_done(c, code);
    }
}

/* --- transfers --- */

CURLcode egress__tls(CURL *easy, void *ctx, void *arg_e)
{
    struct egress *e = arg_e;
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);

    for (size_t i = 0; i < e->n_ca_files; i++)
        if (X509_STORE_load_file(store, e->ca_files[i]) != 1)
            return CURLE_SSL_CACERT_BADFILE;
    return CURLE_OK;
}

CURL *egress__easy(struct egress *e, struct egress_call *c)
{
    CURL *easy = curl_easy_init();

    if (!easy)
        return NULL;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, c);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    /* One response at a time on a connection, so that one slow reader stops only itself. */
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)e->limits.connect_ms);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, egress__call_socket);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, c);
    if (e->resolve)
        (void)curl_easy_setopt(easy, CURLOPT_RESOLVE, e->resolve);
    if (e->n_ca_files) {
        (void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, egress__tls);
        (void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, e);
    }
    return easy;
}

/* --- life --- */

static uint32_t or_default(uint32_t v, uint32_t preset)
{
    return v ? v : preset;
}

static struct egress_limits with_defaults(const struct egress_limits *l)
{
    const struct egress_limits none = {0};

    if (!l)
        l = &none;
    return (struct egress_limits){
        .calls = or_default(l->calls, 1024),
        .idle = or_default(l->idle, 64),
        .connect_ms = or_default(l->connect_ms, 20000),
        .head_ms = or_default(l->head_ms, 300000),
        .redirects = or_default(l->redirects, 20),
    };
}

/* "HOST:PORT:ADDRESS[,ADDRESS…]" */
static bool is_override(struct slice s)
{
    struct slice host, port, address;
    struct egress_address a;
    uint64_t n;

    if (!slice_split(&s, ':', &host) || !slice_split(&s, ':', &port) || host.n == 0 || s.n == 0 ||
        slice_u64(port, 65535, &n) < 0)
        return false;
    while (slice_split(&s, ',', &address))
        if (!egress_address_parse(address, &a))
            return false;
    return true;
}

static int set_resolve(struct egress *e, const char *const *list, struct err_note *note)
{
    for (; list && *list; list++) {
        if (!is_override(slice_str(*list)))
            return err_notef(note, -ERR_CONFIG,
                             "egress.resolve: expected HOST:PORT:ADDRESS, found \"%.100s\"", *list);
        e->resolve = curl_slist_append(e->resolve, *list);
    }
    return 0;
}

/* Tried once here, so that a wrong file is found at start. */
static int set_ca_files(struct egress *e, const char *const *list, struct err_note *note)
{
    X509_STORE *store = X509_STORE_new();
    int r = 0;

    while (list && list[e->n_ca_files])
        e->n_ca_files++;
    e->ca_files = mem_new((e->n_ca_files + 1) * sizeof(char *));
    for (size_t i = 0; i < e->n_ca_files; i++) {
        e->ca_files[i] = slice_dup(slice_str(list[i]));
        if (r == 0 && X509_STORE_load_file(store, list[i]) != 1)
            r = err_notef(note, -ERR_CONFIG, "egress.ca: no certificate could be read from %.300s",
                          list[i]);
    }
    X509_STORE_free(store);
    return r;
}

static int set_policy(struct egress *e, const struct egress_policy *p, struct err_note *note)
{
    int r;

    if ((r = egress_rules_init(&e->rules, p->allow, p->deny, note)) < 0 ||
        (r = set_resolve(e, p->resolve, note)) < 0)
        return r;
    return set_ca_files(e, p->ca_files, note);
}

static bool set_multi(struct egress *e)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(e->multi = curl_multi_init()))
        return false;
    (void)curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e);
    (void)curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e);
    (void)curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, (long)e->limits.idle);
    return true;
}

static void destroy(struct egress *e)
{
    if (e->multi)
        (void)curl_multi_cleanup(e->multi); /* forgets its descriptors: on_socket */
    timer_del(e->loop, &e->timer);
    curl_slist_free_all(e->resolve);
    egress_rules_done(&e->rules);
    for (size_t i = 0; i < e->n_ca_files; i++)
        mem_free(e->ca_files[i]);
    mem_free(e->ca_files);
    mem_free(e);
}

struct egress *egress_new(struct loop *loop, const struct egress_policy *policy,
                          const struct egress_limits *limits, const struct websocket_options *ws,
                          struct err_note *note)
{
    struct egress *e = mem_new(sizeof(*e));

    e->loop = loop;
    e->timer.due = on_due;
    e->limits = with_defaults(limits);
    e->ws = ws;
    list_init(&e->open);
    if (set_policy(e, policy, note) < 0) {
        destroy(e);
        return NULL;
    }
    if (!set_multi(e)) {
        (void)err_notef(note, -ERR_OS, "libcurl could not be started");
        destroy(e);
        return NULL;
    }
    return e;
}

void egress__rest(struct egress *e)
{
    if (e->is_closed && !e->calls && !e->sockets)
        destroy(e);
}

static void rest(void *arg)
{
    egress__rest(arg);
}

void egress_free(struct egress *e)
{
    struct list *it, *tmp;

    if (!e || e->is_closed)
        return;
    LIST_EACH (&e->open, it, tmp)
        egress_cancel(LIST_ITEM(it, struct egress_call, in_egress));
    e->is_closed = true;
    if (!e->calls && !e->sockets)
        loop_defer(e->loop, LOOP_REAP, rest, e);
}

unsigned egress_calls(const struct egress *e)
{
    return e->calls;
}

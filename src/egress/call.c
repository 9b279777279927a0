/*
 * One fetch: hops from URL to URL (redirect.c) until a response is the answer.
 *
 * libcurl calls back while it runs, and must not be called from there. So the verbs only note what
 * is to be done and work() does it, in the deferred phase.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "egress/egress_int.h"
#include "wire/http1.h"
#include "wire/ipc.h"

/* --- the end --- */

void egress__detach(struct egress_call *c)
{
    timer_del(c->egress->loop, &c->head_timer);
    if (c->easy) {
        (void)curl_multi_remove_handle(c->egress->multi, c->easy);
        curl_easy_cleanup(c->easy);
        c->easy = NULL;
    }
    egress__shake_free(c);
    curl_slist_free_all(c->lines);
    curl_slist_free_all(c->connect_to);
    c->lines = c->connect_to = NULL;
}

static void reap(void *arg)
{
    struct egress_call *c = arg;
    struct egress *e = c->egress;

    curl_url_cleanup(c->url);
    buf_done(&c->fields);
    buf_done(&c->queue);
    buf_done(&c->reason);
    buf_done(&c->head);
    buf_done(&c->location);
    mem_free(c->method);
    mem_free(c->service);
    egress__dial_free(c);
    mem_free(c);
    e->calls--;
    egress__rest(e);
}

static void set_over(struct egress_call *c)
{
    c->state = CALL_OVER;
    list_del(&c->in_egress);
    egress__post(c);
}

void egress__fail(struct egress_call *c, int err, struct slice text)
{
    if (c->state == CALL_OVER)
        return;
    set_over(c);
    c->ops->failed(c->arg, err, text.n ? text : slice_str(err_text(err)));
}

void egress__end(struct egress_call *c)
{
    if (c->state == CALL_OVER)
        return;
    set_over(c);
    c->ops->ended(c->arg);
}

void egress_cancel(struct egress_call *c)
{
    if (c->state != CALL_OVER)
        set_over(c);
}

/* --- the request's body --- */

static size_t waiting(const struct egress_call *c)
{
    return c->queue.n - c->at;
}

/* What has left stays for a redirect while it is small, and goes in big steps when not. */
static void trim_queue(struct egress_call *c)
{
    const bool keep = c->redirect == EGRESS_FOLLOW && c->given <= EGRESS__KEEP_MAX;

    if (keep || c->at < c->queue.n / 2 || c->at == 0)
        return;
    buf_consume(&c->queue, c->at);
    c->dropped += c->at;
    c->at = 0;
}

static void tell_taken(struct egress_call *c)
{
    const uint64_t left = c->is_unwanted ? c->given : c->dropped + c->at;
    const uint64_t n = left > c->told ? left - c->told : 0;

    c->told += n;
    if (n)
        c->ops->taken(c->arg, (size_t)n);
}

static void start_waiting_for_head(struct egress_call *c)
{
    timer_set(c->egress->loop, &c->head_timer,
              loop_now(c->egress->loop) + c->egress->limits.head_ms);
}

static size_t on_read(char *to, size_t size, size_t count, void *arg)
{
    struct egress_call *c = arg;
    const size_t n = MIN(size * count, waiting(c));

    if (c->state == CALL_OVER)
        return CURL_READFUNC_ABORT;
    if (n == 0) {
        c->is_send_paused = !c->is_ended;
        return c->is_ended ? 0 : CURL_READFUNC_PAUSE;
    }
    memcpy(to, c->queue.p + c->at, n);
    c->at += n;
    trim_queue(c);
    if (c->state == CALL_HEAD)
        start_waiting_for_head(c);
    tell_taken(c);
    return n;
}

/* libcurl begins again, on another connection when the pooled one was dead. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct egress_call *c = arg;

    if (origin != SEEK_SET || c->dropped || offset < 0 || (uint64_t)offset > c->queue.n)
        return CURL_SEEKFUNC_CANTSEEK;
    c->at = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int check_body(const struct egress_call *c)
{
    if (c->body == IPC_BODY_NONE || (c->body == IPC_BODY_LENGTH && c->given > c->length))
        return -ERR_FETCH;
    if (c->is_ended && c->body == IPC_BODY_LENGTH && c->given != c->length)
        return -ERR_FETCH;
    return waiting(c) > 2 * IPC_BODY_WINDOW ? -ERR_OVERLOADED : 0;
}

void egress_body(struct egress_call *c, struct slice bytes, bool end)
{
    if (c->state == CALL_OVER || c->is_ended || c->broken)
        return;
    c->given += bytes.n;
    c->is_ended = end;
    if (c->is_unwanted) {
        egress__post(c);
        return;
    }
    c->broken = buf_add(&c->queue, bytes);
    if (!c->broken)
        c->broken = check_body(c);
    egress__post(c);
}

/* --- the response's head --- */

void egress__head_begin(struct egress_call *c, unsigned status, struct slice reason)
{
    buf_clear(&c->head);
    buf_clear(&c->location);
    buf_clear(&c->reason);
    c->status = (uint16_t)status;
    (void)buf_add(&c->reason, http1_is_value(reason) ? reason : SLICE_NONE);
}

/* Fields about the connection end here, but for the length that JavaScript may want to see. */
static bool is_told(struct slice name)
{
    return !http1_is_framing(name) || slice_eq_nocase(name, SLICE("content-length"));
}

int egress__head_field(struct egress_call *c, struct slice name, struct slice value)
{
    if (slice_eq_nocase(name, SLICE("location")) && c->location.n == 0)
        (void)buf_add(&c->location, value);
    if (!is_told(name))
        return 0;
    return buf_addf(&c->head, "%.*s: %.*s\n", SLICE_FMT(name), SLICE_FMT(value));
}

static bool is_redirect(const struct egress_call *c)
{
    const unsigned s = c->status;

    return (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) && c->location.n > 0;
}

static void tell_response(struct egress_call *c, uint8_t body, uint64_t length,
                          struct transport *socket)
{
    char *url = NULL;

    if (c->hops)
        (void)curl_url_get(c->url, CURLUPART_URL, &url, 0);
    c->ops->response(c->arg, &(struct egress_response){
                                 .status = c->status,
                                 .reason = buf_slice(&c->reason),
                                 .head = buf_slice(&c->head),
                                 .url = slice_str(url),
                                 .body = body,
                                 .length = length,
                                 .socket = socket,
                             });
    curl_free(url);
}

int egress__head_end(struct egress_call *c, uint8_t body, uint64_t length, struct transport *socket)
{
    timer_del(c->egress->loop, &c->head_timer);
    if (is_redirect(c) && c->redirect == EGRESS_ERROR) {
        egress__fail(c, -ERR_REDIRECT,
                     SLICE("the server answered with a redirect, and redirect is \"error\""));
        return -ERR_REDIRECT;
    }
    if (is_redirect(c) && c->redirect == EGRESS_FOLLOW) {
        c->state = CALL_SKIP;
        c->skipped = 0;
        return 1;
    }
    c->state = CALL_BODY;
    if (socket)
        set_over(c);
    tell_response(c, body, length, socket);
    return 0;
}

/* --- the response, as libcurl gives it --- */

/* "HTTP/1.1 200 OK" */
static bool begin_head(struct egress_call *c, struct slice line)
{
    struct slice version, status;
    uint64_t v;

    if (!slice_split(&line, ' ', &version) || !slice_split(&line, ' ', &status) ||
        slice_u64(status, 999, &v) < 0)
        return false;
    egress__head_begin(c, (unsigned)v, slice_trim(line));
    return true;
}

static bool add_field(struct egress_call *c, struct slice line)
{
    const ptrdiff_t colon = slice_find(line, ':');
    const struct slice name = slice_sub(line, 0, colon > 0 ? (size_t)colon : 0);
    const struct slice value = slice_trim(slice_sub(line, name.n + 1, line.n));

    /* What HTTP does not allow does not reach JavaScript. */
    if (!http1_is_token(name) || !http1_is_value(value))
        return true;
    return egress__head_field(c, name, value) == 0;
}

static bool end_head(struct egress_call *c)
{
    const bool is_empty = strcmp(c->method, "HEAD") == 0 || c->status == 204 || c->status == 304;
    curl_off_t length = -1;
    uint8_t body = IPC_BODY_STREAM;

    if (c->status < 200)
        return c->status != 101; /* "100 Continue": the answer follows */
    (void)curl_easy_getinfo(c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (is_empty || length == 0)
        body = IPC_BODY_NONE;
    else if (length > 0)
        body = IPC_BODY_LENGTH;
    return egress__head_end(c, body, body == IPC_BODY_LENGTH ? (uint64_t)length : 0, NULL) >= 0 &&
           c->state != CALL_OVER;
}

static size_t on_header(char *p, size_t size, size_t count, void *arg)
{
    struct egress_call *c = arg;
    const size_t n = size * count;
    struct slice line = slice_make(p, n);
    bool is_fine;

    if (c->state == CALL_OVER)
        return 0;
    if (c->state != CALL_HEAD)
        return n; /* trailers */
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    if (line.n == 0)
        is_fine = end_head(c);
    else if (slice_starts(line, SLICE("HTTP/")))
        is_fine = begin_head(c, line);
    else
        is_fine = add_field(c, line);
    return is_fine ? n : 0;
}

static size_t on_write(char *p, size_t size, size_t count, void *arg)
{
    struct egress_call *c = arg;
    const size_t n = size * count;

    if (c->state == CALL_SKIP) {
        c->skipped += n;
        return c->skipped > 64 << 10 ? 0 : n;
    }
    if (c->state != CALL_BODY)
        return 0;
    if (n > c->credit) {
        c->is_recv_paused = true;
        c->wanted = n;
        return CURL_WRITEFUNC_PAUSE;
    }
    c->credit -= n;
    c->ops->body(c->arg, slice_make(p, n));
    return c->state == CALL_OVER ? 0 : n;
}

void egress_credit(struct egress_call *c, size_t n)
{
    if (c->state == CALL_OVER)
        return;
    c->credit += n;
    egress__post(c);
}

/* --- one hop --- */

curl_socket_t egress__call_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct egress_call *c = arg;
    struct egress_address a = {.bytes = {[10] = 0xff, [11] = 0xff}};

    if (address->family == AF_INET6)
        memcpy(a.bytes, &((struct sockaddr_in6 *)(void *)&address->addr)->sin6_addr, 16);
    else if (address->family == AF_INET)
        memcpy(a.bytes + 12, &((struct sockaddr_in *)(void *)&address->addr)->sin_addr, 4);
    else if (!c->dial || address->family != AF_UNIX)
        return CURL_SOCKET_BAD;
    if (!c->is_exempt && !egress_rules_address(&c->egress->rules, &a, c->port, c->by_name)) {
        c->was_denied = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* The rules, before the name is looked up. */
static bool is_host_allowed(struct egress_call *c)
{
    CLEANUP(egress__part_free) char *host = egress__part(c, CURLUPART_HOST, 0);
    CLEANUP(egress__part_free) char *port = egress__part(c, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    enum egress_verdict verdict;
    uint64_t n = 0;

    if (c->dial)
        return egress__dial_is_allowed(c);
    if (!host || !port || slice_u64(slice_str(port), 65535, &n) < 0)
        return false;
    c->port = (uint16_t)n;
    if (c->is_exempt)
        return true;
    verdict = egress_rules_host(&c->egress->rules, slice_str(host), c->port);
    c->by_name = verdict == EGRESS_ALLOWED;
    return verdict != EGRESS_DENIED;
}

/* An empty value needs libcurl's own way to say so. */
static void add_line(struct egress_call *c, struct slice line)
{
    CLEANUP(buf_done) struct buf text = {.max = SIZE_MAX};
    const size_t name = (size_t)slice_find(line, ':');

    if (slice_trim(slice_sub(line, name + 1, line.n)).n == 0)
        (void)buf_addf(&text, "%.*s;", (int)name, (const char *)line.p);
    else
        (void)buf_add(&text, line);
    c->lines = curl_slist_append(c->lines, egress__text(&text));
}

static void add_lines(struct egress_call *c)
{
    struct slice rest = buf_slice(&c->fields), line;
    bool has_accept = false;

    while (slice_split(&rest, '\n', &line)) {
        has_accept |= slice_starts_nocase(line, SLICE("accept:"));
        add_line(c, line);
    }
    /* What libcurl would add by itself. */
    if (!has_accept)
        c->lines = curl_slist_append(c->lines, "Accept:");
    c->lines = curl_slist_append(c->lines, "Expect:");
    if (c->body == IPC_BODY_NONE &&
        (!strcmp(c->method, "POST") || !strcmp(c->method, "PUT") || !strcmp(c->method, "PATCH")))
        c->lines = curl_slist_append(c->lines, "Content-Length: 0");
    (void)curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->lines);
}

static void set_body(struct egress_call *c)
{
    if (!strcmp(c->method, "HEAD"))
        (void)curl_easy_setopt(c->easy, CURLOPT_NOBODY, 1L);
    if (c->body == IPC_BODY_NONE)
        return;
    (void)curl_easy_setopt(c->easy, CURLOPT_UPLOAD, 1L);
    (void)curl_easy_setopt(c->easy, CURLOPT_INFILESIZE_LARGE,
                           c->body == IPC_BODY_LENGTH ? (curl_off_t)c->length : (curl_off_t)-1);
    (void)curl_easy_setopt(c->easy, CURLOPT_READFUNCTION, on_read);
    (void)curl_easy_setopt(c->easy, CURLOPT_READDATA, c);
    (void)curl_easy_setopt(c->easy, CURLOPT_SEEKFUNCTION, on_seek);
    (void)curl_easy_setopt(c->easy, CURLOPT_SEEKDATA, c);
}

/* The service's scheme and address, the request's own host and path. */
static void set_service(struct egress_call *c, const char *url)
{
    CLEANUP(egress__part_free) char *scheme = NULL;
    CLEANUP(egress__part_free) char *host = NULL;
    CLEANUP(egress__part_free) char *port = NULL;
    CLEANUP(buf_done) struct buf text = {.max = SIZE_MAX};
    CURLU *service = curl_url();

    if (curl_url_set(service, CURLUPART_URL, c->service, 0) == CURLUE_OK &&
        curl_url_get(service, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(service, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(service, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        (void)buf_addf(&text, "%s%s", scheme, strstr(url, "://"));
        (void)curl_easy_setopt(c->easy, CURLOPT_URL, egress__text(&text));
        buf_clear(&text);
        (void)buf_addf(&text, "::%s:%s", host, port);
        c->connect_to = curl_slist_append(NULL, egress__text(&text));
        (void)curl_easy_setopt(c->easy, CURLOPT_CONNECT_TO, c->connect_to);
    }
    curl_url_cleanup(service);
}

static void set_target(struct egress_call *c)
{
    CLEANUP(egress__part_free) char *url = egress__part(c, CURLUPART_URL, 0);

    if (c->service && url)
        set_service(c, url);
    else
        (void)curl_easy_setopt(c->easy, CURLOPT_URL, url);
}

static void set_transfer(struct egress_call *c)
{
    set_target(c);
    (void)curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->error);
    if (c->dial)
        egress__dial_set(c);
    if (c->upgrade || c->dial) {
        (void)curl_easy_setopt(c->easy, CURLOPT_CONNECT_ONLY, 1L);
        (void)curl_easy_setopt(c->easy, CURLOPT_BUFFERSIZE, 1024L); /* we read, not libcurl */
        return;
    }
    set_body(c);
    (void)curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, c->method);
    (void)curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
    (void)curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_write);
    (void)curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
    add_lines(c);
}

static void fail_denied(struct egress_call *c)
{
    CLEANUP(egress__part_free) char *host = egress__part(c, CURLUPART_HOST, 0);
    char text[300];
    const int n =
        snprintf(text, sizeof(text), "egress rules of the configuration do not permit %.200s:%u",
                 host ? host : "this host", c->port);

    egress__fail(c, -ERR_EGRESS_DENIED, slice_make(text, (size_t)n));
}

void egress__hop(struct egress_call *c)
{
    egress__detach(c);
    if (!is_host_allowed(c)) {
        fail_denied(c);
        return;
    }
    c->state = CALL_HEAD;
    c->at = 0; /* from its beginning: a hop with a body that is not kept was refused */
    c->was_denied = c->is_send_paused = c->is_recv_paused = false;
    c->error[0] = 0;
    c->easy = egress__easy(c->egress, c);
    if (!c->easy) {
        egress__fail(c, -ERR_OVERLOADED, SLICE_NONE);
        return;
    }
    set_transfer(c);
    if (curl_multi_add_handle(c->egress->multi, c->easy) != CURLM_OK) {
        egress__fail(c, -ERR_INTERNAL, SLICE_NONE);
        return;
    }
    start_waiting_for_head(c);
}

/* --- the end of a transfer --- */

static int err_of(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return -ERR_ORIGIN_NAME;
    case CURLE_COULDNT_CONNECT:
        return -ERR_REFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return -ERR_ORIGIN_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
        return -ERR_ORIGIN_TLS;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_FAIL_REWIND:
        return -ERR_ORIGIN_LOST;
    case CURLE_URL_MALFORMAT:
        return -ERR_FETCH;
    default:
        return -ERR_ORIGIN_BAD;
    }
}

void egress__call_done(struct egress_call *c, CURLcode code)
{
    if (c->state == CALL_OVER)
        return;
    if (c->state == CALL_SKIP)
        egress__follow(c);
    else if (code == CURLE_OK && c->state == CALL_BODY)
        egress__end(c);
    else if (code == CURLE_OK && c->dial)
        egress__dialled(c);
    else if (code == CURLE_OK && c->upgrade)
        egress__shake(c);
    else if (c->was_denied && code == CURLE_COULDNT_CONNECT)
        fail_denied(c);
    else
        egress__fail(c, code == CURLE_OK ? -ERR_ORIGIN_BAD : err_of(code),
                     slice_str(c->error[0] ? c->error : curl_easy_strerror(code)));
}

static void on_late(struct timer *t)
{
    struct egress_call *c = CONTAINER_OF(t, struct egress_call, head_timer);

    c->is_late = true;
    egress__post(c);
}

/* --- work --- */

static void resume_transfer(struct egress_call *c)
{
    const bool send = c->is_send_paused && (waiting(c) || c->is_ended);
    const bool recv = c->is_recv_paused && c->credit >= c->wanted;

    if (c->is_unwanted)
        tell_taken(c);
    if (c->shake)
        egress__shake_resume(c);
    if (!c->easy || (!send && !recv))
        return;
    /* First the flags: it calls back at once. */
    c->is_send_paused &= !send;
    c->is_recv_paused &= !recv;
    (void)curl_easy_pause(c->easy, (c->is_send_paused ? CURLPAUSE_SEND : 0) |
                                       (c->is_recv_paused ? CURLPAUSE_RECV : 0));
}

static void work(void *arg)
{
    struct egress_call *c = arg;

    c->is_posted = false;
    if (c->state != CALL_OVER && c->broken)
        egress__fail(c, c->broken, SLICE_NONE);
    else if (c->state != CALL_OVER && c->is_late)
        egress__fail(c, -ERR_ORIGIN_TIMEOUT, SLICE_NONE);
    else if (c->state == CALL_NEW)
        egress__hop(c);
    else if (c->state == CALL_SKIP && c->shake)
        egress__follow(c);
    else if (c->state != CALL_OVER)
        resume_transfer(c);
    egress__collect(c->egress);
    if (c->state == CALL_OVER && !c->is_reaped) {
        c->is_reaped = true;
        egress__detach(c);
        loop_defer(c->egress->loop, LOOP_REAP, reap, c);
    }
}

void egress__post(struct egress_call *c)
{
    if (c->is_posted || c->is_reaped)
        return;
    c->is_posted = true;
    loop_defer(c->egress->loop, LOOP_DEFERRED, work, c);
}

/* --- the beginning --- */

static bool is_passed_on(const struct egress_call *c, struct slice name)
{
    static const char *const ours[] = {"sec-websocket-key", "sec-websocket-version",
                                       "sec-websocket-accept", "sec-websocket-extensions"};

    if (http1_is_framing(name) || slice_eq_nocase(name, SLICE("host")) ||
        slice_eq_nocase(name, SLICE("expect")))
        return false;
    for (size_t i = 0; c->upgrade && i < COUNT_OF(ours); i++)
        if (slice_eq_nocase(name, slice_str(ours[i])))
            return false;
    return true;
}

static int read_field(struct egress_call *c, struct slice line)
{
    const ptrdiff_t colon = slice_find(line, ':');
    const struct slice name = slice_sub(line, 0, colon > 0 ? (size_t)colon : 0);
    const struct slice value = slice_trim(slice_sub(line, name.n + 1, line.n));

    if (!http1_is_token(name) || !http1_is_value(value))
        return -ERR_FETCH;
    c->offers_deflate |= slice_eq_nocase(name, SLICE("sec-websocket-extensions")) &&
                         slice_find_slice(value, SLICE("permessage-deflate")) >= 0;
    return is_passed_on(c, name)
               ? buf_addf(&c->fields, "%.*s: %.*s\n", SLICE_FMT(name), SLICE_FMT(value))
               : 0;
}

/* ws: is http: with an upgrade. */
static int read_url(struct egress_call *c, struct slice url)
{
    CLEANUP(buf_done) struct buf text = {.max = 1 << 16};
    CLEANUP(egress__part_free) char *scheme = NULL;

    if (slice_find(url, 0) >= 0)
        return -ERR_FETCH;
    if (c->upgrade && (slice_starts(url, SLICE("ws:")) || slice_starts(url, SLICE("wss:")))) {
        (void)buf_add(&text, SLICE("http"));
        url = slice_sub(url, 2, url.n);
    }
    if (buf_add(&text, url) < 0 || !(c->url = curl_url()) ||
        curl_url_set(c->url, CURLUPART_URL, egress__text(&text), 0) != CURLUE_OK ||
        curl_url_get(c->url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        return -ERR_FETCH;
    egress__strip(c->url);
    return 0;
}

static int read_head(struct egress_call *c, struct slice head)
{
    struct slice line, method;
    int r = 0;

    if (!slice_split(&head, '\n', &line) || !slice_split(&line, ' ', &method) ||
        !http1_is_token(method) || slice_eq(method, SLICE("CONNECT")))
        return -ERR_FETCH;
    c->method = slice_dup(method);
    r = read_url(c, line);
    while (r == 0 && slice_split(&head, '\n', &line))
        r = read_field(c, line);
    return r;
}

struct egress_call *egress__call_new(struct egress *e, const struct egress_ops *ops, void *arg)
{
    struct egress_call *c = mem_new(sizeof(*c));

    c->egress = e;
    c->ops = ops;
    c->arg = arg;
    c->head_timer.due = on_late;
    c->credit = IPC_BODY_WINDOW;
    buf_init(&c->fields, EGRESS__HEAD_MAX * 2);
    buf_init(&c->queue, EGRESS__KEEP_MAX + 4 * IPC_BODY_WINDOW);
    buf_init(&c->head, EGRESS__HEAD_MAX);
    buf_init(&c->reason, 1024);
    buf_init(&c->location, 1 << 16);
    list_add_tail(&e->open, &c->in_egress);
    c->broken = ++e->calls > e->limits.calls ? -ERR_OVERLOADED : 0;
    return c;
}

struct egress_call *egress_start(struct egress *e, const struct egress_request *r,
                                 const struct egress_ops *ops, void *arg)
{
    struct egress_call *c = egress__call_new(e, ops, arg);

    c->redirect = r->redirect;
    c->upgrade = r->upgrade;
    c->body = r->upgrade ? IPC_BODY_NONE : r->body;
    c->length = r->length;
    c->service = r->service ? slice_dup(slice_str(r->service)) : NULL;
    c->is_exempt = r->service != NULL;
    if (!c->broken)
        c->broken = read_head(c, r->head);
    egress__post(c);
    return c;
}

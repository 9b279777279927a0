/*
 * A connection for a protocol that is not libcurl's: it looks the name up, tries the addresses,
 * makes TLS and checks the certificate; what is said then is the asker's.
 */
#include <assert.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "egress/egress_int.h"
#include "io/stream.h"

struct dial {
    char *host; /* NULL: path */
    char *path;
    char *name; /* NULL: no TLS */
    char *cert_name;
    uint16_t port;
    bool insecure;
    struct buf cert, key, ca;
};

static char *copy(const char *s)
{
    return s ? slice_dup(slice_str(s)) : NULL;
}

static void copy_pem(struct buf *b, struct slice s)
{
    buf_init(b, SIZE_MAX);
    (void)buf_add(b, s);
}

void egress__dial_free(struct egress_call *c)
{
    struct dial *d = c->dial;

    if (!d)
        return;
    mem_free(d->host);
    mem_free(d->path);
    mem_free(d->name);
    mem_free(d->cert_name);
    buf_done(&d->cert);
    buf_done(&d->key);
    buf_done(&d->ca);
    mem_free(d);
    c->dial = NULL;
}

/* --- how --- */

static void set_blob(CURL *easy, CURLoption option, const struct buf *b)
{
    struct curl_blob blob = {.data = b->p, .len = b->n, .flags = CURL_BLOB_NOCOPY};

    if (b->n)
        (void)curl_easy_setopt(easy, option, &blob);
}

/* libcurl checks the name that SNI says; where another is to be checked OpenSSL does it, with the
 * chain. */
static CURLcode on_tls(CURL *easy, void *ctx, void *arg)
{
    struct egress_call *c = arg;
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
    const char *name = c->dial->cert_name;

    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) != 1 &&
        X509_VERIFY_PARAM_set1_host(param, name, 0) != 1)
        return CURLE_SSL_CACERT_BADFILE;
    return egress__tls(easy, ctx, c->egress);
}

static void set_tls(struct egress_call *c)
{
    const struct dial *d = c->dial;

    if (d->insecure) {
        (void)curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (d->cert_name) {
        (void)curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST, 0L);
        (void)curl_easy_setopt(c->easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
        (void)curl_easy_setopt(c->easy, CURLOPT_SSL_CTX_DATA, c);
    }
    set_blob(c->easy, CURLOPT_SSLCERT_BLOB, &d->cert);
    set_blob(c->easy, CURLOPT_SSLKEY_BLOB, &d->key);
    set_blob(c->easy, CURLOPT_CAINFO_BLOB, &d->ca);
}

static bool is_v6(const char *host)
{
    return strchr(host, ':') != NULL;
}

/* The URL says what TLS needs to know, this where it is. */
static void set_place(struct egress_call *c)
{
    const struct dial *d = c->dial;
    char text[320];
    const char *form = d->host && is_v6(d->host) ? "::[%.250s]:%u" : "::%.250s:%u";

    if (d->path) {
        (void)curl_easy_setopt(c->easy, CURLOPT_UNIX_SOCKET_PATH, d->path);
        return;
    }
    (void)snprintf(text, sizeof(text), form, d->host, d->port);
    c->connect_to = curl_slist_append(NULL, text);
    (void)curl_easy_setopt(c->easy, CURLOPT_CONNECT_TO, c->connect_to);
}

void egress__dial_set(struct egress_call *c)
{
    set_place(c);
    (void)curl_easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, 1L);
    if (c->dial->name)
        set_tls(c);
}

bool egress__dial_is_allowed(struct egress_call *c)
{
    const struct dial *d = c->dial;
    enum egress_verdict verdict;

    c->port = d->port;
    if (c->is_exempt)
        return true;
    verdict = egress_rules_host(&c->egress->rules, slice_str(d->host), d->port);
    c->by_name = verdict == EGRESS_ALLOWED;
    return verdict != EGRESS_DENIED;
}

void egress__dialled(struct egress_call *c)
{
    struct stream *s = egress__stream(c);
    const struct egress_ops *ops = c->ops;
    void *arg = c->arg;

    if (!s) {
        egress__fail(c, -ERR_ORIGIN_LOST, SLICE_NONE);
        return;
    }
    egress_cancel(c);
    ops->connected(arg, s);
}

/* --- the beginning --- */

static struct dial *dial_new(const struct egress_connect *to)
{
    struct dial *d = mem_new(sizeof(*d));

    d->host = copy(to->host);
    d->path = copy(to->path);
    d->name = copy(to->name);
    d->cert_name = copy(to->cert_name);
    d->port = to->port;
    d->insecure = to->insecure;
    copy_pem(&d->cert, to->cert);
    copy_pem(&d->key, to->key);
    copy_pem(&d->ca, to->ca);
    return d;
}

/* "https://name:port/" */
static int set_url(struct egress_call *c)
{
    const struct dial *d = c->dial;
    const char *name = d->name ? d->name : d->host ? d->host : "localhost";
    char text[320];
    const int n =
        snprintf(text, sizeof(text), is_v6(name) ? "%s://[%.250s]:%u/" : "%s://%.250s:%u/",
                 d->name ? "https" : "http", name, d->port ? d->port : 80);

    c->method = slice_dup(SLICE("GET"));
    c->url = curl_url();
    if ((size_t)n >= sizeof(text) || !c->url ||
        curl_url_set(c->url, CURLUPART_URL, text, 0) != CURLUE_OK)
        return -ERR_FETCH;
    return 0;
}

struct egress_call *egress_connect(struct egress *e, const struct egress_connect *to,
                                   const struct egress_ops *ops, void *arg)
{
    struct egress_call *c = egress__call_new(e, ops, arg);

    assert(!to->host != !to->path);
    c->dial = dial_new(to);
    c->is_exempt = !to->by_rules || to->path;
    if (!c->broken)
        c->broken = set_url(c);
    egress__post(c);
    return c;
}

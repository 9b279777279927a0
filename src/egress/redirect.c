/*
 * Redirects (Fetch standard, HTTP-redirect fetch). They are followed here and not by libcurl,
 * because every hop must pass the rules, lose the secrets that were meant for another origin, and
 * be reported.
 */
#include "egress/egress_int.h"
#include "wire/ipc.h"

static bool is_same_origin(const struct egress_call *c, CURLU *other)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        CLEANUP(egress__part_free) char *mine = egress__part(c, parts[i], CURLU_DEFAULT_PORT);
        CLEANUP(egress__part_free) char *theirs = NULL;

        (void)curl_url_get(other, parts[i], &theirs, CURLU_DEFAULT_PORT);
        if (!slice_eq_nocase(slice_str(mine), slice_str(theirs)))
            return false;
    }
    return true;
}

static bool is_name_in(struct slice line, const char *const *names)
{
    const struct slice name = slice_sub(line, 0, (size_t)slice_find(line, ':'));

    for (; *names; names++)
        if (slice_eq_nocase(name, slice_str(*names)))
            return true;
    return false;
}

static void drop_fields(struct egress_call *c, const char *const *names)
{
    struct buf kept = {.max = c->fields.max};
    struct slice rest = buf_slice(&c->fields), line;

    while (slice_split(&rest, '\n', &line))
        if (!is_name_in(line, names)) {
            (void)buf_add(&kept, line);
            (void)buf_add_byte(&kept, '\n');
        }
    buf_done(&c->fields);
    c->fields = kept;
}

static void set_method_get(struct egress_call *c)
{
    static const char *const about_body[] = {"content-encoding", "content-language",
                                             "content-location", "content-type", NULL};

    mem_free(c->method);
    c->method = slice_dup(SLICE("GET"));
    c->is_unwanted = c->body != IPC_BODY_NONE;
    c->body = IPC_BODY_NONE;
    drop_fields(c, about_body);
}

static bool becomes_get(const struct egress_call *c)
{
    if (c->status == 303)
        return strcmp(c->method, "GET") != 0 && strcmp(c->method, "HEAD") != 0;
    return (c->status == 301 || c->status == 302) && !strcmp(c->method, "POST");
}

/* NULL when it leads nowhere that HTTP can go. */
static CURLU *next_url(struct egress_call *c)
{
    CURLU *next = curl_url_dup(c->url);
    CLEANUP(egress__part_free) char *scheme = NULL;

    if (next &&
        curl_url_set(next, CURLUPART_URL, egress__text(&c->location), CURLU_URLENCODE) ==
            CURLUE_OK &&
        curl_url_get(next, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        (!strcmp(scheme, "http") || !strcmp(scheme, "https")))
        return next;
    curl_url_cleanup(next);
    return NULL;
}

void egress__strip(CURLU *url)
{
    (void)curl_url_set(url, CURLUPART_USER, NULL, 0);
    (void)curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
    (void)curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
}

void egress__follow(struct egress_call *c)
{
    static const char *const secrets[] = {"authorization", "cookie", "proxy-authorization", NULL};
    CURLU *next = NULL;

    egress__detach(c);
    if (++c->hops > c->egress->limits.redirects) {
        egress__fail(c, -ERR_REDIRECT, SLICE("too many redirects"));
        return;
    }
    if (becomes_get(c))
        set_method_get(c);
    if (c->body != IPC_BODY_NONE && c->dropped) {
        egress__fail(
            c, -ERR_REDIRECT,
            SLICE(
                "a redirect asks to send the request's body again, which is too long to be kept"));
        return;
    }
    if (!(next = next_url(c))) {
        egress__fail(c, -ERR_REDIRECT,
                     SLICE("a redirect leads to a URL that is not http or https"));
        return;
    }
    egress__strip(next);
    egress__post(c); /* for a body that is not wanted any more */
    if (!is_same_origin(c, next))
        drop_fields(c, secrets);
    curl_url_cleanup(c->url);
    c->url = next;
    egress__hop(c);
}

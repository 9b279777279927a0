/*
 * What our HTTP/1.1 decoder makes of requests, for those who compare it with another.
 *
 * In: requests, each behind its length (four bytes, little end first). Out: a line of JSON each,
 *
 *   {"messages": [{method, target, minor, headers: [name, value…], keepAlive, upgrade, body,
 *                  whole}],
 *    "end": "idle" | "upgrade" | "reset" (cut) | a label of errors.def}
 *
 * Strings are Latin-1. After a request for another protocol, and after the last one of a
 * connection, nothing more is read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/http1.h"

enum { REQUEST_MAX = 1 << 20 };

static const struct http1_limits limits = {1 << 16, 1 << 16, HTTP1_FIELDS_MAX, UINT64_MAX};

static void put_text(struct slice s)
{
    putchar('"');
    for (size_t i = 0; i < s.n; i++) {
        const uint8_t c = s.p[i];

        if (c < ' ' || c > '~' || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void put_head(const struct http1_head *h)
{
    printf("{\"method\":");
    put_text(h->method);
    printf(",\"target\":");
    put_text(h->target);
    printf(",\"minor\":%u,\"keepAlive\":%s,\"upgrade\":%s,\"headers\":[", h->minor,
           h->keep_alive ? "true" : "false",
           h->upgrade.n || h->form == HTTP1_AUTHORITY ? "true" : "false");
    for (uint32_t i = 0; i < h->count; i++) {
        printf("%s", i ? "," : "");
        put_text(h->fields[i].name);
        putchar(',');
        put_text(h->fields[i].value);
    }
    putchar(']');
}

static void put_body(struct buf *body, bool is_whole)
{
    printf(",\"body\":");
    put_text(buf_slice(body));
    printf(",\"whole\":%s}", is_whole ? "true" : "false");
    buf_clear(body);
}

/* One request after the other, until they end. Returns what ended them. */
static const char *put_messages(struct slice in)
{
    static struct http1_head head;
    CLEANUP(buf_done) struct buf body = {.max = REQUEST_MAX};
    struct http1_decoder d;
    struct slice piece;
    bool in_message = false;
    int r, count = 0;

    http1_init(&d, HTTP1_REQUESTS, &limits);
    while ((r = http1_next(&d, &in, &head, &piece)) > 0) {
        if (r == HTTP1_HEAD) {
            printf("%s", count++ ? "," : "");
            put_head(&head);
            in_message = true;
        } else if (r == HTTP1_BODY) {
            (void)buf_add(&body, piece);
        } else {
            put_body(&body, true);
            in_message = false;
            if (head.upgrade.n || head.form == HTTP1_AUTHORITY)
                return "upgrade";
            if (!head.keep_alive)
                return "idle";
        }
    }
    if (in_message)
        put_body(&body, false);
    if (r == 0)
        r = http1_eof(&d, in);
    return r < 0 ? err_label(r) : "idle";
}

int main(void)
{
    static uint8_t bytes[REQUEST_MAX];
    uint8_t n[4];

    while (fread(n, 1, sizeof(n), stdin) == sizeof(n)) {
        const size_t size = n[0] | n[1] << 8 | n[2] << 16 | (size_t)n[3] << 24;

        if (size > sizeof(bytes) || fread(bytes, 1, size, stdin) != size)
            return EXIT_FAILURE;
        printf("{\"messages\":[");
        printf("],\"end\":\"%s\"}\n", put_messages(slice_make(bytes, size)));
    }
    return EXIT_SUCCESS;
}

/* What a call writes to its target, and what of the answer's head is told. */
#include <sys/random.h>

#include "edge/edge_int.h"
#include "edge/origin_route.h"
#include "edge/settings.h"
#include "edge/upstream_int.h"
#include "wire/fields.h"
#include "wire/grip_words.h"
#include "wire/http1.h"

/* --- the request's head --- */

static bool is_passed(const struct upstream_call *c, struct slice name)
{
    static const char *const ours[] = {"Sec-WebSocket-Key", "Sec-WebSocket-Version",
                                       "Sec-WebSocket-Accept"};

    if (http1_is_framing(name) || slice_eq_nocase(name, SLICE("Host")) ||
        slice_eq_nocase(name, SLICE("Expect")))
        return false;
    for (size_t i = 0; c->upgrade && i < COUNT_OF(ours); i++)
        if (slice_eq_nocase(name, slice_str(ours[i])))
            return false;
    return true;
}

static int put_fields(struct upstream_call *c, struct buf *out)
{
    struct slice rest = c->fields, name, value;
    int r = 0;

    while (r == 0 && fields_next(&rest, &name, &value))
        if (is_passed(c, name))
            r = http1_put_field(out, name, value);
    return r;
}

static int put_signature(struct upstream_call *c, struct buf *out)
{
    const struct slice token = origin_route_sign(c->route, loop_wall(c->upstreams->loop) / 1000);
    int r = 0;

    if (!c->sign || !origin_route_has_grip(c->route))
        return 0;
    if (token.n)
        r = http1_put_field(out, SLICE("Grip-Sig"), token);
    return r < 0 ? r : http1_put_field(out, SLICE("Grip-Feature"), SLICE(GRIP_FEATURES));
}

/* RFC 6455 4.1 */
static int put_upgrade(struct upstream_call *c, struct buf *out)
{
    uint8_t random[16];
    int r;

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return -ERR_OS;
    ws_key(random, c->key);
    r = http1_put_field(out, SLICE("Sec-WebSocket-Key"), slice_str(c->key));
    return r < 0 ? r
                 : buf_add(out, SLICE("Sec-WebSocket-Version: 13\r\nConnection: Upgrade\r\n"
                                      "Upgrade: websocket\r\n"));
}

static bool may_have_body(struct slice method)
{
    return slice_eq(method, SLICE("POST")) || slice_eq(method, SLICE("PUT")) ||
           slice_eq(method, SLICE("PATCH"));
}

static int put_framing(struct upstream_call *c, struct buf *out)
{
    if (c->upgrade)
        return put_upgrade(c, out);
    if (c->body == EXCHANGE_BODY_STREAM)
        return buf_add(out, SLICE("Transfer-Encoding: chunked\r\n"));
    if (c->body == EXCHANGE_BODY_LENGTH)
        return http1_put_number(out, SLICE("Content-Length"), c->length);
    return may_have_body(c->method) ? http1_put_number(out, SLICE("Content-Length"), 0) : 0;
}

int upstream__put_head(struct upstream_call *c, struct buf *out)
{
    const char *host = upstream__target(c)->host_field;
    int r;

    buf_clear(out);
    if ((r = http1_put_request(out, c->method, c->path)) < 0 ||
        (r = http1_put_field(out, SLICE("Host"), host ? slice_str(host) : c->host)) < 0 ||
        (r = put_fields(c, out)) < 0 || (r = put_signature(c, out)) < 0 ||
        (r = put_framing(c, out)) < 0)
        return r;
    return http1_put_end(out);
}

/* --- the response's head --- */

/* Fields about the connection end here (RFC 9110 7.6.1), those that Connection names among them. */
static bool is_told(const struct http1_head *h, const struct slice *connection, struct slice name)
{
    if (http1_is_framing(name))
        return false;
    return !connection || slice_eq_nocase(*connection, SLICE("keep-alive")) ||
           slice_eq_nocase(*connection, SLICE("close")) ||
           !http1_has_token(h, SLICE("Connection"), name);
}

static uint32_t keep_alive_ms(struct slice value)
{
    const ptrdiff_t at = slice_find_slice(value, SLICE("timeout="));
    uint32_t s = 0;

    for (size_t i = (size_t)at + 8; at >= 0 && i < value.n && s < 10000; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            break;
        s = s * 10 + (value.p[i] - '0');
    }
    return s * 1000;
}

int upstream__copy_head(struct upstream_call *c, const struct http1_head *h, struct buf *out)
{
    const struct slice *connection = http1_find(h, SLICE("Connection"));
    int r = 0;

    buf_clear(out);
    for (uint32_t i = 0; i < h->count && r == 0; i++) {
        if (is_told(h, connection, h->fields[i].name))
            r = fields_put(out, h->fields[i].name, h->fields[i].value);
        else if (slice_eq_nocase(h->fields[i].name, SLICE("Keep-Alive")))
            c->conn->keep_ms = keep_alive_ms(h->fields[i].value);
    }
    return r;
}

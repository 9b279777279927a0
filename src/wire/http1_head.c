/* One whole head: its lines, and what they say together about the message's end. */
#include <assert.h>

#include "wire/http1_int.h"

#define T HTTP1__TCHAR
#define V HTTP1__VALUE
#define G HTTP1__TARGET
#define H HTTP1__HOST
#define ANY (V | G)

/* clang-format off */
const uint8_t http1__classes[256] = {
    ['\t'] = V, [' '] = V,
    ['!'] = T | ANY | H, ['"'] = ANY, ['#'] = T | V, ['$'] = T | ANY | H, ['%'] = T | ANY | H,
    ['&'] = T | ANY | H, ['\''] = T | ANY | H, ['('] = ANY | H, [')'] = ANY | H,
    ['*'] = T | ANY | H, ['+'] = T | ANY | H, [','] = ANY | H, ['-'] = T | ANY | H,
    ['.'] = T | ANY | H, ['/'] = ANY,
    ['0' ... '9'] = T | ANY | H, [':'] = ANY, [';'] = ANY | H, ['<'] = ANY, ['='] = ANY | H,
    ['>'] = ANY, ['?'] = ANY, ['@'] = ANY,
    ['A' ... 'Z'] = T | ANY | H, ['['] = ANY, ['\\'] = ANY, [']'] = ANY, ['^'] = T | ANY,
    ['_'] = T | ANY | H, ['`'] = T | ANY,
    ['a' ... 'z'] = T | ANY | H, ['{'] = ANY, ['|'] = T | ANY, ['}'] = ANY, ['~'] = T | ANY | H,
    [0x80 ... 0xff] = V,
};
/* clang-format on */

bool http1__all(struct slice s, enum http1__class want)
{
    for (size_t i = 0; i < s.n; i++)
        if (!http1__is(s.p[i], want))
            return false;
    return s.n > 0;
}

bool http1_is_token(struct slice s)
{
    return http1__all(s, HTTP1__TCHAR);
}

bool http1_is_value(struct slice s)
{
    return s.n == 0 || http1__all(s, HTTP1__VALUE);
}

/* --- authority --- */

static bool is_port(struct slice s)
{
    uint64_t port;

    return s.n == 0 || slice_u64(s, 65535, &port) == 0;
}

static bool is_ip_literal(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        const uint8_t c = s.p[i] | 0x20;

        if (!(c >= 'a' && c <= 'f') && !(s.p[i] >= '0' && s.p[i] <= ':') && s.p[i] != '.')
            return false;
    }
    return s.n >= 2;
}

bool http1_is_authority(struct slice s)
{
    ptrdiff_t end;
    struct slice host;

    if (s.n && s.p[0] == '[') {
        end = slice_find(s, ']');
        if (end < 0 || !is_ip_literal(slice_sub(s, 1, (size_t)end - 1)))
            return false;
        s = slice_sub(s, (size_t)end + 1, s.n);
    } else {
        end = slice_find(s, ':');
        host = slice_take(&s, end < 0 ? s.n : (size_t)end);
        if (!http1__all(host, HTTP1__HOST))
            return false;
    }
    return s.n == 0 || (s.p[0] == ':' && is_port(slice_sub(s, 1, s.n)));
}

/* --- lists --- */

bool http1_list_next(struct slice *list, struct slice *ret_item)
{
    struct slice item;

    while (slice_split(list, ',', &item)) {
        item = slice_trim(item);
        if (item.n) {
            *ret_item = item;
            return true;
        }
    }
    return false;
}

static bool list_has(struct slice list, struct slice token)
{
    struct slice item;

    while (http1_list_next(&list, &item))
        if (slice_eq_nocase(item, token))
            return true;
    return false;
}

const struct slice *http1_find(const struct http1_head *h, struct slice name)
{
    for (uint32_t i = 0; i < h->count; i++)
        if (slice_eq_nocase(h->fields[i].name, name))
            return &h->fields[i].value;
    return NULL;
}

bool http1_has_token(const struct http1_head *h, struct slice name, struct slice token)
{
    for (uint32_t i = 0; i < h->count; i++)
        if (slice_eq_nocase(h->fields[i].name, name) && list_has(h->fields[i].value, token))
            return true;
    return false;
}

bool http1_is_framing(struct slice name)
{
    static const struct slice names[] = {
        {(const uint8_t *)"connection", 10},
        {(const uint8_t *)"content-length", 14},
        {(const uint8_t *)"keep-alive", 10},
        {(const uint8_t *)"proxy-connection", 16},
        {(const uint8_t *)"transfer-encoding", 17},
        {(const uint8_t *)"upgrade", 7},
        {(const uint8_t *)"te", 2},
        {(const uint8_t *)"trailer", 7},
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_eq_nocase(name, names[i]))
            return true;
    return false;
}

/* --- first lines --- */

/* RFC 9112 2.3. Digits of a version that is not ours are told from no version at all. */
static int parse_version(struct slice s, uint8_t *ret_minor)
{
    if (s.n != 8 || !slice_starts(s, SLICE("HTTP/")) || s.p[5] < '0' || s.p[5] > '9' ||
        s.p[6] != '.' || s.p[7] < '0' || s.p[7] > '9')
        return -ERR_HTTP_LINE;
    if (s.p[5] != '1' || s.p[7] > '1')
        return -ERR_HTTP_VERSION;
    *ret_minor = s.p[7] - '0';
    return 0;
}

/* "http://host/path": without user information, and with a path before a query. */
static int parse_absolute(struct slice rest, struct http1_head *h)
{
    const ptrdiff_t slash = slice_find(rest, '/');

    h->form = HTTP1_ABSOLUTE;
    h->authority = slice_take(&rest, slash < 0 ? rest.n : (size_t)slash);
    h->path = rest.n ? rest : SLICE("/");
    return http1_is_authority(h->authority) ? 0 : -ERR_HTTP_TARGET;
}

static int parse_authority(struct http1_head *h)
{
    const uint8_t last = h->target.p[h->target.n - 1];

    h->form = HTTP1_AUTHORITY;
    h->authority = h->target;
    /* A port is required (RFC 9112 3.2.3); an authority ends in a digit only with one, or as a
     * name. */
    if (!http1_is_authority(h->target) || slice_find(h->target, ':') < 0 || last == ':' ||
        last == ']')
        return -ERR_HTTP_TARGET;
    return 0;
}

static int parse_target(struct http1_head *h)
{
    const struct slice t = h->target;

    if (!http1__all(t, HTTP1__TARGET))
        return -ERR_HTTP_TARGET;
    if (slice_eq(h->method, SLICE("CONNECT")))
        return parse_authority(h);
    if (t.p[0] == '/') {
        h->form = HTTP1_ORIGIN;
        h->path = t;
        return 0;
    }
    if (slice_eq(t, SLICE("*")) && slice_eq(h->method, SLICE("OPTIONS"))) {
        h->form = HTTP1_ASTERISK;
        return 0;
    }
    h->is_https = slice_starts_nocase(t, SLICE("https://"));
    if (h->is_https || slice_starts_nocase(t, SLICE("http://")))
        return parse_absolute(slice_sub(t, h->is_https ? 8 : 7, t.n), h);
    return -ERR_HTTP_TARGET;
}

static int parse_request_line(struct slice line, struct http1_head *h)
{
    int r;

    if (!slice_split(&line, ' ', &h->method) || !slice_split(&line, ' ', &h->target))
        return -ERR_HTTP_LINE;
    if (!http1_is_token(h->method))
        return -ERR_HTTP_METHOD;
    if ((r = parse_version(line, &h->minor)) < 0)
        return r;
    return parse_target(h);
}

/* RFC 9112 4: the reason may be empty, and its space is then often left out. */
static int parse_status_line(struct slice line, struct http1_head *h)
{
    struct slice version, status;
    uint64_t v;
    int r;

    if (!slice_split(&line, ' ', &version) || !slice_split(&line, ' ', &status))
        return -ERR_HTTP_LINE;
    if ((r = parse_version(version, &h->minor)) < 0)
        return r;
    if (status.n != 3 || slice_u64(status, 999, &v) < 0 || v < 100 || !http1_is_value(line))
        return -ERR_HTTP_LINE;
    h->status = (uint16_t)v;
    h->reason = line;
    return 0;
}

/* --- fields --- */

/* What the fields say about the message and its connection. */
struct facts {
    struct slice host;
    uint64_t length;
    unsigned hosts;
    unsigned lengths;
    bool is_chunked;
    bool says_close;
    bool says_keep_alive;
    bool says_upgrade;
    bool expects_continue;
    struct slice upgrade;
};

static int on_length(struct facts *f, struct slice value)
{
    /* RFC 9112 6.3: repeated or listed lengths may be refused even when they agree. */
    if (f->lengths++ || slice_u64(value, INT64_MAX, &f->length) < 0)
        return -ERR_HTTP_LENGTH;
    return 0;
}

static int on_transfer_encoding(struct facts *f, struct slice value)
{
    if (f->is_chunked || !slice_eq_nocase(value, SLICE("chunked")))
        return -ERR_HTTP_TE;
    f->is_chunked = true;
    return 0;
}

static int on_expect(struct facts *f, struct slice value)
{
    if (!slice_eq_nocase(value, SLICE("100-continue")))
        return -ERR_HTTP_EXPECT;
    f->expects_continue = true;
    return 0;
}

static void on_connection(struct facts *f, struct slice list)
{
    f->says_close |= list_has(list, SLICE("close"));
    f->says_keep_alive |= list_has(list, SLICE("keep-alive"));
    f->says_upgrade |= list_has(list, SLICE("upgrade"));
}

/* The length of a name tells nearly all of them from the few that matter here. */
static int note(struct facts *f, const struct http1_field *field)
{
    const struct slice name = field->name, value = field->value;

    switch (name.n) {
    case 4:
        if (slice_eq_nocase(name, SLICE("host"))) {
            f->hosts++;
            f->host = value;
        }
        break;
    case 6:
        if (slice_eq_nocase(name, SLICE("expect")))
            return on_expect(f, value);
        break;
    case 7:
        if (slice_eq_nocase(name, SLICE("upgrade")))
            f->upgrade = value;
        break;
    case 10:
        if (slice_eq_nocase(name, SLICE("connection")))
            on_connection(f, value);
        break;
    case 14:
        if (slice_eq_nocase(name, SLICE("content-length")))
            return on_length(f, value);
        break;
    case 17:
        if (slice_eq_nocase(name, SLICE("transfer-encoding")))
            return on_transfer_encoding(f, value);
        break;
    }
    return 0;
}

static int parse_field(struct slice line, struct http1_field *ret)
{
    const ptrdiff_t colon = slice_find(line, ':');

    if (line.p[0] == ' ' || line.p[0] == '\t')
        return -ERR_HTTP_FOLD;
    if (colon <= 0)
        return -ERR_HTTP_NAME;
    ret->name = slice_sub(line, 0, (size_t)colon);
    if (line.p[colon - 1] == ' ' || line.p[colon - 1] == '\t')
        return -ERR_HTTP_NAME_SPACE;
    if (!http1_is_token(ret->name))
        return -ERR_HTTP_NAME;
    ret->value = slice_trim(slice_sub(line, (size_t)colon + 1, line.n));
    return http1_is_value(ret->value) ? 0 : -ERR_HTTP_VALUE;
}

/* --- what follows from them --- */

static int settle_framing(struct http1_head *h, const struct facts *f)
{
    /* RFC 9112 6.1, 6.3: the ways to hide one message in another. */
    if (f->is_chunked && f->lengths)
        return -ERR_HTTP_FRAMING;
    if (f->is_chunked && h->minor == 0)
        return -ERR_HTTP_TE_OLD;
    h->length = f->length;
    if (f->is_chunked)
        h->body = HTTP1_BODY_CHUNKED;
    else if (f->length)
        h->body = HTTP1_BODY_LENGTH;
    return 0;
}

static int settle_host(struct http1_head *h, const struct facts *f)
{
    if (f->hosts > 1 || (f->hosts == 0 && h->minor > 0))
        return -ERR_HTTP_HOST;
    if (f->hosts && !http1_is_authority(f->host))
        return -ERR_HTTP_HOST;
    /* RFC 9112 3.2.2: the target's own authority wins. */
    if (h->authority.n == 0)
        h->authority = f->host;
    return 0;
}

static int settle_request(struct http1_head *h, const struct facts *f,
                          const struct http1_limits *limits)
{
    int r;

    if ((r = settle_host(h, f)) < 0 || (r = settle_framing(h, f)) < 0)
        return r;
    if (h->length > limits->body)
        return -ERR_HTTP_BODY_LARGE;
    h->expects_continue = f->expects_continue && h->minor > 0 && h->body != HTTP1_BODY_NONE;
    return 0;
}

/* RFC 9112 6.3, 1 to 8. */
static int settle_response(struct http1_head *h, const struct facts *f,
                           const struct http1_decoder *d)
{
    const int r = settle_framing(h, f);

    if (r < 0)
        return r;
    if (d->is_answer_to_head || h->status < 200 || h->status == 204 || h->status == 304)
        h->body = HTTP1_BODY_NONE;
    else if (h->body == HTTP1_BODY_NONE && f->lengths == 0)
        h->body = HTTP1_BODY_CLOSE;
    if (h->body == HTTP1_BODY_LENGTH && h->length > d->limits->body)
        return -ERR_HTTP_BODY_LARGE;
    return 0;
}

static void settle_connection(struct http1_head *h, const struct facts *f)
{
    h->keep_alive =
        !f->says_close && (h->minor > 0 || f->says_keep_alive) && h->body != HTTP1_BODY_CLOSE;
    /* RFC 9110 7.8: an HTTP/1.0 client cannot ask. */
    if (f->says_upgrade && h->minor > 0)
        h->upgrade = f->upgrade;
}

static struct slice take_line(struct slice *bytes)
{
    const struct slice line = slice_take(bytes, (size_t)slice_find(*bytes, '\n') + 1);

    return slice_make(line.p, line.n - 2);
}

static int parse_fields(struct slice bytes, uint32_t max, struct http1_head *h, struct facts *f)
{
    for (struct slice line = take_line(&bytes); line.n; line = take_line(&bytes)) {
        struct http1_field *field = &h->fields[h->count];
        int r;

        if (h->count == max)
            return -ERR_HTTP_HEADERS_LARGE;
        if ((r = parse_field(line, field)) < 0 || (r = note(f, field)) < 0)
            return r;
        h->count++;
    }
    return 0;
}

int http1__parse(const struct http1_decoder *d, struct slice bytes, struct http1_head *ret)
{
    const bool is_request = d->side == HTTP1_REQUESTS;
    const struct slice line = take_line(&bytes);
    struct facts f = {0};
    int r;

    /* Everything but the fields, which are many and of which only `count` are valid. */
    memset(ret, 0, offsetof(struct http1_head, fields));
    r = is_request ? parse_request_line(line, ret) : parse_status_line(line, ret);
    if (r < 0 || (r = parse_fields(bytes, d->limits->fields, ret, &f)) < 0)
        return r;
    r = is_request ? settle_request(ret, &f, d->limits) : settle_response(ret, &f, d);
    if (r == 0)
        settle_connection(ret, &f);
    return r;
}

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "wire/http1_int.h"

static const struct {
    uint16_t status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {418, "I'm a Teapot"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

const char *http1_reason(unsigned status)
{
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

/* Appends the parts, all or none. */
static int put(struct buf *out, const struct slice *parts, size_t count)
{
    size_t n = 0;
    uint8_t *to;

    for (size_t i = 0; i < count; i++)
        n += parts[i].n;
    to = buf_reserve(out, n);
    if (!to)
        return -ERR_TOO_LARGE;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].n)
            memcpy(to, parts[i].p, parts[i].n);
        to += parts[i].n;
    }
    buf_commit(out, n);
    return 0;
}

#define PUT(out, ...)                                                                              \
    put(out, (const struct slice[]){__VA_ARGS__},                                                  \
        sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice))

int http1_put_status(struct buf *out, unsigned status, struct slice reason)
{
    const uint8_t digits[] = {(uint8_t)('0' + status / 100), (uint8_t)('0' + status / 10 % 10),
                              (uint8_t)('0' + status % 10)};

    assert(status >= 100 && status <= 999);
    if (!http1_is_value(reason))
        return -ERR_HTTP_VALUE;
    if (reason.n == 0)
        reason = slice_str(http1_reason(status));
    return PUT(out, SLICE("HTTP/1.1 "), slice_make(digits, 3), SLICE(" "), reason, SLICE("\r\n"));
}

int http1_put_request(struct buf *out, struct slice method, struct slice target)
{
    if (!http1_is_token(method))
        return -ERR_HTTP_METHOD;
    if (!http1__all(target, HTTP1__TARGET))
        return -ERR_HTTP_TARGET;
    return PUT(out, method, SLICE(" "), target, SLICE(" HTTP/1.1\r\n"));
}

int http1_put_field(struct buf *out, struct slice name, struct slice value)
{
    if (!http1_is_token(name))
        return -ERR_HTTP_NAME;
    if (!http1_is_value(value))
        return -ERR_HTTP_VALUE;
    return PUT(out, name, SLICE(": "), value, SLICE("\r\n"));
}

int http1_put_number(struct buf *out, struct slice name, uint64_t value)
{
    char room[SLICE_DIGITS];

    return http1_put_field(out, name, slice_digits(value, room));
}

int http1_put_end(struct buf *out)
{
    return buf_add(out, SLICE("\r\n"));
}

size_t http1_chunk_head(uint64_t n, char ret[HTTP1_CHUNK_HEAD])
{
    char text[HTTP1_CHUNK_HEAD + 1];
    const int len = snprintf(text, sizeof(text), "%" PRIx64 "\r\n", n);

    memcpy(ret, text, (size_t)len);
    return (size_t)len;
}

#include "wire/proxy.h"

#include <arpa/inet.h>

enum {
    LINE_MAX_BYTES = 107, /* of version 1, with its CRLF */
    FIXED = 16,           /* of version 2, before the addresses */
};

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static bool begins(struct slice in, struct slice with)
{
    return memcmp(in.p, with.p, MIN(in.n, with.n)) == 0;
}

/* --- version 1 --- */

static bool address_of(struct slice text, bool v6, uint8_t ret[16])
{
    char room[INET6_ADDRSTRLEN];

    if (text.n == 0 || text.n >= sizeof(room))
        return false;
    memcpy(room, text.p, text.n);
    room[text.n] = 0;
    return inet_pton(v6 ? AF_INET6 : AF_INET, room, ret) == 1;
}

static bool port_of(struct slice text, uint16_t *ret)
{
    uint64_t n;

    if ((text.n > 1 && text.p[0] == '0') || slice_u64(text, UINT16_MAX, &n) < 0)
        return false;
    *ret = (uint16_t)n;
    return true;
}

/* "TCP4 192.0.2.1 192.0.2.2 56324 443" */
static bool parse_words(struct slice line, struct proxy_header *ret)
{
    struct proxy_header h = {.has_address = true};
    struct slice part[5];

    for (size_t i = 0; i < COUNT_OF(part) - 1; i++) {
        const ptrdiff_t at = slice_find(line, ' ');

        if (at < 0)
            return false;
        part[i] = slice_take(&line, (size_t)at);
        (void)slice_take(&line, 1);
    }
    part[4] = line;
    h.is_v6 = slice_eq(part[0], SLICE("TCP6"));
    if ((!h.is_v6 && !slice_eq(part[0], SLICE("TCP4"))) ||
        !address_of(part[1], h.is_v6, h.source) || !address_of(part[2], h.is_v6, h.destination) ||
        !port_of(part[3], &h.source_port) || !port_of(part[4], &h.destination_port))
        return false;
    *ret = h;
    return true;
}

static bool is_unknown(struct slice line)
{
    return slice_eq(line, SLICE("UNKNOWN")) || slice_starts(line, SLICE("UNKNOWN "));
}

static ssize_t parse_line(struct slice in, struct proxy_header *ret)
{
    const struct slice room = slice_sub(in, 0, LINE_MAX_BYTES);
    const ptrdiff_t end = slice_find(room, '\n');
    struct slice line;

    if (end < 0)
        return room.n < LINE_MAX_BYTES ? 0 : -ERR_SYNTAX;
    if (end < 7 || room.p[end - 1] != '\r')
        return -ERR_SYNTAX;
    line = slice_sub(room, 6, (size_t)end - 7);
    if (is_unknown(line))
        *ret = (struct proxy_header){0};
    else if (!parse_words(line, ret))
        return -ERR_SYNTAX;
    return end + 1;
}

/* --- version 2 --- */

static uint16_t two(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* Addresses of n bytes each, then the ports. */
static void read_addresses(const uint8_t *p, size_t n, struct proxy_header *ret)
{
    *ret = (struct proxy_header){.has_address = true, .is_v6 = n == 16};
    memcpy(ret->source, p, n);
    memcpy(ret->destination, p + n, n);
    ret->source_port = two(p + 2 * n);
    ret->destination_port = two(p + 2 * n + 2);
}

/* How many bytes of addresses a family has; -1: it is no stream's. */
static int room_of(uint8_t family)
{
    switch (family) {
    case 0x00: /* unspecified */
        return 0;
    case 0x11:
        return 12;
    case 0x21:
        return 36;
    case 0x31: /* Unix sockets */
        return 216;
    default:
        return -1;
    }
}

static ssize_t parse_binary(struct slice in, struct proxy_header *ret)
{
    const bool is_local = in.n > 12 && in.p[12] == 0x20;
    size_t length;

    if (in.n > 12 && !is_local && in.p[12] != 0x21)
        return -ERR_SYNTAX;
    if (in.n < FIXED)
        return 0;
    length = two(in.p + 14);
    if (!is_local && (room_of(in.p[13]) < 0 || length < (size_t)room_of(in.p[13])))
        return -ERR_SYNTAX;
    if (FIXED + length > PROXY_HEADER_MAX)
        return -ERR_TOO_LARGE;
    if (in.n < FIXED + length)
        return 0;
    if (!is_local && (in.p[13] == 0x11 || in.p[13] == 0x21))
        read_addresses(in.p + FIXED, in.p[13] == 0x11 ? 4 : 16, ret);
    else
        *ret = (struct proxy_header){0};
    return (ssize_t)(FIXED + length);
}

ssize_t proxy_parse(struct slice in, struct proxy_header *ret)
{
    const struct slice word = SLICE("PROXY ");

    if (in.n == 0)
        return 0;
    if (begins(in, slice_make(signature, sizeof(signature))))
        return in.n < sizeof(signature) ? 0 : parse_binary(in, ret);
    if (!begins(in, word))
        return -ERR_SYNTAX;
    return in.n < word.n ? 0 : parse_line(in, ret);
}

/*
 * The PROXY protocol, versions 1 (a line of text) and 2 (binary): what a proxy in front of us says
 * about its client before the first byte of the connection. haproxy.org, "The PROXY protocol".
 */
#ifndef WIRE_PROXY_H
#define WIRE_PROXY_H

#include <sys/types.h>

#include "base/err.h"

/* The longest header that is accepted, with the extensions (TLVs) of version 2, all skipped. */
enum { PROXY_HEADER_MAX = 4096 };

struct proxy_header {
    /* False: the connection is the proxy's own (health check), or of a family without addresses. */
    bool has_address;
    bool is_v6;
    uint8_t source[16]; /* IPv4: the first four */
    uint8_t destination[16];
    uint16_t source_port;
    uint16_t destination_port;
};

/*
 * Reads a header at the beginning of `in`. Returns its length, or 0 while more bytes are needed, or
 * -ERR_SYNTAX as early as it shows, -ERR_TOO_LARGE over PROXY_HEADER_MAX. Strict: a line of version
 * 1 has single spaces, CRLF, at most 107 bytes and no leading zeros; version 2 is for streams.
 */
ssize_t proxy_parse(struct slice in, struct proxy_header *ret);

#endif

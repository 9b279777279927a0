/* What is sent: built once, the same for all. */
#include "load.h"
#include <stdio.h>
#include <string.h>

static uint8_t *frame;
static size_t frame_len;

/* What chat rooms and dashboards send: names that repeat, values that do not. */
static void write_json(char *to, size_t n)
{
    static const char *const names[] = {"ada", "grace", "barbara", "edsger", "donald", "alan"};
    uint32_t x = 2463534242;
    size_t at = 0;

    for (unsigned i = 0; at < n; i++) {
        char one[160];

        x = x * 1664525 + 1013904223;
        const int more =
            snprintf(one, sizeof one,
                     "{\"id\":%u,\"user\":\"%s\",\"at\":17636%08u,\"x\":%u.%02u,\"text\":"
                     "\"hello %s, how are you?\"},",
                     x >> 8, names[(x >> 10) % 6], x % 100000000, (x >> 16) % 1000, (x >> 4) % 100,
                     names[(x >> 20) % 6]);
        const size_t step = (size_t)more < n - at ? (size_t)more : n - at;

        memcpy(to + at, one, step);
        at += step;
    }
}

/* RFC 6455 5.2: FIN and text, masked as clients must; the mask is the same each time, nobody here
 * needs it to be new. */
static void build_frame(void)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    const size_t n = (size_t)load.size;
    uint8_t *f = frame = allocate(1, n + 14);
    size_t at = 0;

    f[at++] = 0x81;
    if (n < 126) {
        f[at++] = 0x80 | (uint8_t)n;
    } else if (n < 65536) {
        f[at++] = 0x80 | 126;
        f[at++] = (uint8_t)(n >> 8);
        f[at++] = (uint8_t)n;
    } else {
        f[at++] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            f[at++] = (uint8_t)((uint64_t)n >> shift);
    }
    memcpy(f + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < n; i++)
        f[at + i] = (uint8_t)('a' + i % 26);
    if (load.json)
        write_json((char *)f + at, n);
    for (size_t i = 0; i < n; i++)
        f[at + i] ^= mask[i & 3];
    frame_len = at + n;
}

static void build_request(void)
{
    const size_t room = sizeof load.path + sizeof load.host + 64;

    frame = allocate(1, room);
    frame_len = (size_t)snprintf((char *)frame, room, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
                                 load.path, load.host);
}

void message_build(void)
{
    if (load.mode == REQUEST)
        build_request();
    else
        build_frame();
}

const uint8_t *message_frame(size_t *ret_n)
{
    *ret_n = frame_len;
    return frame;
}

/* Ends with a byte that chunks are not framed with, so that streams need no decoder. */
size_t message_post(char *to, size_t room)
{
    char content[PUBLISH_MAX + 1], body[PUBLISH_MAX + 256];
    int n;

    memset(content, 'a', (size_t)load.size);
    content[load.size - 1] = '!';
    content[load.size] = '\0';
    n = snprintf(body, sizeof body,
                 "{\"items\":[{\"channel\":\"bench\",\"formats\":"
                 "{\"%s\":{\"content\":\"%s\"}}}]}",
                 load.is_http ? "http-stream" : "ws-message", content);
    return (size_t)snprintf(to, room,
                            "POST /publish/ HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
                            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                            n, body);
}

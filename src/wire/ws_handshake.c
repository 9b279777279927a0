#include <openssl/sha.h>

#include "base/enc.h"
#include "wire/http1.h"
#include "wire/ws.h"

bool ws_is_upgrade(const struct http1_head *h)
{
    return h->upgrade.n && http1_has_token(h, SLICE("upgrade"), SLICE("websocket"));
}

/* The value of a field that stands exactly once, else NULL. */
static const struct slice *the_only(const struct http1_head *h, struct slice name)
{
    const struct slice *found = NULL;

    for (uint32_t i = 0; i < h->count; i++)
        if (slice_eq_nocase(h->fields[i].name, name)) {
            if (found)
                return NULL;
            found = &h->fields[i].value;
        }
    return found;
}

/* RFC 6455 4.1, 7: 16 bytes in base64, which are 24 characters. */
static bool is_key(struct slice s)
{
    CLEANUP(buf_done) struct buf bytes = {.max = 18};

    return s.n == WS_KEY_SIZE && enc_base64_forgive(&bytes, s) == 0 && bytes.n == 16;
}

int ws_check_request(const struct http1_head *h, struct slice *ret_key)
{
    const struct slice *key = the_only(h, SLICE("sec-websocket-key"));
    const struct slice *version = the_only(h, SLICE("sec-websocket-version"));

    if (!ws_is_upgrade(h) || !slice_eq(h->method, SLICE("GET")) || h->minor < 1)
        return -ERR_WS_HANDSHAKE;
    if (!version || !slice_eq(*version, SLICE("13")))
        return -ERR_WS_VERSION;
    if (!key || !is_key(*key))
        return -ERR_WS_HANDSHAKE;
    *ret_key = *key;
    return 0;
}

static void to_base64(struct slice bytes, char *ret, size_t size)
{
    CLEANUP(buf_done) struct buf text = {.max = size};

    (void)enc_base64(&text, bytes, ENC_BASE64);
    memcpy(ret, text.p, text.n);
    ret[text.n] = 0;
}

void ws_accept(struct slice key, char ret[WS_ACCEPT_SIZE + 1])
{
    /* RFC 6455 1.3 */
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t joined[WS_KEY_SIZE + sizeof(guid) - 1], hash[SHA_DIGEST_LENGTH];
    const size_t n = MIN(key.n, WS_KEY_SIZE);

    if (n)
        memcpy(joined, key.p, n);
    memcpy(joined + n, guid, sizeof(guid) - 1);
    (void)SHA1(joined, n + sizeof(guid) - 1, hash);
    to_base64(slice_make(hash, sizeof(hash)), ret, WS_ACCEPT_SIZE);
}

void ws_key(const uint8_t random[16], char ret[WS_KEY_SIZE + 1])
{
    to_base64(slice_make(random, 16), ret, WS_KEY_SIZE);
}

int ws_check_response(const struct http1_head *h, struct slice key)
{
    const struct slice *accept = the_only(h, SLICE("sec-websocket-accept"));
    char want[WS_ACCEPT_SIZE + 1];

    ws_accept(key, want);
    if (h->status != 101 || !ws_is_upgrade(h) || !accept || !slice_eq(*accept, slice_str(want)))
        return -ERR_WS_HANDSHAKE;
    return 0;
}

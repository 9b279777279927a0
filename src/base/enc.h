/*
 * Bytes as text and back. Encoders and decoders append to the caller's buf: -ERR_TOO_LARGE over its
 * maximum, and then nothing is appended. Decoders answer -ERR_SYNTAX for malformed input.
 */
#ifndef BASE_ENC_H
#define BASE_ENC_H

#include "base/bytes.h"

enum enc_base64 {
    ENC_BASE64,     /* RFC 4648 4, padded */
    ENC_BASE64_URL, /* RFC 4648 5, without padding */
};

int enc_base64(struct buf *out, struct slice in, enum enc_base64 form);
/* Strict: exactly what the encoder writes (padding required or forbidden by the form, no stray
 * bits, no blanks). */
int enc_base64_decode(struct buf *out, struct slice in, enum enc_base64 form);
/* Forgiving, as atob() is specified: ASCII white space is skipped, padding may be absent. */
int enc_base64_forgive(struct buf *out, struct slice in);

/* Lower case. */
int enc_hex(struct buf *out, struct slice in);
/* Either case; an even number of digits. */
int enc_hex_decode(struct buf *out, struct slice in);
/* The value of a hex digit, -1 for anything else. */
int enc_hex_digit(uint8_t c);

/* Everything but RFC 3986's unreserved characters becomes %XX; bytes in `keep` stay too. */
int enc_percent(struct buf *out, struct slice in, const char *keep);
/* -ERR_SYNTAX for a '%' without two hex digits. The result may hold any byte, NUL included. */
int enc_percent_decode(struct buf *out, struct slice in);

/* A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
int enc_json(struct buf *out, struct slice in);

#endif

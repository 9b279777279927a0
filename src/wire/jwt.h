/*
 * Compact JSON Web Tokens (RFC 7519, RFC 7515) with the claims that GRIP uses: who says so (iss),
 * and until when (exp). HS256, ES256 (P-256), RS256 and EdDSA (Ed25519).
 *
 * A key is given as people write it in a configuration:
 *
 *   text        a shared secret; or, as it begins, a PEM ("-----BEGIN") or a JWK ("{")
 *   base64:…    the same in base64
 *   file:PATH   a file with a PEM, a JWK, or the secret's bytes in hex; its reader is the caller
 *
 * The kind of key is the algorithm; a token that names another is refused.
 */
#ifndef WIRE_JWT_H
#define WIRE_JWT_H

#include "base/bytes.h"
#include "base/err.h"

struct jwt_key;

enum jwt_use {
    JWT_SIGN,   /* private keys and secrets */
    JWT_VERIFY, /* public keys (also the public half of private ones) and secrets */
};

enum { JWT_MAX = 16384 }; /* bytes of a token; longer ones are refused */

/* Whether the form is "file:PATH". */
bool jwt_key_is_file(struct slice form, struct slice *ret_path);
/* A key in one of the other forms; -ERR_CONFIG with the note: empty, malformed, or of a kind that
 * is not supported. */
int jwt_key_new(struct slice form, enum jwt_use use, struct jwt_key **ret, struct err_note *note);
/* The contents of a key file. */
int jwt_key_new_file(struct slice contents, enum jwt_use use, struct jwt_key **ret,
                     struct err_note *note);
/* NULL is nothing. */
void jwt_key_free(struct jwt_key *k);
/* "HS256"… */
const char *jwt_key_alg(const struct jwt_key *k);

/* Appends a token with the claims {"exp": exp_s, "iss": iss} (without iss when that is empty).
 * exp_s: seconds since 1970. -ERR_TOO_LARGE; -ERR_INTERNAL when the key cannot sign. HS256 costs
 * about a microsecond, ES256 some tens, RS256 about a thousand: within a second the same token will
 * do. */
int jwt_sign(struct buf *out, const struct jwt_key *k, struct slice iss, int64_t exp_s);

/*
 * Whether the token is signed by that key, has an exp that is after now_s, and, unless iss is
 * empty, that iss. 0, or -ERR_SYNTAX (no token), -ERR_DENIED (signature, algorithm or issuer),
 * -ERR_TIMEOUT (expired, or no exp).
 */
int jwt_verify(const struct jwt_key *k, struct slice token, struct slice iss, int64_t now_s);

#endif

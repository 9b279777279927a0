/* A key, which jwt_key.c makes and jwt.c uses. Immutable: threads may share it. */
#ifndef WIRE_JWT_INT_H
#define WIRE_JWT_INT_H

#include <openssl/evp.h>

#include "wire/jwt.h"

enum jwt_alg { JWT_HS256, JWT_ES256, JWT_RS256, JWT_EDDSA };

struct jwt_key {
    enum jwt_alg alg;
    uint8_t *secret; /* HS256: n bytes */
    size_t n;
    EVP_PKEY *pkey; /* the others */
};

#endif

/* What crypto.c and crypto_key.c share. */
#ifndef API_CRYPTO_INT_H
#define API_CRYPTO_INT_H

#include <openssl/evp.h>

#include "js/native.h"

/* Throws an OperationError and forgets OpenSSL's. */
JSValueRef crypto__failed(const struct js_args *a, const char *what);
/* Argument i is the name of a digest as Web Crypto writes it; false after throwing. Static. */
bool crypto__digest(const struct js_args *a, size_t i, const EVP_MD **ret);

#endif

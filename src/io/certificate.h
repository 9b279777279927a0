/* Makes keys and certificates for this machine: `holdfast dev --https`, and tests. Blocks for a few
 * milliseconds. */
#ifndef IO_CERTIFICATE_H
#define IO_CERTIFICATE_H

#include "base/err.h"

struct certificate_request {
    const char *common_name;
    const char *const *names; /* host names ("*.a.test" too) and IP addresses */
    size_t n_names;
    uint32_t days;
    bool is_rsa; /* RSA 2048 instead of ECDSA P-256 */
    /* An authority of its own, for other certificates, which can only be for `names` (host names
     * with all below, addresses alone): who trusts it trusts it with nothing else. */
    bool is_authority;
    /* PEM files of the authority that signs; NULL: signs itself. */
    const char *issuer_cert;
    const char *issuer_key;
};

/* Writes cert (the issuer's certificate behind it) and key (mode 0600), whole or not at all.
 * -ERR_OS, -ERR_CONFIG with *note. */
int certificate_make(const struct certificate_request *r, const char *cert, const char *key,
                     struct err_note *note);

struct certificate_files {
    char authority[512]; /* what people tell their browser to trust */
    char cert[512];
    char key[512];
};

/*
 * A certificate for localhost, *.localhost, 127.0.0.1 and ::1 in the folder dir (made when it is
 * not there), signed by an authority of that folder, which can sign for nothing else. What is there
 * is used again while it is good for 30 days more; *ret_new says that the authority is new, and
 * has to be trusted again.
 */
int certificate_local(const char *dir, struct certificate_files *ret, bool *ret_new,
                      struct err_note *note);

#endif

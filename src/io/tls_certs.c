#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "io/tls_int.h"

enum { NAME_MAX_BYTES = 255, CHAIN_MAX = 16 };

struct cert {
    X509 *leaf;
    STACK_OF(X509) * chain; /* what stands behind it in the file */
    EVP_PKEY *key;
};

struct tls_certs {
    struct cert *list;
    size_t n;
};

void tls_explain(char *ret, size_t n)
{
    const unsigned long first = ERR_get_error();
    const char *reason = ERR_reason_error_string(first);

    ERR_clear_error();
    (void)snprintf(ret, n, "%s", first == 0 ? "no reason given" : reason ? reason : "unknown");
}

/* --- files --- */

static int bad(struct err_note *note, const char *path, const char *what)
{
    char why[128];

    tls_explain(why, sizeof(why));
    return err_notef(note, -ERR_CONFIG, "%s: %s (%s)", path, what, why);
}

static FILE *open_file(const char *path, struct err_note *note)
{
    FILE *f = fopen(path, "re");

    ERR_clear_error();
    if (!f)
        (void)err_notef(note, -ERR_CONFIG, "%s: cannot be read: %s", path, strerror(errno));
    return f;
}

static int read_chain(struct cert *c, FILE *f, const char *path, struct err_note *note)
{
    X509 *next;

    c->leaf = PEM_read_X509_AUX(f, NULL, NULL, NULL);
    if (!c->leaf)
        return bad(note, path, "expected a PEM certificate");
    c->chain = sk_X509_new_null();
    while ((next = PEM_read_X509(f, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_num(c->chain) >= CHAIN_MAX || sk_X509_push(c->chain, next) == 0) {
            X509_free(next);
            return err_notef(note, -ERR_CONFIG, "%s: more than %d certificates", path, CHAIN_MAX);
        }
    }
    ERR_clear_error(); /* the end of the file, or a key in the same file */
    return 0;
}

/* A passphrase cannot be asked for: nobody sits there. */
static int no_passphrase(char *p, int n, int writes, void *arg)
{
    return -1;
}

static int read_cert(struct cert *c, const struct tls_certificate *from, struct err_note *note)
{
    FILE *f = open_file(from->cert, note);
    int r;

    if (!f)
        return -ERR_CONFIG;
    r = read_chain(c, f, from->cert, note);
    (void)fclose(f);
    if (r < 0)
        return r;
    f = open_file(from->key, note);
    if (!f)
        return -ERR_CONFIG;
    c->key = PEM_read_PrivateKey(f, NULL, no_passphrase, NULL);
    (void)fclose(f);
    if (!c->key)
        return bad(note, from->key, "expected a PEM private key without a passphrase");
    if (X509_check_private_key(c->leaf, c->key) != 1)
        return err_notef(note, -ERR_CONFIG, "%s is not the key of the certificate %s", from->key,
                         from->cert);
    if (X509_cmp_current_time(X509_get0_notAfter(c->leaf)) < 0)
        return err_notef(note, -ERR_CONFIG, "%s: the certificate has expired", from->cert);
    return 0;
}

struct tls_certs *tls_certs_load(const struct tls_certificate *list, size_t n,
                                 struct err_note *note)
{
    struct tls_certs *c;

    if (n == 0) {
        (void)err_notef(note, -ERR_CONFIG, "TLS needs a certificate");
        return NULL;
    }
    c = mem_new(sizeof(*c));
    c->list = mem_new(n * sizeof(c->list[0]));
    for (c->n = 0; c->n < n; c->n++)
        if (read_cert(&c->list[c->n], &list[c->n], note) < 0) {
            c->n++; /* what is half read is freed with the rest */
            tls_certs_free(c);
            return NULL;
        }
    return c;
}

void tls_certs_free(struct tls_certs *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++) {
        X509_free(c->list[i].leaf);
        sk_X509_pop_free(c->list[i].chain, X509_free);
        EVP_PKEY_free(c->list[i].key);
    }
    mem_free(c->list);
    mem_free(c);
}

/* --- choosing --- */

/* By the names in the certificate, with the rules of RFC 6125: a star stands for one label. */
static bool fits(const struct cert *c, const char *name)
{
    return X509_check_host(c->leaf, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

static bool use(const struct cert *c, SSL *ssl)
{
    return SSL_use_cert_and_key(ssl, c->leaf, c->key, c->chain, 1) == 1;
}

static bool is_first_of_kind(const struct tls_certs *c, size_t at, const char *name)
{
    for (size_t i = 0; i < at; i++)
        if (EVP_PKEY_get_base_id(c->list[i].key) == EVP_PKEY_get_base_id(c->list[at].key) &&
            fits(&c->list[i], name))
            return false;
    return true;
}

bool tls_certs_choose(const struct tls_certs *c, SSL *ssl)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    bool any = false;

    SSL_certs_clear(ssl);
    for (size_t i = 0; name && strlen(name) <= NAME_MAX_BYTES && i < c->n; i++)
        if (fits(&c->list[i], name) && is_first_of_kind(c, i, name)) {
            if (!use(&c->list[i], ssl))
                return false;
            any = true;
        }
    return any || use(&c->list[0], ssl);
}

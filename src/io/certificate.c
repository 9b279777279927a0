#include "io/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DAY = 24 * 60 * 60,
    AUTHORITY_DAYS = 3650,
    LEAF_DAYS = 397, /* browsers refuse longer lives */
    RENEW_DAYS = 30,
    LIST_MAX = 4096,
};

static int refused(struct err_note *note, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_get_error());

    ERR_clear_error();
    return err_notef(note, -ERR_CONFIG, "cannot %s: %s", what, reason ? reason : "unknown");
}

/* --- what stands in it --- */

static bool is_address(const char *name, bool *ret_v6)
{
    uint8_t room[16];

    *ret_v6 = inet_pton(AF_INET6, name, room) == 1;
    return *ret_v6 || inet_pton(AF_INET, name, room) == 1;
}

/* "DNS:a.test,IP:127.0.0.1" */
static void list_names(const struct certificate_request *r, struct buf *out)
{
    bool v6;

    for (size_t i = 0; i < r->n_names; i++)
        (void)buf_addf(out, "%s%s:%s", i ? "," : "", is_address(r->names[i], &v6) ? "IP" : "DNS",
                       r->names[i]);
    (void)buf_add_byte(out, 0);
}

static void list_permitted(const struct certificate_request *r, struct buf *out)
{
    bool v6;

    (void)buf_addf(out, "critical");
    for (size_t i = 0; i < r->n_names; i++) {
        const char *name = r->names[i];

        if (!is_address(name, &v6))
            (void)buf_addf(out, ",permitted;DNS:%s", name);
        else
            (void)buf_addf(out, ",permitted;IP:%s/%s", name,
                           v6 ? "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" : "255.255.255.255");
    }
    (void)buf_add_byte(out, 0);
}

static bool add(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;
    bool ok;

    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool add_extensions(X509 *x, X509 *issuer, const struct certificate_request *r)
{
    CLEANUP(buf_done) struct buf names;

    buf_init(&names, LIST_MAX);
    if (r->is_authority) {
        list_permitted(r, &names);
        return add(x, issuer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
               add(x, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") &&
               add(x, issuer, NID_subject_key_identifier, "hash") &&
               add(x, issuer, NID_name_constraints, (const char *)names.p);
    }
    list_names(r, &names);
    return add(x, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add(x, issuer, NID_key_usage, "critical,digitalSignature") &&
           add(x, issuer, NID_ext_key_usage, "serverAuth") &&
           add(x, issuer, NID_subject_alt_name, (const char *)names.p);
}

static bool set_serial(X509 *x)
{
    uint8_t random[8];
    uint64_t serial;

    if (RAND_bytes(random, sizeof(random)) != 1)
        return false;
    memcpy(&serial, random, sizeof(serial));
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) == 1;
}

static bool fill(X509 *x, X509 *issuer, EVP_PKEY *key, const struct certificate_request *r)
{
    X509_NAME *subject = X509_get_subject_name(x);

    return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
           X509_gmtime_adj(X509_getm_notBefore(x), -DAY) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(x), (long)r->days * DAY) != NULL &&
           X509_set_pubkey(x, key) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)r->common_name,
                                      -1, -1, 0) == 1 &&
           X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1 &&
           add_extensions(x, issuer, r);
}

/* --- files --- */

/* A FILE for a new file beside path, which takes its place when it is complete. */
static FILE *create(const char *path, mode_t mode, char *temporary, size_t n)
{
    int fd;

    (void)snprintf(temporary, n, "%s.new", path);
    (void)unlink(temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static int save(const char *path, mode_t mode, X509 *first, X509 *second, EVP_PKEY *key,
                struct err_note *note)
{
    char temporary[600];
    FILE *f = create(path, mode, temporary, sizeof(temporary));
    bool ok = f != NULL;

    if (ok && first)
        ok = PEM_write_X509(f, first) == 1;
    if (ok && second)
        ok = PEM_write_X509(f, second) == 1;
    if (ok && key)
        ok = PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (f && fclose(f) != 0)
        ok = false;
    if (ok && rename(temporary, path) == 0)
        return 0;
    return err_notef(note, -ERR_OS, "cannot write %s: %s", path, strerror(errno));
}

static X509 *load_cert(const char *path)
{
    FILE *f = fopen(path, "re");
    X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;

    if (f)
        (void)fclose(f);
    ERR_clear_error();
    return x;
}

static EVP_PKEY *load_key(const char *path)
{
    FILE *f = fopen(path, "re");
    EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

    if (f)
        (void)fclose(f);
    ERR_clear_error();
    return key;
}

/* --- making --- */

static int sign_and_save(X509 *x, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
                         const struct certificate_request *r, const char *cert_path,
                         const char *key_path, struct err_note *note)
{
    int result;

    if (!fill(x, issuer ? issuer : x, key, r) ||
        X509_sign(x, issuer_key ? issuer_key : key, EVP_sha256()) == 0)
        return refused(note, "make a certificate");
    result = save(key_path, 0600, NULL, NULL, key, note);
    return result < 0 ? result : save(cert_path, 0644, x, issuer, NULL, note);
}

int certificate_make(const struct certificate_request *r, const char *cert, const char *key,
                     struct err_note *note)
{
    X509 *issuer = r->issuer_cert ? load_cert(r->issuer_cert) : NULL;
    EVP_PKEY *issuer_key = r->issuer_key ? load_key(r->issuer_key) : NULL;
    EVP_PKEY *own = r->is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    X509 *x = X509_new();
    int result;

    if ((r->issuer_cert && !issuer) || (r->issuer_key && !issuer_key))
        result = err_notef(note, -ERR_CONFIG, "cannot read the authority %s", r->issuer_cert);
    else if (!own || !x)
        result = refused(note, "make a key");
    else
        result = sign_and_save(x, own, issuer, issuer_key, r, cert, key, note);
    X509_free(x);
    X509_free(issuer);
    EVP_PKEY_free(own);
    EVP_PKEY_free(issuer_key);
    return result;
}

/* Whether the file is a certificate that is good for a while, made by issuer (NULL: anybody). */
static bool is_good(const char *path, const char *issuer_path)
{
    X509 *x = load_cert(path), *issuer = issuer_path ? load_cert(issuer_path) : NULL;
    time_t soon = time(NULL) + (time_t)RENEW_DAYS * DAY;
    bool ok = x && X509_cmp_time(X509_get0_notAfter(x), &soon) > 0;

    if (ok && issuer_path)
        ok = issuer && X509_verify(x, X509_get0_pubkey(issuer)) == 1;
    ERR_clear_error();
    X509_free(x);
    X509_free(issuer);
    return ok;
}

static int make_folder(const char *dir, struct err_note *note)
{
    if (mkdir(dir, 0700) == 0 || errno == EEXIST)
        return 0;
    return err_notef(note, -ERR_OS, "cannot make %s: %s", dir, strerror(errno));
}

int certificate_local(const char *dir, struct certificate_files *ret, bool *ret_new,
                      struct err_note *note)
{
    static const char *const permitted[] = {"localhost", "127.0.0.1", "::1"};
    static const char *const names[] = {"localhost", "*.localhost", "127.0.0.1", "::1"};
    char authority_key[512];
    int r = make_folder(dir, note);
    struct certificate_request authority = {.common_name = "Holdfast on this machine",
                                            .names = permitted,
                                            .n_names = COUNT_OF(permitted),
                                            .days = AUTHORITY_DAYS,
                                            .is_authority = true};
    struct certificate_request leaf = {.common_name = "localhost",
                                       .names = names,
                                       .n_names = COUNT_OF(names),
                                       .days = LEAF_DAYS,
                                       .issuer_cert = ret->authority,
                                       .issuer_key = authority_key};

    (void)snprintf(ret->authority, sizeof(ret->authority), "%s/authority.pem", dir);
    (void)snprintf(authority_key, sizeof(authority_key), "%s/authority.key", dir);
    (void)snprintf(ret->cert, sizeof(ret->cert), "%s/localhost.pem", dir);
    (void)snprintf(ret->key, sizeof(ret->key), "%s/localhost.key", dir);
    *ret_new = !is_good(ret->authority, NULL) || access(authority_key, R_OK) < 0;
    if (r == 0 && *ret_new)
        r = certificate_make(&authority, ret->authority, authority_key, note);
    if (r == 0 && (!is_good(ret->cert, ret->authority) || access(ret->key, R_OK) < 0))
        r = certificate_make(&leaf, ret->cert, ret->key, note);
    return r;
}

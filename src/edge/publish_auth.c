#include "edge/publish_auth.h"

#include "base/enc.h"
#include "conn/exchange.h"
#include "edge/edge.h"
#include "wire/jwt.h"

enum { LOGIN_MAX = 8192 }; /* bytes of a decoded "user:password" */

struct texts {
    char **at;
    size_t n;
};

struct publishers {
    struct texts tokens, logins;
    struct jwt_key **keys;
    size_t n_keys;
    char *iss; /* NULL: any */
};

static struct texts copy_texts(const char *const *list)
{
    struct texts t = {0};

    for (; list && list[t.n]; t.n++) {
        t.at = mem_grow(t.at, (t.n + 1) * sizeof(t.at[0]));
        t.at[t.n] = slice_dup(slice_str(list[t.n]));
    }
    return t;
}

static void free_texts(struct texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        mem_free(t->at[i]);
    mem_free(t->at);
}

static int add_key(struct publishers *p, const struct app_key *k, struct err_note *note)
{
    struct jwt_key **at = &p->keys[p->n_keys];
    const int r = k->form == APP_KEY_FILE ? jwt_key_new_file(k->text, JWT_VERIFY, at, note)
                                          : jwt_key_new(k->text, JWT_VERIFY, at, note);

    p->n_keys += r == 0;
    return r;
}

struct publishers *publishers_new(const struct publish_auth *a, struct err_note *note)
{
    struct publishers *p = mem_new(sizeof(*p));

    p->tokens = copy_texts(a->tokens);
    p->logins = copy_texts(a->logins);
    p->iss = a->jwt_iss ? slice_dup(slice_str(a->jwt_iss)) : NULL;
    p->keys = a->n_keys ? mem_new(a->n_keys * sizeof(p->keys[0])) : NULL;
    for (size_t i = 0; i < a->n_keys; i++)
        if (add_key(p, &a->keys[i], note) < 0) {
            publishers_free(p);
            return NULL;
        }
    return p;
}

void publishers_free(struct publishers *p)
{
    if (!p)
        return;
    free_texts(&p->tokens);
    free_texts(&p->logins);
    for (size_t i = 0; i < p->n_keys; i++)
        jwt_key_free(p->keys[i]);
    mem_free(p->keys);
    mem_free(p->iss);
    mem_free(p);
}

bool publishers_is_open(const struct publishers *p)
{
    return p->tokens.n + p->logins.n + p->n_keys == 0;
}

static bool is_same(struct slice a, struct slice b)
{
    uint8_t differ = 0;

    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        differ |= a.p[i] ^ b.p[i];
    return differ == 0;
}

static bool is_listed(const struct texts *t, struct slice text)
{
    bool found = false;

    for (size_t i = 0; i < t->n; i++)
        found |= is_same(slice_str(t->at[i]), text);
    return found;
}

static bool is_signed(const struct publishers *p, struct slice token, int64_t wall_s)
{
    for (size_t i = 0; i < p->n_keys; i++)
        if (jwt_verify(p->keys[i], token, slice_str(p->iss), wall_s) == 0)
            return true;
    return false;
}

static bool is_login(const struct publishers *p, struct slice encoded)
{
    struct buf plain;
    bool known;

    buf_init(&plain, LOGIN_MAX);
    known = enc_base64_forgive(&plain, encoded) == 0 && is_listed(&p->logins, buf_slice(&plain));
    buf_done(&plain);
    return known;
}

/* "Bearer xyz": the scheme in any case, then blanks (RFC 9110 11.4). */
static bool has_scheme(struct slice value, struct slice scheme, struct slice *ret_rest)
{
    if (value.n <= scheme.n || !slice_eq_nocase(slice_sub(value, 0, scheme.n), scheme) ||
        value.p[scheme.n] != ' ')
        return false;
    *ret_rest = slice_trim(slice_sub(value, scheme.n, SIZE_MAX));
    return true;
}

bool publishers_has(const struct publishers *p, const struct exchange *x, int64_t wall_s)
{
    const struct slice *auth = exchange_find(x, SLICE("Authorization"));
    const struct slice *fastly = exchange_find(x, SLICE("Fastly-Key"));
    struct slice rest;

    if (fastly && is_listed(&p->tokens, *fastly))
        return true;
    if (auth && has_scheme(*auth, SLICE("Bearer"), &rest))
        return is_listed(&p->tokens, rest) || is_signed(p, rest, wall_s);
    return auth && has_scheme(*auth, SLICE("Basic"), &rest) && is_login(p, rest);
}

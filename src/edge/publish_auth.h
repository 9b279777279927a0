/*
 * Who may publish: tokens, logins and signed tokens (JWT) as the configuration lists them.
 * Comparisons take the same time for all wrong credentials of one length.
 */
#ifndef EDGE_PUBLISH_AUTH_H
#define EDGE_PUBLISH_AUTH_H

#include "base/bytes.h"
#include "base/err.h"

struct exchange;
struct publish_auth;
struct publishers;

/* Copies the lists. NULL with the note: a key cannot be used. */
struct publishers *publishers_new(const struct publish_auth *a, struct err_note *note);
/* NULL is nothing. */
void publishers_free(struct publishers *p);

/* Nobody is listed: everyone may. */
bool publishers_is_open(const struct publishers *p);
/* By Authorization (Bearer, Basic) or Fastly-Key of the request. wall_s: seconds since 1970. */
bool publishers_has(const struct publishers *p, const struct exchange *x, int64_t wall_s);

#endif

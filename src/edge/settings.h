/*
 * Settings: one edge's own copy of a struct app_config, with the defaults filled in. Immutable;
 * replaced as a whole on a reload.
 */
#ifndef EDGE_SETTINGS_H
#define EDGE_SETTINGS_H

#include "edge/edge.h"

struct settings {
    struct app_config config; /* script, map and JSON are left out (empty) */
    bool has_worker;          /* there was a script */
    unsigned refs;            /* who keeps it */
    void **owned;             /* what the pointers in config point to */
    size_t n_owned;
};

/* A deep copy of c, with its defaults filled in. Never NULL; the caller keeps it. */
struct settings *settings_new(const struct app_config *c);
/* Another one keeps it: it lives until each has called settings_free(). */
struct settings *settings_ref(struct settings *s);
/* NULL is nothing. */
void settings_free(struct settings *s);
static inline const struct app_limits *settings_limits(const struct settings *s)
{
    return &s->config.limits;
}
/* exchange_response.comment_ms of a response with these fields: not 0 for an event stream in plain
 * text. */
uint32_t settings_comment_ms(const struct settings *s, struct slice fields);

#endif

/*
 * The routes of an application with an origin, ready to be used: which one a request takes, how its
 * path is written anew, with what it is signed.
 *
 * A table is made of one settings object and lives as long as anybody holds one of its routes: a
 * parked client goes on with the route it came by when the routes are read again.
 */
#ifndef EDGE_ORIGIN_ROUTE_H
#define EDGE_ORIGIN_ROUTE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/map.h"
#include "edge/edge.h"

struct jwt_key;
struct origin_table;
struct settings;

struct origin_route {
    struct origin_table *table;
    const struct app_origin_route *config;
    struct jwt_key *key; /* NULL: requests are not signed */
    struct slice iss;
    struct buf token;   /* the last Grip-Sig */
    int64_t token_s;    /* the second it was made in */
    struct slice *keys; /* of each target: what tells it from all others */
};

/* origin is of settings, which the table keeps. NULL with the note: a key cannot be used. */
struct origin_table *origin_table_new(struct settings *settings, struct err_note *note);
/* Its maker lets go. NULL is nothing. */
void origin_table_free(struct origin_table *t);

/* Keeps the route, and the settings behind it; returns r. */
struct origin_route *origin_route_ref(struct origin_route *r);
/* NULL is nothing. */
void origin_route_unref(struct origin_route *r);
/* What holds for all routes. */
const struct app_origin *origin_route_origin(const struct origin_route *r);

struct origin_wish {
    struct slice host; /* as in Host, with or without a port */
    struct slice path; /* with query */
    bool is_ws;
    bool is_secure;
};

/*
 * Borrowed, NULL: none. Rules for exactly this host win over those for every host, even when none
 * of them fits; among rules that fit: one for this protocol, then the longest path, then one for
 * this security, then the first.
 */
struct origin_route *origin_route_find(const struct origin_table *t, const struct origin_wish *w);
/* The same by its id; NULL also for an id that two routes have. */
struct origin_route *origin_route_by_id(const struct origin_table *t, struct slice id);

/* Appends the path that the origin sees. It begins with "/". */
int origin_route_path(const struct origin_route *r, struct slice path, struct buf *out);

/* GRIP holds on this route: requests are signed and responses may instruct. */
bool origin_route_has_grip(const struct origin_route *r);
bool origin_route_is_debug(const struct origin_route *r);
/* The Grip-Sig of this second, good for an hour; empty: the request goes unsigned. Borrowed until
 * the next call. */
struct slice origin_route_sign(struct origin_route *r, int64_t now_s);
/* Whether a Grip-Sig proves that the client is a GRIP proxy that we trust (upstream_key). */
bool origin_table_trusts(const struct origin_table *t, struct slice token, int64_t now_s);

#endif

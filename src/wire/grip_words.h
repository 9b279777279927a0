/*
 * Words that the GRIP codecs share: what an instruction, a published item and a control message on
 * a WebSocket have in common.
 */
#ifndef WIRE_GRIP_WORDS_H
#define WIRE_GRIP_WORDS_H

#include "base/arena.h"
#include "base/err.h"

/* A request's Grip-Feature: what we can do, in the order of Pushpin 1.41. */
#define GRIP_FEATURES                                                                              \
    "status, session, link:next, link:gone, filter:skip-self, filter:skip-users, "                 \
    "filter:require-sub, filter:build-id, filter:var-subst"

enum {
    GRIP_FILTERS_MAX = 5, /* of one channel */
    GRIP_TIMEOUT_S = 55,  /* of holds and keep-alives that name none */
    GRIP_NEXT_S = 120,    /* of a next link that names none */
};

/* The last two change the content of a message, the others decide whether it is delivered. */
enum grip_filter {
    GRIP_FILTER_UNKNOWN,
    GRIP_FILTER_SKIP_SELF,
    GRIP_FILTER_SKIP_USERS,
    GRIP_FILTER_REQUIRE_SUB,
    GRIP_FILTER_BUILD_ID,
    GRIP_FILTER_VAR_SUBST,
};

/* In the order they were listed. */
struct grip_filters {
    uint8_t n;
    uint8_t ids[GRIP_FILTERS_MAX]; /* enum grip_filter */
};

/* GRIP_FILTER_UNKNOWN for a name that is none. */
enum grip_filter grip_filter_of(struct slice name);
static inline bool grip_filter_changes(enum grip_filter filter)
{
    return filter >= GRIP_FILTER_BUILD_ID;
}

/* A name and its value: metadata, header fields. */
struct grip_pair {
    struct slice name;
    struct slice value;
};

/* Value of the first pair of that name (exact case), or NULL. */
const struct slice *grip_pair_find(const struct grip_pair *pairs, size_t n, struct slice name);

enum grip_keep_alive_mode {
    GRIP_IDLE,     /* each delivered message restarts the timer */
    GRIP_INTERVAL, /* nothing does */
};

/* What a WebSocket message is made of. */
enum grip_ws_type { GRIP_WS_TEXT, GRIP_WS_BINARY, GRIP_WS_PING, GRIP_WS_PONG };

#endif

/*
 * The other end of a stream, in memory: says bytes, remembers what it heard. With a simulated loop
 * a whole conversation runs without a socket, and the test owns the clock.
 */
#ifndef TEST_LIB_PEER_H
#define TEST_LIB_PEER_H

#include "io/stream.h"

struct peer {
    struct loop *loop;
    struct stream *stream;
    struct buf heard;
    bool has_ended; /* the other side has said its last byte */
    int lost;
};

/* ret_other is the end that is tested. */
void peer_open(struct peer *p, struct loop *l, struct stream **ret_other);
void peer_close(struct peer *p);
/* Says bytes and lets everything settle. */
void peer_say(struct peer *p, struct slice bytes);
/* The same, one byte a tick. */
void peer_say_slowly(struct peer *p, struct slice bytes);
/* Half-closes. */
void peer_end(struct peer *p);
/* Everything that was heard and not forgotten. */
struct slice peer_heard(struct peer *p);
void peer_forget(struct peer *p);
/* Asserts that exactly this was heard, printing both when not, and forgets it. */
void peer_expect(struct peer *p, struct slice bytes);

#endif

/*
 * Loops on threads, each with a file table of its own (descriptors.h): the limit on open files is
 * one of each loop, not of all together.
 *
 * What a loop's objects open, read and close belongs to its thread. So they are made there, before
 * the loops run (threads_call()), used there, and freed there, when all loops rest (threads_end()).
 */
#ifndef IO_THREADS_H
#define IO_THREADS_H

#include "io/loop.h"

enum { THREADS_MAX = 64 };

struct threads;

/*
 * Makes n - 1 loops (n: 1 to THREADS_MAX), each with a thread that waits for calls; `first` is the
 * loop of the calling thread, and stays its own. While the process has one thread; signals are
 * blocked as they are here. NULL with errno on failure.
 */
struct threads *threads_start(struct loop *first, unsigned n);
struct loop *threads_loop(const struct threads *t, unsigned i);
/* How many file tables there are: n, or 1 where the system does not let threads split. */
unsigned threads_tables(const struct threads *t);
/* Calls call(arg) on loop i's thread (0: here) and waits for it. Before threads_run(). */
void threads_call(struct threads *t, unsigned i, void (*call)(void *arg), void *arg);
/* The loops run, but the first, which is the caller's to run. No more calls. */
void threads_run(struct threads *t);
/*
 * Stops the loops; when all rest, calls leave(arg, i) on the thread of each, one after another, 0
 * last; then frees the loops but the first. Mails that are on their way then are delivered before
 * any memory goes, and must not post others. From the first loop's thread, outside loop_run(). NULL
 * is nothing.
 */
void threads_end(struct threads *take_t, void (*leave)(void *arg, unsigned i), void *arg);

#endif

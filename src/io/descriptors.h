/*
 * File descriptors of threads.
 *
 * A process's limit on open files (RLIMIT_NOFILE) bounds a *table* of descriptors, and a thread may
 * leave the common one for a table of its own: then every thread has as many as the limit says, and
 * no lock is shared where connections come and go. What one thread opens is unknown to the others
 * from then on; a handover carries what they must pass on.
 */
#ifndef IO_DESCRIPTORS_H
#define IO_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the system lets threads have tables of their own (Linux 5.9, not under ThreadSanitizer).
 * Call it while the process has one thread. */
bool descriptors_can_split(void);
enum { DESCRIPTORS_KEPT = 80 };

/*
 * The calling thread leaves the common table: it keeps 0 to 2 and the n of keep (at most
 * DESCRIPTORS_KEPT), copies of all others are closed; in the old table nothing changes. Threads
 * that it starts share its table, which ends with the last of them. Where descriptors_can_split()
 * says no, nothing happens.
 */
void descriptors_split(const int *keep, size_t n);

/* One way for descriptors from any thread to one other, in order. Opened before they split, and
 * both ends kept by who uses them. */
struct handover {
    int give_fd;
    int take_fd;
};

/* -ERR_OS with errno. */
int handover_open(struct handover *h);
/* Closes it here, also when that fails: -ERR_OS with errno (a hundred or more wait to be taken). */
int handover_give(const struct handover *h, int take_fd);
/* The next one, close-on-exec; -ERR_OS when there is none. Does not wait. */
int handover_take(const struct handover *h);
#endif

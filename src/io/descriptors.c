#include "io/descriptors.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

/* It knows descriptors by their numbers, for the whole process. */
#ifdef __SANITIZE_THREAD__
enum { IS_WATCHED = true };
#else
enum { IS_WATCHED = false };
#endif

/* --- tables ---
 *
 * close_range() leaves the table as unshare() does, and containers let it through. */

bool descriptors_can_split(void)
{
    return !IS_WATCHED && close_range(UINT_MAX, UINT_MAX, CLOSE_RANGE_UNSHARE) == 0;
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

void descriptors_split(const int *keep, size_t n)
{
    int kept[DESCRIPTORS_KEPT];
    unsigned from = STDERR_FILENO + 1;

    assert(n <= DESCRIPTORS_KEPT);
    if (!descriptors_can_split())
        return;
    memcpy(kept, keep, n * sizeof(kept[0]));
    qsort(kept, n, sizeof(kept[0]), by_number);
    for (size_t i = 0; i < n; i++) {
        const unsigned fd = (unsigned)kept[i];

        if (fd > from)
            (void)close_range(from, fd - 1, 0);
        if (fd >= from)
            from = fd + 1;
    }
    (void)close_range(from, UINT_MAX, 0);
}

/* --- handovers --- */

/* One descriptor beside one byte (unix(7), SCM_RIGHTS). */
union room {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int handover_open(struct handover *h)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return -ERR_OS;
    *h = (struct handover){.give_fd = pair[0], .take_fd = pair[1]};
    return 0;
}

int handover_give(const struct handover *h, int take_fd)
{
    union room room = {0};
    char nothing = 0;
    struct iovec byte = {.iov_base = &nothing, .iov_len = 1};
    struct msghdr m = {.msg_iov = &byte,
                       .msg_iovlen = 1,
                       .msg_control = room.bytes,
                       .msg_controllen = sizeof(room.bytes)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    int result, saved;

    *c = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(c), &take_fd, sizeof(take_fd));
    result = sendmsg(h->give_fd, &m, MSG_NOSIGNAL) < 0 ? -ERR_OS : 0;
    saved = errno;
    (void)close(take_fd);
    errno = saved;
    return result;
}

int handover_take(const struct handover *h)
{
    union room room = {0};
    char byte;
    struct iovec into = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {.msg_iov = &into,
                       .msg_iovlen = 1,
                       .msg_control = room.bytes,
                       .msg_controllen = sizeof(room.bytes)};
    const struct cmsghdr *c;
    int fd = -ERR_OS;

    if (recvmsg(h->take_fd, &m, MSG_CMSG_CLOEXEC) <= 0)
        return -ERR_OS;
    c = CMSG_FIRSTHDR(&m); /* none: our table was full */
    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

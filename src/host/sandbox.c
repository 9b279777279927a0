#include "host/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

enum {
    NOFILE_MAX = 1024, /* the store keeps 64 databases open, of three files each */
    CAPS_MAX = 63,
};

#define FSIZE_MAX (16ull << 30) /* the largest database and its log */

/* What the engine reads when it starts: bounds of its stack; random numbers. */
#define PROC_SELF "/proc/self"
#define URANDOM "/dev/urandom"

struct sandbox {
    enum sandbox_mode mode;
    struct sandbox_gaps *gaps;
    struct err_note *note;
};

/* A part could not be applied, errno says why. 0 when that is allowed. */
static int gap(const struct sandbox *s, const char *part)
{
    const size_t used = strlen(s->gaps->text);

    if (s->mode == SANDBOX_STRICT)
        return err_notef(s->note, -ERR_DENIED,
                         "sandbox: %s: %m (strict mode; --sandbox=auto runs without it)", part);
    snprintf(s->gaps->text + used, sizeof(s->gaps->text) - used, "%s%s: %m",
             used ? "; " : "sandbox is incomplete: ", part);
    return 0;
}

/* --- namespaces --- */

static int write_file(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const size_t n = strlen(text);
    ssize_t written;

    if (fd < 0)
        return -1;
    written = write(fd, text, n);
    (void)close(fd);
    return written == (ssize_t)n ? 0 : -1;
}

/* The same user and group inside as outside, so that the state folder stays ours. */
static int map_ids(uid_t uid, gid_t gid)
{
    char text[64];

    (void)write_file("/proc/self/setgroups", "deny");
    snprintf(text, sizeof(text), "%u %u 1", uid, uid);
    if (write_file("/proc/self/uid_map", text) < 0)
        return -1;
    snprintf(text, sizeof(text), "%u %u 1", gid, gid);
    return write_file("/proc/self/gid_map", text);
}

static int enter_namespaces(const struct sandbox *s, bool *ret_mounts)
{
    static const struct {
        int flag;
        const char *name;
    } parts[] = {
        {CLONE_NEWNET, "network namespace"},
        {CLONE_NEWIPC, "IPC namespace"},
        {CLONE_NEWUTS, "UTS namespace"},
        {CLONE_NEWNS, "mount namespace"},
    };
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    int r;

    if ((unshare(CLONE_NEWUSER) < 0 || map_ids(uid, gid) < 0) && (r = gap(s, "user namespace")) < 0)
        return r;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        const bool done = unshare(parts[i].flag) == 0;

        if (!done && (r = gap(s, parts[i].name)) < 0)
            return r;
        if (parts[i].flag == CLONE_NEWNS)
            *ret_mounts = done;
    }
    return 0;
}

/* --- a root with nothing in it --- */

static int make_path(const char *path, bool is_dir)
{
    char part[PATH_MAX];
    int fd;

    if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return -1;
        *p = '/';
    }
    if (is_dir)
        return mkdir(part, 0755) < 0 && errno != EEXIST ? -1 : 0;
    fd = open(part, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    return fd < 0 ? -1 : close(fd);
}

/* A tree that will be the only thing at its path in the new root. */
struct keep {
    const char *path;
    bool is_dir;
    unsigned long flags;
    int tree;
};

static int clone_trees(struct keep *keeps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        keeps[i].tree = open_tree(AT_FDCWD, keeps[i].path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (keeps[i].tree < 0)
            return -1;
    }
    return 0;
}

static int place_trees(const char *root, struct keep *keeps, size_t n)
{
    char at[PATH_MAX];

    for (size_t i = 0; i < n; i++) {
        if (snprintf(at, sizeof(at), "%s%s", root, keeps[i].path) >= (int)sizeof(at)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        if (make_path(at, keeps[i].is_dir) < 0 ||
            move_mount(keeps[i].tree, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
            mount(NULL, at, NULL, MS_REMOUNT | MS_BIND | keeps[i].flags, NULL) < 0)
            return -1;
    }
    return 0;
}

/* The old root is where we stand, then under us, then gone (pivot_root(2)). */
static int change_root(const char *root)
{
    if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
        return -1;
    return chdir("/");
}

static int empty_root(const char *state_dir)
{
    struct keep keeps[] = {
        {PROC_SELF, true, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, -1},
        {URANDOM, false, MS_RDONLY | MS_NOSUID | MS_NOEXEC, -1},
        {state_dir, true, MS_NOSUID | MS_NODEV | MS_NOEXEC, -1},
    };
    const size_t n = COUNT_OF(keeps) - (state_dir[0] ? 0 : 1);
    int r = -1;

    /* The new root hides the folder it is mounted on: the trees are cloned before. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && clone_trees(keeps, n) == 0 &&
        mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755") ==
            0 &&
        place_trees("/tmp", keeps, n) == 0 &&
        mount(NULL, "/tmp", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) ==
            0)
        r = change_root("/tmp");
    for (size_t i = 0; i < n; i++)
        if (keeps[i].tree >= 0)
            (void)close(keeps[i].tree);
    return r;
}

/* --- privileges and resources --- */

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {0};

    for (int cap = 0; cap <= CAPS_MAX; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    return (int)syscall(SYS_capset, &header, none);
}

static int set_limits(void)
{
    static const struct {
        __rlimit_resource_t which;
        rlim_t max;
    } rows[] = {
        {RLIMIT_CORE, 0},
        {RLIMIT_NOFILE, NOFILE_MAX},
        {RLIMIT_FSIZE, FSIZE_MAX},
        {RLIMIT_MSGQUEUE, 0},
    };

    (void)signal(SIGXFSZ, SIG_IGN); /* a full database is an error of the write */
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rlimit l;

        if (getrlimit(rows[i].which, &l) < 0)
            return -1;
        l.rlim_max = MIN(l.rlim_max, rows[i].max);
        l.rlim_cur = l.rlim_max;
        if (setrlimit(rows[i].which, &l) < 0)
            return -1;
    }
    return 0;
}

/* --- Landlock ------------------------------------------------------------------------------------
 *
 * Rights by version of the kernel's interface; the header may be older than the kernel.
 */

enum {
    FS_READ = 1 << 2 | 1 << 3,                             /* READ_FILE, READ_DIR */
    FS_WRITE = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8, /* WRITE_FILE, REMOVE, MAKE dir, reg */
    FS_V1 = (1 << 13) - 1,
    FS_REFER = 1 << 13,    /* 2 */
    FS_TRUNCATE = 1 << 14, /* 3 */
    NET_ALL = 3,           /* 4: bind, connect */
    FS_IOCTL = 1 << 15,    /* 5 */
    SCOPE_ALL = 3,         /* 6: abstract sockets, signals */
};

struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

static struct ruleset handled(int version)
{
    struct ruleset r = {.fs = FS_V1};

    if (version >= 2)
        r.fs |= FS_REFER;
    if (version >= 3)
        r.fs |= FS_TRUNCATE;
    if (version >= 4)
        r.net = NET_ALL;
    if (version >= 5)
        r.fs |= FS_IOCTL;
    if (version >= 6)
        r.scoped = SCOPE_ALL;
    return r;
}

static int allow_path(int ruleset, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights};
    int r;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return -1;
    r = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    (void)close(rule.parent_fd);
    return r;
}

static int enter_landlock(const char *state_dir)
{
    const long version =
        syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    const struct ruleset all = handled((int)version);
    const size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
    int ruleset, r = -1;

    if (version < 0)
        return -1;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, size, 0);
    if (ruleset < 0)
        return -1;
    if (allow_path(ruleset, PROC_SELF, FS_READ) == 0 &&
        allow_path(ruleset, URANDOM, FS_READ & ~(1 << 3)) == 0 &&
        (!state_dir[0] ||
         allow_path(ruleset, state_dir, (FS_READ | FS_WRITE | FS_TRUNCATE) & all.fs) == 0))
        r = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
    (void)close(ruleset);
    return r;
}

/* --- seccomp --- */

/* What the engine, SQLite and the loop use. Everything else answers EPERM. */
static const char *const allowed[] = {
    /* bytes of open descriptors */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "close",
    "lseek",
    "recvfrom",
    "recvmsg",
    "sendto",
    "sendmsg",
    "shutdown",
    "dup",
    /* files: Landlock and the empty root say which */
    "open",
    "openat",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getcwd",
    "getdents64",
    "fcntl",
    "flock",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "rmdir",
    "fchmod",
    "fchown",
    "umask",
    "utimensat",
    /* memory */
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "msync",
    "mincore",
    "brk",
    "membarrier",
    /* threads and their signals */
    "futex",
    "futex_waitv",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "gettid",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "getpriority",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "rt_sigsuspend",
    "sigaltstack",
    "exit",
    "exit_group",
    "restart_syscall",
    /* time and waiting */
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "timer_settime",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "poll",
    "ppoll",
    "timerfd_create",
    "timerfd_settime",
    /* questions */
    "getpid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getrandom",
    "getrusage",
    "times",
    "uname",
    "sysinfo",
    "getcpu",
    "getrlimit",
};

/* Allowed only with an argument: the flags of a thread, our own process, harmless requests. */
static int add_conditions(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
    const struct scmp_arg_cmp self = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
    const struct scmp_arg_cmp name = SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME);
    const struct scmp_arg_cmp only_ask[] = {SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0)};
    int r;

    if ((r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread)) < 0 ||
        (r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &self)) < 0 ||
        (r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, &name)) < 0 ||
        (r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, only_ask)) < 0)
        return r;
    /* Its flags lie in memory, out of a filter's sight; the C library falls back to clone. */
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int add_rules(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < COUNT_OF(allowed); i++) {
        const int number = seccomp_syscall_resolve_name(allowed[i]);
        const int r =
            number < 0 ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0); /* not here */

        if (r < 0)
            return r;
    }
    return add_conditions(filter);
}

static int load_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r;

    if (!filter)
        return -ENOMEM;
    r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (r == 0)
        r = add_rules(filter);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

#ifdef __SANITIZE_ADDRESS__
static bool sealed;

/* The leak check at the end starts a tracer, which a sealed process may not. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return sealed;
}
#endif

/* --- the door --- */

int sandbox_enter(enum sandbox_mode mode, const char *state_dir, struct sandbox_gaps *gaps,
                  struct err_note *note)
{
    const struct sandbox s = {mode, gaps, note};
    bool mounts = false;
    int r;

    if (mode == SANDBOX_OFF)
        return 0;
    if ((r = enter_namespaces(&s, &mounts)) < 0)
        return r;
    if (mounts && empty_root(state_dir) < 0 && (r = gap(&s, "empty root")) < 0)
        return r;
    if (drop_capabilities() < 0 && (r = gap(&s, "capabilities")) < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 && (r = gap(&s, "no_new_privs")) < 0)
        return r;
    if (set_limits() < 0 && (r = gap(&s, "resource limits")) < 0)
        return r;
    if (enter_landlock(state_dir) < 0 && (r = gap(&s, "Landlock")) < 0)
        return r;
    return 0;
}

int sandbox_seal(enum sandbox_mode mode, struct sandbox_gaps *gaps, struct err_note *note)
{
    const struct sandbox s = {mode, gaps, note};
    int r;

    if (mode == SANDBOX_OFF)
        return 0;
    r = load_filter();
#ifdef __SANITIZE_ADDRESS__
    sealed = r == 0;
#endif
    if (r == 0)
        return 0;
    errno = -r;
    return gap(&s, "seccomp");
}

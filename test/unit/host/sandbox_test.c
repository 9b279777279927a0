/*
 * The sandbox from inside: each test enters and seals it in a process of its own and tries to get
 * out with native code, as an attacker who broke the engine would.
 */
#include "host/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/test.h"

static char state[] = "/tmp/holdfast-sandbox-XXXXXX";

/* Runs try() in a sealed child; its value, or minus the signal that ended it. */
static int sealed(int (*try)(void))
{
    const pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        struct sandbox_gaps gaps = {0};
        struct err_note note = {0};

        if (sandbox_enter(SANDBOX_AUTO, state, &gaps, &note) < 0 ||
            sandbox_seal(SANDBOX_AUTO, &gaps, &note) < 0)
            _exit(99);
        if (strstr(gaps.text, "seccomp"))
            _exit(77); /* a kernel without it: nothing to test */
        _exit(try());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* 0 when the system refused, 1 when it did not. */
static int refused(long result)
{
    return result < 0 ? 0 : 1;
}

static int open_passwd(void)
{
    return refused(open("/etc/passwd", O_RDONLY)) | refused(open("/proc/1/environ", O_RDONLY)) |
           refused(open("/", O_RDONLY | O_TMPFILE, 0600));
}

static int walk_out(void)
{
    char path[sizeof(state) + 64];

    snprintf(path, sizeof(path), "%s/../../etc/passwd", state);
    return refused(open(path, O_RDONLY)) | refused(open("../../../../etc/passwd", O_RDONLY)) |
           refused(open("/proc/self/root/etc/passwd", O_RDONLY)) |
           refused(open("/proc/self/cwd/etc/passwd", O_RDONLY));
}

static int write_elsewhere(void)
{
    return refused(open("/tmp/holdfast-escape", O_CREAT | O_WRONLY, 0600)) |
           refused(open("/dev/shm/holdfast-escape", O_CREAT | O_WRONLY, 0600)) |
           refused(symlink("/etc/passwd", "link")) | refused(chmod(state, 0777));
}

static int open_sockets(void)
{
    int pair[2];

    return refused(socket(AF_INET, SOCK_STREAM, 0)) | refused(socket(AF_INET6, SOCK_DGRAM, 0)) |
           refused(socket(AF_UNIX, SOCK_STREAM, 0)) | refused(socket(AF_NETLINK, SOCK_RAW, 0)) |
           refused(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

static int start_processes(void)
{
    char name[] = "sh";
    char *argv[] = {name, NULL};
    const pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return refused(pid) | refused(execv("/bin/sh", argv)) |
           refused(syscall(SYS_execveat, AT_FDCWD, "/bin/sh", argv, NULL, 0)) |
           refused(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)) | refused(vfork());
}

static int touch_processes(void)
{
    return refused(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL)) |
           refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL)) | refused(kill(getppid(), 0)) |
           refused(syscall(SYS_tgkill, getppid(), getppid(), 0)) |
           refused(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)) |
           refused(syscall(SYS_pidfd_open, getppid(), 0));
}

static int gain_privileges(void)
{
    return refused(setuid(0)) | refused(syscall(SYS_unshare, 0x10000000)) |
           refused(syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL)) |
           refused(syscall(SYS_setns, 0, 0)) | refused(syscall(SYS_bpf, 0, NULL, 0)) |
           refused(syscall(SYS_keyctl, 0, 0, 0)) | refused(syscall(SYS_userfaultfd, 0)) |
           refused(syscall(SYS_io_uring_setup, 1, NULL)) | refused(chroot("/"));
}

/* What a worker needs: files in its folder, threads, executable memory. */
static void *nothing(void *arg)
{
    return arg;
}

static int work(void)
{
    char path[sizeof(state) + 16];
    pthread_t thread;
    int fd;

    snprintf(path, sizeof(path), "%s/room", state);
    if (mkdir(path, 0700) < 0)
        return 1;
    snprintf(path, sizeof(path), "%s/room/db", state);
    fd = open(path, O_CREAT | O_RDWR, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || ftruncate(fd, 0) < 0 || fsync(fd) < 0 ||
        close(fd) < 0 || unlink(path) < 0)
        return 2;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0)
        return 3;
    if (mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
        MAP_FAILED)
        return 4;
    snprintf(path, sizeof(path), "%s/room", state);
    return rmdir(path) < 0 ? 5 : 0;
}

TEST(sandbox_hides_the_systems_files)
{
    assert_int_equal(sealed(open_passwd), 0);
    assert_int_equal(sealed(walk_out), 0);
}

TEST(sandbox_writes_only_in_the_state_folder)
{
    assert_int_equal(sealed(write_elsewhere), 0);
}

TEST(sandbox_opens_no_socket)
{
    assert_int_equal(sealed(open_sockets), 0);
}

TEST(sandbox_starts_no_process)
{
    assert_int_equal(sealed(start_processes), 0);
}

TEST(sandbox_touches_no_other_process)
{
    assert_int_equal(sealed(touch_processes), 0);
}

TEST(sandbox_gains_no_privilege)
{
    assert_int_equal(sealed(gain_privileges), 0);
}

TEST(sandbox_lets_a_worker_work)
{
    assert_int_equal(sealed(work), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sandbox_hides_the_systems_files),
        cmocka_unit_test(sandbox_writes_only_in_the_state_folder),
        cmocka_unit_test(sandbox_opens_no_socket),
        cmocka_unit_test(sandbox_starts_no_process),
        cmocka_unit_test(sandbox_touches_no_other_process),
        cmocka_unit_test(sandbox_gains_no_privilege),
        cmocka_unit_test(sandbox_lets_a_worker_work),
    };
    int r;

    if (!mkdtemp(state))
        return 1;
    r = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(state);
    return r;
}

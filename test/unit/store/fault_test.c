/*
 * Every step fails once: a shim VFS makes the n-th write, sync, truncation or open of a file fail,
 * for every n until a run meets none; then the same with SQLite's n-th allocation. Whatever fails,
 * an answer that said "committed" is kept, one that said "failed" is not there in part, and the
 * next try works.
 */
#include <sqlite3.h>

#include "unit/store/store_fixture.h"

/* --- a VFS that fails --- */

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    int countdown; /* calls until one fails; 0: none will */
    int code;
    bool memory;   /* allocations fail, else files do */
    bool persists; /* all later ones fail too: the disk is full, not hiccuping */
    bool hit;
} shim;

struct shim_file {
    sqlite3_file base;
    sqlite3_io_methods methods; /* the real ones with some replaced */
};

static int fault(bool memory)
{
    if (memory == shim.memory && shim.countdown > 0 && --shim.countdown == 0) {
        shim.hit = true;
        if (shim.persists)
            shim.countdown = 1;
        return shim.code;
    }
    return SQLITE_OK;
}

static sqlite3_file *real_file(sqlite3_file *f)
{
    return (sqlite3_file *)(void *)((struct shim_file *)(void *)f + 1);
}

#define FORWARD(name, params, ...)                                                                 \
    static int forward_##name params                                                               \
    {                                                                                              \
        return real_file(f)->pMethods->name(real_file(f), ##__VA_ARGS__);                          \
    }
#define FAILING(name, params, ...)                                                                 \
    static int forward_##name params                                                               \
    {                                                                                              \
        const int rc = fault(false);                                                               \
        return rc ? rc : real_file(f)->pMethods->name(real_file(f), ##__VA_ARGS__);                \
    }

FORWARD(xClose, (sqlite3_file * f))
FORWARD(xRead, (sqlite3_file * f, void *p, int n, sqlite3_int64 at), p, n, at)
FAILING(xWrite, (sqlite3_file * f, const void *p, int n, sqlite3_int64 at), p, n, at)
FAILING(xTruncate, (sqlite3_file * f, sqlite3_int64 n), n)
FAILING(xSync, (sqlite3_file * f, int flags), flags)
FORWARD(xFileSize, (sqlite3_file * f, sqlite3_int64 *n), n)
FORWARD(xLock, (sqlite3_file * f, int kind), kind)
FORWARD(xUnlock, (sqlite3_file * f, int kind), kind)
FORWARD(xCheckReservedLock, (sqlite3_file * f, int *out), out)
FORWARD(xFileControl, (sqlite3_file * f, int op, void *arg), op, arg)
FORWARD(xSectorSize, (sqlite3_file * f))
FORWARD(xDeviceCharacteristics, (sqlite3_file * f))
FAILING(xShmMap, (sqlite3_file * f, int page, int n, int extend, void volatile **out), page, n,
        extend, out)
FORWARD(xShmLock, (sqlite3_file * f, int at, int n, int flags), at, n, flags)
FORWARD(xShmUnmap, (sqlite3_file * f, int gone), gone)

static void forward_xShmBarrier(sqlite3_file *f)
{
    real_file(f)->pMethods->xShmBarrier(real_file(f));
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = forward_xClose,
    .xRead = forward_xRead,
    .xWrite = forward_xWrite,
    .xTruncate = forward_xTruncate,
    .xSync = forward_xSync,
    .xFileSize = forward_xFileSize,
    .xLock = forward_xLock,
    .xUnlock = forward_xUnlock,
    .xCheckReservedLock = forward_xCheckReservedLock,
    .xFileControl = forward_xFileControl,
    .xSectorSize = forward_xSectorSize,
    .xDeviceCharacteristics = forward_xDeviceCharacteristics,
    .xShmMap = forward_xShmMap,
    .xShmLock = forward_xShmLock,
    .xShmBarrier = forward_xShmBarrier,
    .xShmUnmap = forward_xShmUnmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    int rc = fault(false) ? SQLITE_CANTOPEN : SQLITE_OK;

    f->pMethods = NULL;
    if (rc == SQLITE_OK)
        rc = shim.real->xOpen(shim.real, name, real_file(f), flags, out);
    if (rc == SQLITE_OK)
        f->pMethods = &methods;
    return rc;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    return shim.real->xDelete(shim.real, name, sync);
}

static void register_shim(void)
{
    shim.real = sqlite3_vfs_find(NULL);
    shim.vfs = *shim.real;
    shim.vfs.zName = "failing";
    shim.vfs.szOsFile = shim.real->szOsFile + (int)sizeof(struct shim_file);
    shim.vfs.xOpen = shim_open;
    shim.vfs.xDelete = shim_delete;
    assert_int_equal(sqlite3_vfs_register(&shim.vfs, 0), SQLITE_OK);
}

static void arm(int n, int code, bool persists)
{
    shim.countdown = n;
    shim.code = code;
    shim.memory = code == SQLITE_NOMEM;
    shim.persists = persists;
    shim.hit = false;
}

/* --- the work --- */

enum { ROUNDS = 3 };

/* One instance's turn: both keys, a row and the alarm get the round's number. */
static bool write_round(struct fixture *f, int round)
{
    const struct alarm alarm = {.due_ms = 1000 - round, .scheduled_ms = 1000 - round};
    const char value[2] = {(char)('0' + round), '\0'};
    struct sql_cursor *c;
    char query[80];

    snprintf(query, sizeof(query), "CREATE TABLE IF NOT EXISTS t (n); INSERT INTO t VALUES (%d)",
             round);
    if (kv_put(f->db, SLICE("a"), slice_str(value), &f->note) < 0 ||
        sql_exec(f->db, slice_str(query), NULL, 0, &c, &f->note) < 0)
        return false;
    sql_close(c);
    return alarm_set(f->db, &alarm, &f->note) == 0 &&
           kv_put(f->db, SLICE("b"), slice_str(value), &f->note) == 0;
}

/* What an instance does that saw an error, or whose commit failed. */
static void reset(struct fixture *f)
{
    store_close(f->store, f->actor);
    f->actor = store_open(f->store, SLICE("chat-Room"), SLICE(ID_A), SLICE("lobby"));
    f->db = store_find(f->store, f->actor);
}

/* ret_committed: whose commit was said to have succeeded. */
static void work(struct fixture *f, bool ret_committed[ROUNDS])
{
    for (int round = 0; round < ROUNDS; round++) {
        const bool written = write_round(f, round);

        if (!written) {
            assert_int_not_equal(f->note.text[0], '\0');
            reset(f);
        }
        f->failures = 0;
        commit_all(f);
        ret_committed[round] = written && f->failures == 0;
        if (written && f->failures > 0)
            reset(f);
    }
}

static int find_alarm(void *ctx, struct slice class_key, struct slice id, struct slice name,
                      int64_t due_ms)
{
    *(int64_t *)ctx = due_ms;
    return 1;
}

/*
 * Every round that was said to be committed is there, and what is there is whole. (A commit whose
 * last step failed, the sync of the log, may come to light again when the log is read: it is said
 * to have failed, and is there as a whole.)
 */
static void check(struct fixture *f, const bool committed[ROUNDS])
{
    const int last = committed[2] ? 2 : committed[1] ? 1 : committed[0] ? 0 : -1;
    const char *a = get(f, "a");
    const int seen = a[0] == '-' ? -1 : a[0] - '0';
    struct alarm alarm = {0};
    int64_t indexed = 0;
    char expected[40];

    assert_in_range(seen + 1, last + 1, ROUNDS);
    snprintf(expected, sizeof(expected), "%d", seen);
    assert_string_equal(get(f, "b"), seen < 0 ? "-" : expected);
    if (seen < 0)
        return;
    assert_string_equal(sql(f, "SELECT max(n) FROM t"), expected);
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(expected, sizeof(expected), "SELECT n FROM t WHERE n = %d", i);
        assert_true(!committed[i] || sql(f, expected)[0] == '0' + i);
    }
    assert_int_equal(alarm_get(f->db, &alarm, NULL), 1);
    assert_int_equal(alarm.due_ms, 1000 - seen);
    alarm_each(f->store, find_alarm, &indexed, NULL);
    assert_true(indexed != 0 && indexed <= alarm.due_ms); /* early enough */
}

/* True when a call failed. */
static bool run_once(int n, int code, bool persists)
{
    bool committed[ROUNDS], hit;
    struct fixture f;

    fixture_init(&f);
    f.options.vfs = "failing";
    reopen(&f);
    arm(n, code, persists);
    work(&f, committed);
    hit = shim.hit;
    arm(0, 0, false);
    if (!hit)
        assert_true(committed[0] && committed[1] && committed[2]);
    check(&f, committed);
    reopen(&f);
    check(&f, committed);
    assert_int_equal(put(&f, "again", "works"), 0);
    assert_int_equal(commit_all(&f), 0);
    fixture_done(&f);
    return hit;
}

static void run_with_faults(int code, bool persists)
{
    int n = 1;

    while (run_once(n, code, persists))
        n++;
    assert_in_range(n, 20, 400);
}

TEST(every_disk_error_is_met_once)
{
    run_with_faults(SQLITE_IOERR_WRITE, false);
}

TEST(the_disk_is_full_from_any_write_on)
{
    run_with_faults(SQLITE_FULL, true);
}

/* --- memory --- */

static sqlite3_mem_methods real_memory;

static void *shim_malloc(int n)
{
    return fault(true) ? NULL : real_memory.xMalloc(n);
}

static void *shim_realloc(void *p, int n)
{
    return fault(true) ? NULL : real_memory.xRealloc(p, n);
}

static void install_memory(void)
{
    sqlite3_mem_methods m;

    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
    m = real_memory;
    m.xMalloc = shim_malloc;
    m.xRealloc = shim_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &m), SQLITE_OK);
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
}

/* There are thousands of allocations: a stride that meets different ones each time. */
TEST(allocations_fail_here_and_there)
{
    int n = 1;

    while (run_once(n, SQLITE_NOMEM, false))
        n += 1 + n / 20;
    assert_in_range(n, 500, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_disk_error_is_met_once),
        cmocka_unit_test(the_disk_is_full_from_any_write_on),
        cmocka_unit_test(allocations_fail_here_and_there),
    };

    install_memory();
    register_shim();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

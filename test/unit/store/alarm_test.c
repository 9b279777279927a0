#include "store/alarm.h"

#include "unit/store/store_fixture.h"

static int set(struct fixture *f, int64_t due)
{
    return alarm_set(f->db, &(struct alarm){.due_ms = due, .scheduled_ms = due}, &f->note);
}

static int64_t due(struct fixture *f)
{
    struct alarm a;

    return alarm_get(f->db, &a, NULL) > 0 ? a.due_ms : 0;
}

static int add_alarm(void *ctx, struct slice class_key, struct slice id, struct slice name,
                     int64_t due_ms)
{
    struct buf *out = ctx;

    return buf_addf(out, "%.*s/%c %.*s %lld;", SLICE_FMT(class_key), id.p[0], SLICE_FMT(name),
                    (long long)due_ms);
}

static const char *all(struct fixture *f)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, sizeof(f->text) - 1);
    assert_true(alarm_each(f->store, add_alarm, &b, NULL) >= 0);
    snprintf(f->text, sizeof(f->text), "%.*s", SLICE_FMT(buf_slice(&b)));
    return f->text;
}

TEST(the_index_follows_the_commits)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(all(&f), "");
    assert_false(file_of(&f, "alarms.sqlite"));
    set(&f, 500);
    assert_string_equal(all(&f), "");
    commit_all(&f);
    assert_string_equal(all(&f), "chat-Room/a lobby 500;");
    set(&f, 400);
    commit_all(&f);
    assert_string_equal(all(&f), "chat-Room/a lobby 400;");
    reopen(&f);
    set(&f, 900);
    commit_all(&f);
    assert_string_equal(all(&f), "chat-Room/a lobby 900;");
    f.db = store_find(f.store, store_open(f.store, SLICE("chat-Room"), SLICE(ID_B), SLICE("")));
    set(&f, 100);
    commit_all(&f);
    assert_string_equal(all(&f), "chat-Room/b  100;chat-Room/a lobby 900;");
    assert_int_equal(alarm_delete(f.db, NULL), 0);
    commit_all(&f);
    assert_string_equal(all(&f), "chat-Room/a lobby 900;");
    fixture_done(&f);
}

TEST(an_alarm_is_undone_with_its_transaction)
{
    struct fixture f;

    fixture_init(&f);
    set(&f, 500);
    commit_all(&f);
    db_begin(f.db, NULL);
    set(&f, 100);
    assert_int_equal(due(&f), 100);
    db_rollback(f.db, 1, NULL);
    assert_int_equal(due(&f), 500);
    commit_all(&f);
    assert_string_equal(all(&f), "chat-Room/a lobby 500;");
    fixture_done(&f);
}

TEST(deleting_what_is_not_there_writes_nothing)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(alarm_delete(f.db, NULL), 0);
    assert_false(store_is_dirty(f.store));
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_follows_the_commits),
        cmocka_unit_test(an_alarm_is_undone_with_its_transaction),
        cmocka_unit_test(deleting_what_is_not_there_writes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

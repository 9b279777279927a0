#include "store/store.h"

#include "unit/store/store_fixture.h"

#define FILE_A "chat-Room/" ID_A ".sqlite"

TEST(an_actor_that_only_reads_has_no_file)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(get(&f, "a"), "-");
    assert_int_equal(kv_delete(f.db, SLICE("a"), NULL), 0);
    assert_false(store_is_dirty(f.store));
    assert_false(file_of(&f, "chat-Room"));
    fixture_done(&f);
}

TEST(writes_of_a_batch_are_one_commit)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(put(&f, "a", "1"), 0);
    assert_true(store_is_dirty(f.store));
    reopen(&f);
    assert_string_equal(get(&f, "a"), "-");
    assert_int_equal(put(&f, "a", "1"), 0);
    assert_int_equal(put(&f, "b", "2"), 0);
    assert_int_equal(commit_all(&f), 0);
    assert_false(store_is_dirty(f.store));
    reopen(&f);
    assert_string_equal(get(&f, "a"), "1");
    assert_string_equal(get(&f, "b"), "2");
    fixture_done(&f);
}

TEST(closing_a_dirty_actor_reports_its_output_as_lost)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(put(&f, "a", "1"), 0);
    store_close(f.store, f.actor);
    assert_true(store_is_dirty(f.store));
    assert_int_equal(commit_all(&f), 1);
    assert_int_equal(f.last_error, -ERR_STORE_LOST);
    assert_null(store_find(f.store, f.actor));
    store_close(f.store, f.actor);
    fixture_done(&f);
}

TEST(names_that_cannot_be_files_have_no_handle)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(store_open(f.store, SLICE("x"), SLICE("12"), SLICE("")), 0);
    assert_int_equal(store_open(f.store, SLICE(""), SLICE(ID_B), SLICE("")), 0);
    assert_int_equal(store_open(f.store, SLICE(".."), SLICE(ID_B), SLICE("")), 0);
    assert_int_not_equal(store_open(f.store, SLICE("x/../ü"), SLICE(ID_B), SLICE("")), 0);
    fixture_done(&f);
}

TEST(more_actors_than_open_files_all_keep_their_data)
{
    struct fixture f;
    uint32_t actors[10];
    char id[65];

    fixture_init(&f);
    f.options.max_open = 3;
    reopen(&f);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++) {
            snprintf(id, sizeof(id), "%064x", i + 1);
            if (round == 0)
                actors[i] = store_open(f.store, SLICE("k"), slice_str(id), SLICE(""));
            f.db = store_find(f.store, actors[i]);
            assert_string_equal(get(&f, "n"), round == 0 ? "-" : round == 1 ? "0" : "1");
            assert_int_equal(put(&f, "n", (const char *[]){"0", "1", "2"}[round]), 0);
        }
        assert_int_equal(commit_all(&f), 0);
    }
    fixture_done(&f);
}

TEST(a_savepoint_undoes_what_came_after_it)
{
    struct fixture f;

    fixture_init(&f);
    put(&f, "a", "1");
    assert_int_equal(db_begin_sync(f.db, NULL), 1);
    put(&f, "a", "2");
    assert_int_equal(db_begin_sync(f.db, NULL), 2);
    put(&f, "a", "3");
    assert_int_equal(db_rollback(f.db, 2, NULL), 0);
    assert_string_equal(get(&f, "a"), "2");
    assert_int_equal(db_rollback(f.db, 1, NULL), 0);
    assert_string_equal(get(&f, "a"), "1");
    assert_int_equal(db_release(f.db, 1, &f.note), -ERR_STORE_BUSY);
    fixture_done(&f);
}

TEST(a_commit_leaves_an_explicit_transaction_alone)
{
    struct fixture f;

    fixture_init(&f);
    put(&f, "before", "1");
    assert_int_equal(db_begin(f.db, NULL), 1);
    put(&f, "within", "2");
    assert_int_equal(commit_all(&f), 0);
    assert_int_equal(db_depth(f.db), 1);
    reopen(&f);
    assert_string_equal(get(&f, "before"), "1");
    assert_string_equal(get(&f, "within"), "-");
    assert_int_equal(db_begin(f.db, NULL), 1);
    put(&f, "within", "2");
    assert_int_equal(db_release(f.db, 1, NULL), 0);
    assert_int_equal(commit_all(&f), 0);
    reopen(&f);
    assert_string_equal(get(&f, "within"), "2");
    fixture_done(&f);
}

TEST(savepoints_are_bounded)
{
    struct fixture f;

    fixture_init(&f);
    for (int i = 1; i <= 64; i++)
        assert_int_equal(db_begin_sync(f.db, NULL), i);
    assert_int_equal(db_begin_sync(f.db, &f.note), -ERR_STORE_LIMIT);
    fixture_done(&f);
}

TEST(delete_all_takes_everything_and_the_file_with_it)
{
    struct fixture f;

    fixture_init(&f);
    put(&f, "a", "1");
    sql(&f,
        "CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO parent VALUES (1);"
        "CREATE TABLE child (p REFERENCES parent(id)); INSERT INTO child VALUES (1);"
        "CREATE VIEW v AS SELECT * FROM child; CREATE INDEX i ON child(p);"
        "CREATE TRIGGER t AFTER DELETE ON child BEGIN INSERT INTO child VALUES (old.p); END;"
        "CREATE VIRTUAL TABLE words USING fts5(x); INSERT INTO words VALUES ('hello')");
    assert_int_equal(alarm_set(f.db, &(struct alarm){.due_ms = 5, .scheduled_ms = 5}, NULL), 0);
    assert_int_equal(commit_all(&f), 0);
    assert_int_equal(db_begin_sync(f.db, NULL), 1);
    assert_int_equal(db_delete_all(f.db, true, &f.note), -ERR_STORE_BUSY);
    assert_int_equal(db_release(f.db, 1, NULL), 0);

    assert_int_equal(db_delete_all(f.db, false, &f.note), 0);
    assert_string_equal(get(&f, "a"), "-");
    assert_string_equal(sql(&f, "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE "
                                "'\\_cf\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'"),
                        "0");
    assert_int_equal(alarm_get(f.db, &(struct alarm){0}, NULL), 1);
    assert_int_equal(db_delete_all(f.db, true, &f.note), 0);
    assert_int_equal(alarm_get(f.db, &(struct alarm){0}, NULL), 0);
    assert_int_equal(commit_all(&f), 0);
    assert_true(file_of(&f, FILE_A));
    store_close(f.store, f.actor);
    assert_false(file_of(&f, FILE_A));
    assert_false(file_of(&f, FILE_A "-wal"));
    fixture_done(&f);
}

TEST(a_damaged_file_is_an_error_and_nothing_else)
{
    struct fixture f;
    char path[200];

    fixture_init(&f);
    snprintf(path, sizeof(path), "%s/chat-Room", f.dir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/" FILE_A, f.dir);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 9000; i++)
        fputc(i % 251, file);
    fclose(file);
    assert_string_equal(get(&f, "a"), "!");
    assert_string_equal(f.note.text, "file is not a database");
    assert_int_equal(put(&f, "a", "1"), -ERR_STORE_CORRUPT);
    assert_int_equal(commit_all(&f), 0);
    fixture_done(&f);
}

TEST(without_a_folder_every_access_says_so)
{
    struct store *s = store_new(&(struct store_options){0}, NULL);
    const uint32_t a = store_open(s, SLICE("k"), SLICE(ID_A), SLICE(""));
    struct err_note note;

    assert_int_equal(kv_put(store_find(s, a), SLICE("a"), SLICE("b"), &note), -ERR_STORE_NONE);
    assert_string_equal(note.text, "there is no storage folder");
    store_free(s);
}

TEST(a_full_database_refuses_a_write_and_keeps_the_others)
{
    struct fixture f;
    char value[4000];

    fixture_init(&f);
    f.options.db_max = 64 * 4096;
    reopen(&f);
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    put(&f, "first", "1");
    int r = 0;
    for (int i = 0; i < 200 && r == 0; i++) {
        char key[10];

        snprintf(key, sizeof(key), "k%d", i);
        r = put(&f, key, value);
    }
    assert_int_equal(r, -ERR_STORE_FULL);
    if (!db_broken(f.db)) {
        assert_int_equal(commit_all(&f), 0);
        assert_string_equal(get(&f, "first"), "1");
    }
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_actor_that_only_reads_has_no_file),
        cmocka_unit_test(writes_of_a_batch_are_one_commit),
        cmocka_unit_test(closing_a_dirty_actor_reports_its_output_as_lost),
        cmocka_unit_test(names_that_cannot_be_files_have_no_handle),
        cmocka_unit_test(more_actors_than_open_files_all_keep_their_data),
        cmocka_unit_test(a_savepoint_undoes_what_came_after_it),
        cmocka_unit_test(a_commit_leaves_an_explicit_transaction_alone),
        cmocka_unit_test(savepoints_are_bounded),
        cmocka_unit_test(delete_all_takes_everything_and_the_file_with_it),
        cmocka_unit_test(a_damaged_file_is_an_error_and_nothing_else),
        cmocka_unit_test(without_a_folder_every_access_says_so),
        cmocka_unit_test(a_full_database_refuses_a_write_and_keeps_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

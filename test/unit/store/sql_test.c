#include "store/sql.h"

#include "unit/store/store_fixture.h"

#define TEXT(s) ((struct sql_value){.type = SQL_TEXT, .bytes = SLICE(s)})

static int exec(struct fixture *f, const char *query, const struct sql_value *v, size_t n,
                struct sql_cursor **c)
{
    return sql_exec(f->db, slice_str(query), v, n, c, &f->note);
}

TEST(all_statements_run_and_the_last_gives_rows)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(sql(&f, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2.5), ('x'), "
                                "(NULL); SELECT * FROM t;  "),
                        "1;2.5;x;null");
    assert_string_equal(sql(&f, "-- first\nSELECT 1 /* one */; -- done"), "1");
    assert_string_equal(sql(&f, "SELECT 1, ';' ; /* x */ SELECT 2"), "2");
    fixture_done(&f);
}

TEST(mistakes_say_what_sqlite_says)
{
    static const char *const cases[][2] = {
        {"selec 1", "!near \"selec\": syntax error at offset 0: SQLITE_ERROR"},
        {"SELECT * FROM nope", "!no such table: nope: SQLITE_ERROR"},
        {"INSERT INTO t VALUES (1)", "!UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: "
                                     "SQLITE_CONSTRAINT_PRIMARYKEY)"},
        {"", "!SQL code did not contain a statement."},
        {" -- nothing", "!SQL code did not contain a statement."},
        {"SELECT 1;;", "!SQL code did not contain a statement."},
        {"SELECT ?", "!Wrong number of parameter bindings for SQL query."},
        {"SELECT ?; SELECT 1", "!When executing multiple SQL statements in a single call, only the "
                               "last statement can have parameters."},
    };
    struct fixture f;

    fixture_init(&f);
    sql(&f, "CREATE TABLE t (a PRIMARY KEY); INSERT INTO t VALUES (1)");
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(sql(&f, cases[i][0]), cases[i][1]);
    assert_string_equal(sql(&f, "SELECT a FROM t"), "1");
    assert_int_equal(commit_all(&f), 0);
    fixture_done(&f);
}

TEST(what_is_not_permitted_is_refused)
{
    static const char *const refused[] = {
        "CREATE TABLE _cf_x (a)",
        "SELECT * FROM _cf_KV",
        "SELECT * FROM _CF_kv",
        "DROP TABLE _cf_KV",
        "CREATE TABLE x (a); CREATE INDEX _cf_i ON x(a)",
        "ALTER TABLE y RENAME TO _cf_y",
        "ATTACH '/tmp/x' AS x",
        "PRAGMA user_version",
        "PRAGMA journal_mode = OFF",
        "PRAGMA writable_schema = 1",
        "SELECT sqlite_version()",
        "SELECT load_extension('x')",
        "VACUUM",
        "CREATE TEMP TABLE t (a)",
        "SELECT * FROM pragma_user_version",
        "CREATE VIRTUAL TABLE c USING csv(x)",
        "WITH q AS (SELECT * FROM _cf_ALARM) SELECT * FROM q",
    };
    static const char *const transactions[] = {
        "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT x", "RELEASE x", "SELECT 1; BEGIN IMMEDIATE"};
    struct fixture f;

    fixture_init(&f);
    put(&f, "k", "v");
    sql(&f, "CREATE TABLE y (a)");
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        sql(&f, refused[i]);
        if (f.text[0] != '!')
            fail_msg("not refused: %s", refused[i]);
    }
    for (size_t i = 0; i < COUNT_OF(transactions); i++)
        assert_memory_equal(sql(&f, transactions[i]), "!To execute a transaction, please use", 37);
    assert_string_equal(sql(&f, "PRAGMA user_version"), "!not authorized: SQLITE_AUTH");
    assert_string_equal(sql(&f, "PRAGMA table_info(y)"), "0,a,,0,null,0");
    assert_string_equal(sql(&f, "PRAGMA foreign_keys"), "1");
    assert_string_equal(get(&f, "k"), "v");
    fixture_done(&f);
}

TEST(limits_are_those_of_the_platform)
{
    struct fixture f;
    char query[2000] = "SELECT 1";

    fixture_init(&f);
    sql(&f, "SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6");
    assert_string_equal(f.text, "!too many terms in compound SELECT: SQLITE_ERROR");
    for (int i = 0; i < 200; i++)
        strcat(query, "+1");
    assert_memory_equal(sql(&f, query), "!Expression tree is too large", 29);
    assert_memory_equal(
        sql(&f, "SELECT 'x' LIKE '000000000000000000000000000000000000000000000000000'"),
        "!LIKE or GLOB pattern too complex", 33);
    assert_memory_equal(sql(&f, "SELECT ?101"), "!variable number must be between ?1 and ?100", 44);
    fixture_done(&f);
}

TEST(bindings_go_to_the_last_statement)
{
    const struct sql_value v[] = {{.type = SQL_REAL, .r = 1},
                                  TEXT("t"),
                                  {.type = SQL_BLOB, .bytes = SLICE("\0b")},
                                  {.type = SQL_NULL}};
    struct sql_cursor *c;
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(exec(&f, "CREATE TABLE t (a); SELECT typeof(?), ?, ?, ?", v, 4, &c), 0);
    assert_int_equal(sql_columns(c), 4);
    assert_int_equal(sql_next(c, NULL), 1);
    assert_true(slice_eq(sql_column(c, 0).bytes, SLICE("real")));
    assert_true(slice_eq(sql_column(c, 1).bytes, SLICE("t")));
    assert_true(slice_eq(sql_column(c, 2).bytes, SLICE("\0b")) &&
                sql_column(c, 2).type == SQL_BLOB);
    assert_int_equal(sql_column(c, 3).type, SQL_NULL);
    assert_int_equal(sql_next(c, NULL), 0);
    assert_int_equal(sql_next(c, NULL), 0);
    sql_close(c);
    fixture_done(&f);
}

TEST(writes_happen_at_once_and_are_counted)
{
    struct sql_cursor *c;
    struct fixture f;

    fixture_init(&f);
    sql(&f, "CREATE TABLE t (a)");
    assert_int_equal(exec(&f, "INSERT INTO t VALUES (1), (2), (3)", NULL, 0, &c), 0);
    assert_int_equal(sql_rows_written(c), 3);
    sql_close(c);
    assert_int_equal(exec(&f, "SELECT * FROM t", NULL, 0, &c), 0);
    while (sql_next(c, NULL) > 0)
        ;
    assert_int_equal(sql_rows_read(c), 3);
    assert_int_equal(sql_rows_written(c), 0);
    sql_close(c);
    assert_int_equal(commit_all(&f), 0);
    reopen(&f);
    assert_string_equal(sql(&f, "SELECT sum(a) FROM t"), "6");
    fixture_done(&f);
}

TEST(a_cursor_outlives_writes_commits_and_other_cursors)
{
    struct sql_cursor *c, *d;
    struct fixture f;

    fixture_init(&f);
    sql(&f, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)");
    assert_int_equal(exec(&f, "SELECT a FROM t", NULL, 0, &c), 0);
    assert_int_equal(exec(&f, "SELECT a FROM t", NULL, 0, &d), 0);
    assert_int_equal(sql_next(c, NULL), 1);
    sql(&f, "CREATE TABLE u (a)");
    assert_int_equal(commit_all(&f), 0);
    assert_int_equal(sql_next(c, NULL), 1);
    assert_int_equal(sql_column(c, 0).i, 2);
    sql_close(d);
    put(&f, "k", "v");
    assert_int_equal(sql_next(c, NULL), 1);
    assert_int_equal(sql_next(c, NULL), 0);
    sql_close(c);
    fixture_done(&f);
}

TEST(closing_the_actor_ends_its_cursors)
{
    struct sql_cursor *c;
    struct fixture f;

    fixture_init(&f);
    sql(&f, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
    assert_int_equal(exec(&f, "SELECT a FROM t", NULL, 0, &c), 0);
    store_close(f.store, f.actor);
    assert_int_equal(sql_next(c, NULL), 0);
    assert_true(slice_eq(sql_column_name(c, 0), SLICE("a")));
    sql_close(c);
    fixture_done(&f);
}

TEST(a_statement_that_rolls_back_by_itself_breaks_the_actor)
{
    struct fixture f;

    fixture_init(&f);
    sql(&f, "CREATE TABLE t (a PRIMARY KEY ON CONFLICT ROLLBACK); INSERT INTO t VALUES (1)");
    assert_int_equal(commit_all(&f), 0);
    put(&f, "k", "v");
    assert_memory_equal(sql(&f, "INSERT INTO t VALUES (1)"), "!UNIQUE constraint failed", 25);
    assert_int_equal(db_broken(f.db), -ERR_STORE_LOST);
    assert_string_equal(get(&f, "k"), "!");
    assert_int_equal(commit_all(&f), 1);
    reopen(&f);
    assert_string_equal(get(&f, "k"), "-");
    fixture_done(&f);
}

TEST(more_statements_than_the_cache_holds)
{
    struct fixture f;
    char query[40], expected[40];

    fixture_init(&f);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++) {
            snprintf(query, sizeof(query), "SELECT %d", i);
            snprintf(expected, sizeof(expected), "%d", i);
            assert_string_equal(sql(&f, query), expected);
        }
    }
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_statements_run_and_the_last_gives_rows),
        cmocka_unit_test(mistakes_say_what_sqlite_says),
        cmocka_unit_test(what_is_not_permitted_is_refused),
        cmocka_unit_test(limits_are_those_of_the_platform),
        cmocka_unit_test(bindings_go_to_the_last_statement),
        cmocka_unit_test(writes_happen_at_once_and_are_counted),
        cmocka_unit_test(a_cursor_outlives_writes_commits_and_other_cursors),
        cmocka_unit_test(closing_the_actor_ends_its_cursors),
        cmocka_unit_test(a_statement_that_rolls_back_by_itself_breaks_the_actor),
        cmocka_unit_test(more_statements_than_the_cache_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

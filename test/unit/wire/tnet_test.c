#include "wire/tnet.h"

#include "lib/test.h"

static void expect_bad(struct slice in)
{
    const struct slice before = in;
    struct tnet t;

    assert_int_equal(tnet_next(&in, &t), -ERR_SYNTAX);
    assert_ptr_equal(in.p, before.p);
    assert_int_equal(in.n, before.n);
}

TEST(values_of_every_type)
{
    struct slice in = SLICE("5:hello,0:,2:-7#4:true!5:false!0:~3:1.5^0:}0:]");
    struct tnet t;
    int64_t n;
    bool yes;

    assert_int_equal(tnet_next(&in, &t), 1);
    assert_true(t.type == TNET_STRING && slice_eq(t.bytes, SLICE("hello")));
    assert_int_equal(tnet_next(&in, &t), 1);
    assert_int_equal(t.bytes.n, 0);
    assert_int_equal(tnet_next(&in, &t), 1);
    assert_int_equal(tnet_int(t, &n), 0);
    assert_int_equal(n, -7);
    assert_int_equal(tnet_bool(t, &yes), -ERR_SYNTAX);
    assert_int_equal(tnet_next(&in, &t), 1);
    assert_true(tnet_bool(t, &yes) == 0 && yes);
    assert_int_equal(tnet_next(&in, &t), 1);
    assert_true(tnet_bool(t, &yes) == 0 && !yes);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(tnet_next(&in, &t), 1);
    assert_int_equal(t.type, TNET_LIST);
    assert_int_equal(tnet_next(&in, &t), 0);
}

TEST(numbers_have_64_bits)
{
    int64_t n;

    assert_int_equal(tnet_int((struct tnet){TNET_INT, SLICE("9223372036854775807")}, &n), 0);
    assert_true(n == INT64_MAX);
    assert_int_equal(tnet_int((struct tnet){TNET_INT, SLICE("-9223372036854775808")}, &n), 0);
    assert_true(n == INT64_MIN);
    assert_int_equal(tnet_int((struct tnet){TNET_INT, SLICE("9223372036854775808")}, &n),
                     -ERR_SYNTAX);
    assert_int_equal(tnet_int((struct tnet){TNET_INT, SLICE("-")}, &n), -ERR_SYNTAX);
    assert_int_equal(tnet_int((struct tnet){TNET_INT, SLICE("")}, &n), -ERR_SYNTAX);
    assert_int_equal(tnet_int((struct tnet){TNET_STRING, SLICE("1")}, &n), -ERR_SYNTAX);
}

TEST(malformed_values_take_nothing)
{
    expect_bad(SLICE("5:hello"));
    expect_bad(SLICE("5:hell,"));
    expect_bad(SLICE("5:hello;"));
    expect_bad(SLICE(":,"));
    expect_bad(SLICE("05:hello,"));
    expect_bad(SLICE("-1:,"));
    expect_bad(SLICE("5"));
    expect_bad(SLICE("99999999999:x,"));
    expect_bad(SLICE("4294967296:x,"));
    expect_bad(SLICE("4294967295:x,"));
    expect_bad(SLICE("x"));
}

TEST(maps_are_read_by_name_or_in_order)
{
    struct slice in = SLICE("38:2:id,1:7#4:args,11:1:a,4:true!}1:z,0:~}");
    struct slice key;
    struct tnet t, v;

    assert_int_equal(tnet_next(&in, &t), 1);
    assert_int_equal(t.type, TNET_MAP);
    assert_true(tnet_find(t, SLICE("args"), &v));
    assert_true(tnet_find(v, SLICE("a"), &v));
    assert_int_equal(v.type, TNET_BOOL);
    assert_false(tnet_find(t, SLICE("b"), &v));
    assert_int_equal(tnet_next_pair(&t.bytes, &key, &v), 1);
    assert_true(slice_eq(key, SLICE("id")));
    assert_false(tnet_find(v, SLICE("a"), &v));
    in = SLICE("1:7#0:~");
    assert_int_equal(tnet_next_pair(&in, &key, &v), -ERR_SYNTAX);
    in = SLICE("1:a,");
    assert_int_equal(tnet_next_pair(&in, &key, &v), -ERR_SYNTAX);
}

TEST(what_is_written_is_read)
{
    struct buf out, map;
    struct slice in;
    struct tnet t, v;
    int64_t n;
    bool yes;

    buf_init(&out, 100);
    buf_init(&map, 100);
    assert_int_equal(tnet_put_string(&map, SLICE("n")), 0);
    assert_int_equal(tnet_put_int(&map, INT64_MIN), 0);
    assert_int_equal(tnet_put_string(&map, SLICE("b")), 0);
    assert_int_equal(tnet_put_bool(&map, true), 0);
    assert_int_equal(tnet_put_string(&map, SLICE("z")), 0);
    assert_int_equal(tnet_put_null(&map), 0);
    assert_int_equal(tnet_put(&out, TNET_MAP, buf_slice(&map)), 0);
    in = buf_slice(&out);
    assert_int_equal(tnet_next(&in, &t), 1);
    assert_true(tnet_find(t, SLICE("n"), &v) && tnet_int(v, &n) == 0 && n == INT64_MIN);
    assert_true(tnet_find(t, SLICE("b"), &v) && tnet_bool(v, &yes) == 0 && yes);
    assert_true(tnet_find(t, SLICE("z"), &v) && v.type == TNET_NULL);
    buf_done(&out);
    buf_init(&out, 8);
    assert_int_equal(tnet_put_string(&out, SLICE("12345")), 0);
    assert_int_equal(tnet_put_null(&out), -ERR_TOO_LARGE);
    assert_int_equal(out.n, 8);
    buf_done(&out);
    buf_done(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_type),
        cmocka_unit_test(numbers_have_64_bits),
        cmocka_unit_test(malformed_values_take_nothing),
        cmocka_unit_test(maps_are_read_by_name_or_in_order),
        cmocka_unit_test(what_is_written_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

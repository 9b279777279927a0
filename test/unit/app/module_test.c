#include "app/gateway_module.h"
#include "lib/test.h"

#define BINARY "var d = __toBinary(\"AQI=\");\n"

static int convert(const char *esm, struct buf *out, bool *ret_module)
{
    buf_init(out, 1 << 20);
    return module_to_function(slice_str(esm), out, ret_module);
}

static void expect(const char *esm, const char *body, bool module)
{
    struct buf out;
    bool is_module;

    assert_true(convert(esm, &out, &is_module) >= 0);
    (void)buf_add_byte(&out, 0);
    assert_string_equal((const char *)out.p, body);
    assert_int_equal(is_module, module);
    buf_done(&out);
}

TEST(module_exports_become_a_returned_object)
{
    expect("var a = 1;\nexport {\n  Room,\n  a as default\n};\n",
           "var a = 1;\nreturn {\n  Room: Room,\n  default: a\n};\n", true);
}

TEST(module_keeps_names_that_are_strings)
{
    expect("export {\n  u as \"odd, } \\\" name\"\n};\n",
           "return {\n  \"odd, } \\\" name\": u\n};\n", true);
}

TEST(module_with_an_export_in_a_string_uses_the_last_one)
{
    expect("var s = `\nexport {\n  no\n};`;\nexport {\n  s\n};\n",
           "var s = `\nexport {\n  no\n};`;\nreturn {\n  s: s\n};\n", true);
}

TEST(module_of_commonjs_returns_its_default)
{
    expect("var f = 1;\nexport default require_f();\n",
           "var f = 1;\nreturn {default: require_f()};\n", true);
}

TEST(module_without_exports_is_a_service_worker)
{
    expect("addEventListener(\"fetch\", f);\n", "addEventListener(\"fetch\", f);\n", false);
}

TEST(module_data_files_become_array_buffers)
{
    expect(BINARY BINARY "f(x = __toBinary(y));\nexport {\n  d\n};\n",
           "var d = __toBinary(\"AQI=\").buffer;\nvar d = __toBinary(\"AQI=\").buffer;\nf(x = "
           "__toBinary(y));\nreturn {\n  d: d\n};\n",
           true);
}

TEST(module_webassembly_files_become_modules)
{
    expect("// a/x.wasm\n" BINARY "// y.bin\n" BINARY "export {\n  d\n};\n",
           "// a/x.wasm\nvar d = new WebAssembly.Module(__toBinary(\"AQI=\"));\n// y.bin\nvar d = "
           "__toBinary(\"AQI=\").buffer;\nreturn {\n  d: d\n};\n",
           true);
}

TEST(module_with_a_broken_export_is_refused)
{
    static const char *const wrong[] = {"export {\n  a", "export {\n  ,\n};",
                                        "export {\n  a\n};\nmore();\n"};
    struct buf out;
    bool module;

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(convert(wrong[i], &out, &module), -ERR_UNSUPPORTED);
        buf_done(&out);
    }
}

TEST(module_over_the_bound_is_refused)
{
    struct buf out;
    bool module;

    buf_init(&out, 10);
    assert_int_equal(module_to_function(SLICE("var a = 1;\nexport {\n  a\n};\n"), &out, &module),
                     -ERR_TOO_LARGE);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(module_exports_become_a_returned_object),
        cmocka_unit_test(module_keeps_names_that_are_strings),
        cmocka_unit_test(module_with_an_export_in_a_string_uses_the_last_one),
        cmocka_unit_test(module_of_commonjs_returns_its_default),
        cmocka_unit_test(module_without_exports_is_a_service_worker),
        cmocka_unit_test(module_data_files_become_array_buffers),
        cmocka_unit_test(module_webassembly_files_become_modules),
        cmocka_unit_test(module_with_a_broken_export_is_refused),
        cmocka_unit_test(module_over_the_bound_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "wire/grip.h"

#include <stdio.h>

#include "lib/test.h"

static struct grip_instruct g;

static const struct grip_instruct *parse_body(const char *head, const char *body)
{
    struct err_note note = {0};

    grip_instruct_done(&g);
    if (grip_instruct_parse(slice_str(head), 200, slice_str(body), &g, &note) < 0)
        fail_msg("%s", note.text);
    return &g;
}

static const struct grip_instruct *parse(const char *head)
{
    return parse_body(head, "");
}

#define JSON "Content-Type: application/grip-instruct\n"

static const struct grip_instruct *parse_json(const char *body)
{
    return parse_body(JSON, body);
}

static void refuse_body(const char *head, unsigned status, const char *body, const char *text)
{
    struct grip_instruct none = {.timeout_s = 77};
    struct err_note note = {0};

    assert_int_equal(grip_instruct_parse(slice_str(head), status, slice_str(body), &none, &note),
                     -ERR_ORIGIN_BAD);
    assert_string_equal(note.text, text);
    assert_int_equal(none.timeout_s, 77);
}

static void refuse(const char *head, const char *text)
{
    refuse_body(head, 200, "", text);
}

static void is(struct slice s, const char *want)
{
    assert_int_equal(s.n, strlen(want));
    assert_memory_equal(s.p, want, s.n);
}

TEST(any_grip_field_or_the_json_type_instructs)
{
    assert_true(grip_is_instructed(SLICE("Server: x\ngrip-foo: bar\n")));
    assert_true(grip_is_instructed(SLICE("content-type: Application/Grip-Instruct ; charset=x\n")));
    assert_true(grip_is_json(SLICE("content-type: Application/Grip-Instruct ; charset=x\n")));
    assert_false(grip_is_instructed(SLICE("Content-Type: text/plain\nX-Grip-Hold: stream\n")));
    assert_false(grip_is_instructed(SLICE("")));
    assert_false(grip_is_json(SLICE("Grip-Hold: stream\n")));
}

TEST(a_response_hold_with_channels)
{
    (void)parse(
        "Content-Type: text/plain\nGrip-Hold: response\nGrip-Channel: a, b;prev-id=1; recover\n"
        "GRIP-CHANNEL: c; filter=skip-self; filter=nope; filter=\"var-subst\", a\n");
    assert_int_equal(g.hold, GRIP_HOLD_RESPONSE);
    assert_int_equal(g.timeout_s, 55);
    assert_int_equal(g.n_channels, 3);
    is(g.channels[0].name, "a");
    assert_false(g.channels[0].has_prev_id);
    is(g.channels[1].prev_id, "1");
    assert_true(g.channels[1].has_prev_id);
    assert_true(g.channels[1].recover);
    assert_false(g.channels[0].recover);
    assert_int_equal(g.channels[2].filters.n, 2);
    assert_int_equal(g.channels[2].filters.ids[0], GRIP_FILTER_SKIP_SELF);
    assert_int_equal(g.channels[2].filters.ids[1], GRIP_FILTER_VAR_SUBST);
    assert_false(g.has_keep_alive || g.has_next || g.has_gone || g.has_exposed || g.is_json);
    assert_int_equal(g.status, 0);
}

TEST(names_may_hold_what_is_no_delimiter)
{
    (void)parse("Grip-Channel: a=b/c d;prev-id=\"x;,\\\"y\"\nGrip-Channel:\n");
    assert_int_equal(g.n_channels, 1);
    is(g.channels[0].name, "a=b/c d");
    is(g.channels[0].prev_id, "x;,\"y");
    (void)parse("Grip-Channel: ok, \"never ended\n");
    assert_int_equal(g.n_channels, 1);
    is(g.channels[0].name, "ok");
}

TEST(channels_have_bounds)
{
    char head[20000] = "Grip-Channel: 0";

    refuse("Grip-Channel: x;filter=a;filter=b;filter=c;filter=d;filter=e;filter=f\n",
           "too many filters for channel 'x'");
    refuse("Grip-Channel: ;prev-id=1\n", "failed to parse Grip-Channel");
    for (unsigned i = 1; i < 2000; i++) {
        const size_t n = strlen(head);

        (void)snprintf(head + n, sizeof(head) - n, ",%u", i);
    }
    assert_int_equal(parse(head)->n_channels, 1024);
    is(g.channels[1023].name, "1023");
}

TEST(holds_are_response_or_stream)
{
    assert_int_equal(parse("Grip-Hold: stream\nGrip-Hold: nonsense\n")->hold, GRIP_HOLD_STREAM);
    assert_int_equal(parse("Grip-Foo: x\n")->hold, GRIP_HOLD_NONE);
    refuse("Grip-Hold: Stream\n", "Grip-Hold must be set to either 'response' or 'stream'");
    refuse("Grip-Hold:\n", "Grip-Hold must be set to either 'response' or 'stream'");
}

TEST(timeouts_are_at_least_five_seconds)
{
    assert_int_equal(parse("Grip-Timeout: 60\n")->timeout_s, 60);
    assert_int_equal(parse("Grip-Timeout: 0\n")->timeout_s, 5);
    refuse("Grip-Timeout: abc\n", "failed to parse Grip-Timeout");
    refuse("Grip-Timeout:\n", "failed to parse Grip-Timeout");
    refuse("Grip-Timeout: 99999999999\n", "failed to parse Grip-Timeout");
    refuse("Grip-Timeout: -1\n", "Grip-Timeout has invalid value");
}

TEST(keep_alives)
{
    (void)parse("Grip-Keep-Alive: hello, \"world; format=raw; timeout=20\n");
    is(g.keep_alive, "hello, \"world");
    assert_true(g.has_keep_alive);
    assert_int_equal(g.keep_alive_s, 20);
    assert_int_equal(g.keep_alive_mode, GRIP_IDLE);
    (void)parse("Grip-Keep-Alive: x\\n; format=cstring; timeout=0; mode=interval\n");
    is(g.keep_alive, "x\n");
    assert_int_equal(g.keep_alive_s, 1);
    assert_int_equal(g.keep_alive_mode, GRIP_INTERVAL);
    (void)parse("Grip-Keep-Alive: a2EK; format=base64\n");
    is(g.keep_alive, "ka\n");
    assert_int_equal(g.keep_alive_s, 55);
    is(parse("Grip-Keep-Alive: \\x41\\\\\\t\\r\\q!; format=cstring\n")->keep_alive, "A\\\t\r!");
    is(parse("Grip-Keep-Alive: \\n\n")->keep_alive, "\\n");
}

TEST(keep_alives_that_are_wrong)
{
    refuse("Grip-Keep-Alive:\n", "Grip-Keep-Alive cannot be empty");
    refuse("Grip-Keep-Alive: ; timeout=5\n", "Grip-Keep-Alive cannot be empty");
    refuse("Grip-Keep-Alive: x; mode=zzz\n", "no such Grip-Keep-Alive mode 'zzz'");
    refuse("Grip-Keep-Alive: x; format=zzz\n", "no such Grip-Keep-Alive format 'zzz'");
    refuse("Grip-Keep-Alive: x; timeout=y\n", "failed to parse Grip-Keep-Alive timeout value");
    refuse("Grip-Keep-Alive: x; timeout=-1\n", "Grip-Keep-Alive timeout has invalid value");
    refuse("Grip-Keep-Alive: \\xZZ; format=cstring\n",
           "failed to parse Grip-Keep-Alive cstring format");
    refuse("Grip-Keep-Alive: \\x4; format=cstring\n",
           "failed to parse Grip-Keep-Alive cstring format");
    refuse("Grip-Keep-Alive: a\\; format=cstring\n",
           "failed to parse Grip-Keep-Alive cstring format");
}

TEST(metadata)
{
    (void)parse("Grip-Set-Meta: user=alice, k=\"a, \\\"b\\\"\"\nGrip-Set-Meta: user=bob, empty\n");
    assert_int_equal(g.n_meta, 3);
    is(*grip_pair_find(g.meta, g.n_meta, SLICE("user")), "bob");
    is(*grip_pair_find(g.meta, g.n_meta, SLICE("k")), "a, \"b\"");
    is(*grip_pair_find(g.meta, g.n_meta, SLICE("empty")), "");
    refuse("Grip-Set-Meta:\n", "Grip-Set-Meta cannot be empty");
    refuse("Grip-Set-Meta: =x\n", "Grip-Set-Meta cannot be empty");
}

TEST(statuses)
{
    assert_int_equal(parse("Grip-Status: 404\n")->status, 404);
    is(g.reason, "");
    assert_int_equal(parse("Grip-Status: 202 Acc epted\n")->status, 202);
    is(g.reason, "Acc epted");
    refuse("Grip-Status: 1000\n", "Grip-Status contains invalid status code");
    refuse("Grip-Status: x\n", "Grip-Status contains invalid status code");
    refuse("Grip-Status:\n", "Grip-Status contains invalid status code");
}

TEST(links_next_and_gone)
{
    (void)parse("Grip-Link: </b>; rel=next; timeout=7, <http://h/gone>; rel=gone, <ignored>\n"
                "Grip-Link: </other>; rel=prev\n");
    assert_true(g.has_next && g.has_gone);
    is(g.next, "/b");
    is(g.gone, "http://h/gone");
    assert_int_equal(g.next_s, 7);
    assert_int_equal(parse("Grip-Link: <b>; rel=\"next\"\n")->next_s, 120);
    refuse("Grip-Link: /b; rel=next\n", "failed to parse Grip-Link value");
    refuse("Grip-Link: <>; rel=next\n", "Grip-Link contains invalid link");
    refuse("Grip-Link: <a b>; rel=next\n", "Grip-Link contains invalid link");
    refuse("Grip-Link: <b>; rel=next; timeout=x\n", "failed to parse Grip-Link timeout value");
    refuse("Grip-Link: <b>; rel=next; timeout=-5\n", "Grip-Link timeout has invalid value");
}

TEST(exposed_headers)
{
    (void)parse("Grip-Expose-Headers: A, b\nGrip-Expose-Headers: c\n");
    assert_true(g.has_exposed);
    assert_int_equal(g.n_exposed, 3);
    is(g.exposed[2], "c");
    assert_int_equal(parse("Grip-Expose-Headers:\n")->n_exposed, 0);
    assert_true(g.has_exposed);
}

TEST(a_json_instruction)
{
    (void)parse_json("{\"hold\":{\"mode\":\"stream\",\"channels\":[{\"name\":\"a\",\"prev-id\":"
                     "\"1\",\"recover\":true,"
                     "\"filters\":[\"skip-self\",\"x\"]}],\"timeout\":2,\"keep-alive\":{"
                     "\"content-bin\":\"a2E=\",\"timeout\":3},\"meta\":{\"user\":\"bob\"}},"
                     "\"response\":{\"code\":201,\"reason\":\"Made\",\"headers\":{\"X\":\"y\"},"
                     "\"body\":\"hi\"}}");
    assert_true(g.is_json);
    assert_int_equal(g.hold, GRIP_HOLD_STREAM);
    is(g.channels[0].name, "a");
    is(g.channels[0].prev_id, "1");
    assert_true(g.channels[0].recover);
    assert_int_equal(g.channels[0].filters.n, 1);
    assert_int_equal(g.timeout_s, 5);
    is(g.keep_alive, "ka");
    assert_int_equal(g.keep_alive_s, 3);
    assert_int_equal(g.keep_alive_mode, GRIP_INTERVAL);
    is(g.meta[0].value, "bob");
    assert_int_equal(g.status, 201);
    is(g.reason, "Made");
    is(g.fields[0].name, "X");
    is(g.body, "hi");
}

TEST(json_and_fields_add_up)
{
    (void)parse_body(JSON "Grip-Link: </n>; rel=next\nGrip-Status: 203\n",
                     "{\"hold\":{\"channels\":[{\"name\":\"a\"}]},\"response\":{\"code\":404,"
                     "\"body-bin\":\"aGk=\"}}");
    assert_int_equal(g.hold, GRIP_HOLD_RESPONSE);
    assert_true(g.has_next);
    assert_int_equal(g.status, 203);
    is(g.body, "hi");
}

TEST(an_empty_json_instruction_is_an_empty_200)
{
    (void)parse_json("{}");
    assert_int_equal(g.status, 200);
    assert_int_equal(g.hold, GRIP_HOLD_NONE);
    assert_int_equal(g.body.n, 0);
}

TEST(json_instructions_that_are_wrong)
{
    refuse_body(JSON, 201, "{}", "response code for application/grip-instruct content must be 200");
    refuse_body(JSON, 200, "{", "failed to parse application/grip-instruct content as JSON");
    refuse_body(JSON, 200, "", "failed to parse application/grip-instruct content as JSON");
    refuse_body(JSON, 200, "[]", "instruct must be an object");
    refuse_body(JSON, 200, "{\"hold\":{}}", "hold does not contain 'channels'");
    refuse_body(JSON, 200, "{\"hold\":{\"mode\":\"x\",\"channels\":[]}}",
                "hold 'mode' must be set to either 'response' or 'stream'");
    refuse_body(JSON, 200, "{\"hold\":{\"mode\":5,\"channels\":[]}}",
                "hold 'mode' must be set to either 'response' or 'stream'");
    refuse_body(JSON, 200, "{\"hold\":5}", "instruct contains 'hold' with wrong type");
    refuse_body(JSON, 200, "{\"hold\":{\"channels\":[5]}}",
                "hold contains 'channels' with wrong type");
    refuse_body(JSON, 200, "{\"hold\":{\"channels\":[{}]}}", "channel does not contain 'name'");
    refuse_body(JSON, 200, "{\"hold\":{\"channels\":[{\"name\":\"n\",\"filters\":[1,2,3,4,5,6]}]}}",
                "too many filters for channel 'n'");
    refuse_body(JSON, 200, "{\"hold\":{\"channels\":[],\"timeout\":-1}}",
                "hold contains 'timeout' with invalid value");
    refuse_body(JSON, 200, "{\"response\":{\"code\":5}}",
                "response contains 'code' with invalid value");
    refuse_body(JSON, 200, "{\"response\":{\"headers\":{\"a\":\"\\r\\nb\"}}}",
                "response contains 'headers' with wrong type");
}

TEST(json_members_of_other_types)
{
#define CHANNEL(more) "{\"hold\":{\"channels\":[{\"name\":\"n\"" more "}]}}"
#define HOLD(more) "{\"hold\":{\"channels\":[]," more "}}"
    static const struct {
        const char *body, *of, *member;
    } cases[] = {
        {"{\"hold\":{\"channels\":5}}", "hold", "channels"},
        {"{\"hold\":{\"channels\":[{\"name\":5}]}}", "channel", "name"},
        {CHANNEL(",\"prev-id\":5"), "channel", "prev-id"},
        {CHANNEL(",\"filters\":5"), "channel", "filters"},
        {CHANNEL(",\"filters\":[5]"), "channel", "filters"},
        {HOLD("\"timeout\":\"x\""), "hold", "timeout"},
        {HOLD("\"keep-alive\":5"), "hold", "keep-alive"},
        {HOLD("\"keep-alive\":{\"content\":5}"), "keep-alive", "content"},
        {HOLD("\"meta\":5"), "hold", "meta"},
        {HOLD("\"meta\":{\"a\":5}"), "meta", "a"},
        {"{\"response\":5}", "instruct", "response"},
        {"{\"response\":{\"code\":\"x\"}}", "response", "code"},
        {"{\"response\":{\"reason\":5}}", "response", "reason"},
        {"{\"response\":{\"body\":5}}", "response", "body"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char want[100];

        (void)snprintf(want, sizeof(want), "%s contains '%s' with wrong type", cases[i].of,
                       cases[i].member);
        refuse_body(JSON, 200, cases[i].body, want);
    }
    refuse_body(JSON, 200, HOLD("\"keep-alive\":{}"),
                "keep-alive does not contain 'content' or 'content-bin'");
}

static void expect_last(struct slice channel, struct slice id, const char *want)
{
    struct buf out = {.max = 100};

    assert_int_equal(grip_put_last(&out, channel, id), 0);
    is(buf_slice(&out), want);
    buf_done(&out);
}

TEST(grip_last_is_quoted_where_it_must_be)
{
    struct buf out = {.max = 10};

    expect_last(SLICE("c"), SLICE("1"), "c; last-id=1");
    expect_last(SLICE("a,b"), SLICE("x\"\\"), "\"a,b\"; last-id=\"x\\\"\\\\\"");
    expect_last(SLICE("c"), SLICE(""), "c; last-id=\"\"");
    assert_int_equal(grip_put_last(&out, SLICE("a\nb"), SLICE("1")), -ERR_HTTP_VALUE);
    assert_int_equal(grip_put_last(&out, SLICE("ab"), SLICE("1")), -ERR_TOO_LARGE);
    assert_int_equal(out.n, 0);
    buf_done(&out);
}

TEST(the_extension_is_negotiated_with_a_prefix)
{
    struct slice prefix;

    assert_true(grip_is_negotiated(SLICE("grip"), &prefix));
    is(prefix, "m:");
    assert_true(grip_is_negotiated(SLICE("foo; bar, grip; message-prefix=x-"), &prefix));
    is(prefix, "x-");
    assert_true(grip_is_negotiated(SLICE("grip; message-prefix=\"\""), &prefix));
    is(prefix, "");
    assert_true(grip_is_negotiated(SLICE("grip;message-prefix=\"a;b\""), &prefix));
    is(prefix, "a;b");
    assert_false(grip_is_negotiated(SLICE("grip; message-prefix=\"a\\\"b\""), &prefix));
    assert_false(grip_is_negotiated(SLICE("gripe"), &prefix));
    assert_false(grip_is_negotiated(SLICE(""), &prefix));
}

static int done(void **state)
{
    grip_instruct_done(&g);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_grip_field_or_the_json_type_instructs),
        cmocka_unit_test(a_response_hold_with_channels),
        cmocka_unit_test(names_may_hold_what_is_no_delimiter),
        cmocka_unit_test(channels_have_bounds),
        cmocka_unit_test(holds_are_response_or_stream),
        cmocka_unit_test(timeouts_are_at_least_five_seconds),
        cmocka_unit_test(keep_alives),
        cmocka_unit_test(keep_alives_that_are_wrong),
        cmocka_unit_test(metadata),
        cmocka_unit_test(statuses),
        cmocka_unit_test(links_next_and_gone),
        cmocka_unit_test(exposed_headers),
        cmocka_unit_test(a_json_instruction),
        cmocka_unit_test(json_and_fields_add_up),
        cmocka_unit_test(an_empty_json_instruction_is_an_empty_200),
        cmocka_unit_test(json_instructions_that_are_wrong),
        cmocka_unit_test(json_members_of_other_types),
        cmocka_unit_test(grip_last_is_quoted_where_it_must_be),
        cmocka_unit_test(the_extension_is_negotiated_with_a_prefix),
    };

    return cmocka_run_group_tests(tests, NULL, done);
}

#include "wire/channel_message.h"

#include "lib/test.h"

static struct channel_message m;

static const struct channel_message *parse(const char *json)
{
    struct err_note note = {0};

    channel_message_done(&m);
    if (channel_message_parse(slice_str(json), &m, &note) < 0)
        fail_msg("%s: %s", json, note.text);
    return &m;
}

static void refuse_as(const char *json, int err, const char *text)
{
    struct channel_message none = {.timeout_s = 77};
    struct err_note note = {0};

    assert_int_equal(channel_message_parse(slice_str(json), &none, &note), err);
    assert_string_equal(note.text, text);
    assert_int_equal(none.timeout_s, 77);
}

static void refuse(const char *json, const char *text)
{
    refuse_as(json, -ERR_SYNTAX, text);
}

static void is(struct slice s, const char *want)
{
    assert_int_equal(s.n, strlen(want));
    assert_memory_equal(s.p, want, s.n);
}

TEST(subscriptions)
{
    (void)parse("{\"type\":\"subscribe\",\"channel\":\"a\",\"filters\":[\"skip-self\",\"nope\"]}");
    assert_int_equal(m.type, CHANNEL_SUBSCRIBE);
    is(m.channel, "a");
    assert_int_equal(m.filters.n, 1);
    assert_int_equal(m.filters.ids[0], GRIP_FILTER_SKIP_SELF);
    assert_int_equal(parse("{\"type\":\"subscribe\",\"channel\":\"a\"}")->filters.n, 0);
    assert_int_equal(parse("{\"type\":\"unsubscribe\",\"channel\":\"a\"}")->type,
                     CHANNEL_UNSUBSCRIBE);
    refuse("{\"type\":\"subscribe\"}", "there is no 'channel'");
    refuse("{\"type\":\"unsubscribe\",\"channel\":\"\"}", "there is no 'channel'");
    refuse("{\"type\":\"subscribe\",\"channel\":5}", "'channel' is not a string");
    refuse("{\"type\":\"subscribe\",\"channel\":\"a\",\"filters\":\"x\"}",
           "'filters' is not a list");
    refuse("{\"type\":\"subscribe\",\"channel\":\"a\",\"filters\":[5]}",
           "'filters' holds what is not a string");
    refuse_as("{\"type\":\"subscribe\",\"channel\":\"a\",\"filters\":[1,2,3,4,5,6]}", -ERR_DENIED,
              "too many filters");
}

TEST(a_subscription_may_begin_in_the_past)
{
    (void)parse("{\"type\":\"subscribe\",\"channel\":\"a\"}");
    assert_false(m.has_after_id || m.has_gap);
    (void)parse("{\"type\":\"subscribe\",\"channel\":\"a\",\"after\":\"7\",\"gap\":\"\"}");
    assert_true(m.has_after_id && m.has_gap);
    is(m.after_id, "7");
    is(m.gap, "");
    refuse("{\"type\":\"subscribe\",\"channel\":\"a\",\"after\":7}", "'after' is not a string");
    refuse("{\"type\":\"subscribe\",\"channel\":\"a\",\"gap\":{}}", "'gap' is not a string");
}

TEST(messages_without_fields)
{
    assert_int_equal(parse("{\"type\":\"detach\"}")->type, CHANNEL_DETACH);
    assert_int_equal(parse("{\"type\":\"flush-delayed\",\"x\":1}")->type, CHANNEL_FLUSH_DELAYED);
    assert_int_equal(parse("{\"type\":\"session\",\"id\":\"s\"}")->type, CHANNEL_SESSION);
}

TEST(metadata)
{
    (void)parse("{\"type\":\"set-meta\",\"name\":\"user\",\"value\":\"bob\"}");
    is(m.name, "user");
    is(m.value, "bob");
    assert_true(m.has_value);
    assert_false(parse("{\"type\":\"set-meta\",\"name\":\"user\"}")->has_value);
    refuse("{\"type\":\"set-meta\",\"value\":\"x\"}", "there is no 'name'");
    refuse("{\"type\":\"set-meta\",\"name\":\"x\",\"value\":5}", "'value' is not a string");
}

TEST(keep_alives)
{
    (void)parse("{\"type\":\"keep-alive\",\"content\":\"KA\"}");
    assert_true(m.has_content);
    is(m.content, "KA");
    assert_int_equal(m.timeout_s, 55);
    assert_int_equal(m.mode, GRIP_IDLE);
    assert_int_equal(m.message_type, GRIP_WS_TEXT);
    (void)parse("{\"type\":\"keep-alive\",\"content-bin\":\"/w==\",\"message-type\":\"binary\","
                "\"timeout\":0,\"mode\":\"interval\"}");
    is(m.content, "\xff");
    assert_int_equal(m.timeout_s, 1);
    assert_int_equal(m.mode, GRIP_INTERVAL);
    assert_int_equal(m.message_type, GRIP_WS_BINARY);
    assert_int_equal(parse("{\"type\":\"keep-alive\",\"content-bin\":\"YQ==\"}")->message_type,
                     GRIP_WS_TEXT);
    assert_false(parse("{\"type\":\"keep-alive\"}")->has_content);
}

TEST(keep_alives_that_are_wrong)
{
#define KEEP "{\"type\":\"keep-alive\",\"content\":\"x\","
    refuse(KEEP "\"mode\":\"never\"}", "unknown 'mode'");
    refuse(KEEP "\"message-type\":\"huge\"}", "unknown 'message-type'");
    refuse(KEEP "\"message-type\":5}", "unknown 'message-type'");
    refuse(KEEP "\"timeout\":-1}", "'timeout' is not a number of seconds");
    refuse(KEEP "\"timeout\":\"5\"}", "'timeout' is not a number of seconds");
    refuse("{\"type\":\"keep-alive\",\"content\":5}", "'content' is not a string");
    refuse("{\"type\":\"keep-alive\",\"content-bin\":\"/w==\"}",
           "'content' does not fit its 'message-type'");
}

TEST(delayed_messages)
{
    assert_int_equal(parse("{\"type\":\"send-delayed\",\"content\":\"x\"}")->timeout_s, 1);
    assert_int_equal(parse("{\"type\":\"send-delayed\",\"content\":\"\",\"timeout\":9}")->timeout_s,
                     9);
    refuse("{\"type\":\"send-delayed\"}", "there is no 'content'");
}

TEST(what_is_no_control_message)
{
    refuse("", "no JSON object");
    refuse("[]", "no JSON object");
    refuse("{", "no JSON object");
    refuse("{}", "there is no 'type'");
    refuse("{\"type\":\"publish\"}", "unknown 'type'");
    refuse("{\"type\":5}", "unknown 'type'");
}

static int done(void **state)
{
    channel_message_done(&m);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subscriptions),
        cmocka_unit_test(a_subscription_may_begin_in_the_past),
        cmocka_unit_test(messages_without_fields),
        cmocka_unit_test(metadata),
        cmocka_unit_test(keep_alives),
        cmocka_unit_test(keep_alives_that_are_wrong),
        cmocka_unit_test(delayed_messages),
        cmocka_unit_test(what_is_no_control_message),
    };

    return cmocka_run_group_tests(tests, NULL, done);
}

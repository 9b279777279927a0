#include "wire/grip_item.h"

#include <stdio.h>

#include "lib/test.h"

static struct grip_items items;

static const struct grip_item *parse(const char *json)
{
    struct err_note note = {0};

    grip_items_done(&items);
    if (grip_items_parse(slice_str(json), &items, &note) < 0)
        fail_msg("%s: %s", json, note.text);
    return items.items;
}

/* The first item of {"items":[{"channel":"c","formats":{ formats }}]}. */
static const struct grip_item *parse_formats(const char *formats)
{
    struct buf json = {.max = 4096};
    const struct grip_item *item;

    (void)buf_addf(&json, "{\"items\":[{\"channel\":\"c\",\"formats\":{%s}}]}%c", formats, 0);
    item = parse((const char *)json.p);
    buf_done(&json);
    return item;
}

static void refuse(const char *json, const char *text)
{
    struct grip_items none = {.n = 77};
    struct err_note note = {0};

    assert_int_equal(grip_items_parse(slice_str(json), &none, &note), -ERR_SYNTAX);
    assert_string_equal(note.text, text);
    assert_int_equal(none.n, 77);
}

static void refuse_item(const char *item, const char *text)
{
    char json[1024], want[1024];

    (void)snprintf(json, sizeof(json),
                   "{\"items\":[{\"channel\":\"\",\"http-stream\":{\"content\":"
                   "\"\"}},%s]}",
                   item);
    (void)snprintf(want, sizeof(want), "Invalid format: %s", text);
    refuse(json, want);
}

static void refuse_format(const char *format, const char *text)
{
    char item[800];

    (void)snprintf(item, sizeof(item), "{\"channel\":\"c\",\"formats\":{%s}}", format);
    refuse_item(item, text);
}

static void is(struct slice s, const char *want)
{
    assert_int_equal(s.n, strlen(want));
    assert_memory_equal(s.p, want, s.n);
}

TEST(one_item_for_all_kinds)
{
    const struct grip_item *const i = parse(
        "{\"items\":[{\"channel\":\"c\\u00e9\",\"id\":\"2\",\"prev-id\":\"1\",\"no-seq\":true,"
        "\"meta\":{\"sender\":\"alice\",\"skip_users\":\"\"},\"size\":7,\"formats\":{"
        "\"http-response\":{\"body\":\"long\"},\"http-stream\":{\"content\":\"s\\u0000\"},"
        "\"ws-message\":{\"content\":\"w\"},\"other\":5}},{\"channel\":\"\",\"ws-message\":"
        "{\"content\":\"\"}}]}");

    assert_int_equal(items.n, 2);
    is(i->channel, "c\xc3\xa9");
    assert_true(i->has_id && i->has_prev_id && i->no_seq);
    is(i->id, "2");
    is(i->prev_id, "1");
    assert_int_equal(i->size, 7);
    assert_int_equal(i->n_meta, 2);
    is(*grip_pair_find(i->meta, i->n_meta, SLICE("sender")), "alice");
    assert_null(grip_pair_find(i->meta, i->n_meta, SLICE("Sender")));
    is(i->formats[GRIP_HTTP_RESPONSE].content, "long");
    assert_int_equal(i->formats[GRIP_HTTP_STREAM].content.n, 2);
    is(i->formats[GRIP_WS_MESSAGE].content, "w");
    assert_false(i[1].has_id || i[1].has_prev_id || i[1].no_seq);
    assert_true(i[1].size == -1 && i[1].channel.n == 0);
    assert_true(i[1].formats[GRIP_WS_MESSAGE].has && !i[1].formats[GRIP_HTTP_STREAM].has);
}

TEST(an_empty_list_and_unknown_formats_are_fine)
{
    (void)parse("{\"items\":[],\"more\":1}");
    assert_int_equal(items.n, 0);
    assert_false(parse_formats("\"sms\":{}")->formats[0].has);
}

TEST(a_response_has_code_reason_and_headers_in_order)
{
    const struct grip_format *f =
        &parse_formats("\"http-response\":{\"code\":201,\"reason\":\"Mine\",\"headers\":"
                       "[[\"X\",\"a\"],[\"X\",\" b \"]],\"body-bin\":\"AAEC\"}")
             ->formats[GRIP_HTTP_RESPONSE];

    assert_int_equal(f->code, 201);
    is(f->reason, "Mine");
    assert_int_equal(f->n_fields, 2);
    is(f->fields[1].name, "X");
    is(f->fields[1].value, "b");
    assert_memory_equal(f->content.p, "\0\1\2", 3);
    f = &parse_formats(
             "\"http-response\":{\"code\":\"404\",\"headers\":{\"A\":\"1\"},\"body\":\"\"}")
             ->formats[GRIP_HTTP_RESPONSE];
    assert_int_equal(f->code, 404);
    is(f->fields[0].name, "A");
    assert_true(f->has && f->content.n == 0 && f->reason.n == 0);
    assert_int_equal(parse_formats("\"http-response\":{\"code\":7,\"body\":\"\"}")->formats[0].code,
                     0);
}

TEST(base64_wins_and_what_is_not_of_it_is_passed_over)
{
    is(parse_formats("\"http-stream\":{\"content\":\"x\",\"content-bin\":\"aGk=\"}")
           ->formats[GRIP_HTTP_STREAM]
           .content,
       "hi");
    is(parse_formats("\"http-stream\":{\"content-bin\":\"a G*k\"}")
           ->formats[GRIP_HTTP_STREAM]
           .content,
       "hi");
    is(parse_formats("\"http-stream\":{\"content-bin\":\"aGkhZ\"}")
           ->formats[GRIP_HTTP_STREAM]
           .content,
       "hi!");
    is(parse_formats("\"http-stream\":{\"content-bin\":\"=\"}")->formats[GRIP_HTTP_STREAM].content,
       "");
}

TEST(a_message_is_text_or_binary_or_what_it_says)
{
#define WS(members) (&parse_formats("\"ws-message\":{" members "}")->formats[GRIP_WS_MESSAGE])
    assert_int_equal(WS("\"content\":\"a\"")->type, GRIP_WS_TEXT);
    assert_int_equal(WS("\"content-bin\":\"/w==\"")->type, GRIP_WS_BINARY);
    assert_int_equal(WS("\"content-bin\":\"YQ==\",\"type\":\"text\"")->type, GRIP_WS_TEXT);
    assert_int_equal(WS("\"content\":\"a\",\"type\":\"binary\"")->type, GRIP_WS_BINARY);
    assert_int_equal(WS("\"type\":\"ping\"")->type, GRIP_WS_PING);
    assert_int_equal(WS("\"type\":\"pong\",\"content\":\"p\"")->content.n, 1);
}

TEST(actions)
{
    assert_int_equal(parse_formats("\"http-stream\":{\"action\":\"close\",\"content\":\"\"}")
                         ->formats[GRIP_HTTP_STREAM]
                         .action,
                     GRIP_CLOSE);
    assert_int_equal(parse_formats("\"http-response\":{\"action\":\"hint\"}")
                         ->formats[GRIP_HTTP_RESPONSE]
                         .action,
                     GRIP_HINT);
    assert_int_equal(WS("\"action\":\"refresh\"")->action, GRIP_REFRESH);
    assert_int_equal(WS("\"action\":\"close\"")->code, 1000);
    assert_int_equal(WS("\"action\":\"close\",\"code\":4100,\"reason\":\"r\"")->code, 4100);
    is(WS("\"action\":\"close\",\"code\":4100,\"reason\":\"r\"")->reason, "r");
    assert_int_equal(WS("\"action\":\"close\",\"code\":0")->code, 1000);
    assert_int_equal(WS("\"action\":\"close\",\"code\":70536")->code, 1000);
    refuse_format("\"http-stream\":{\"action\":\"explode\"}", "");
}

TEST(content_filters_are_known_or_match_nothing)
{
    const struct grip_format *f =
        WS("\"content\":\"\",\"content-filters\":[\"var-subst\",\"no\",\"build-id\"]");

    assert_true(f->has_content_filters && f->content_filters.n == 3);
    assert_int_equal(f->content_filters.ids[0], GRIP_FILTER_VAR_SUBST);
    assert_int_equal(f->content_filters.ids[1], GRIP_FILTER_UNKNOWN);
    f = WS("\"content\":\"\",\"content-filters\":[]");
    assert_true(f->has_content_filters && f->content_filters.n == 0);
    f = WS("\"content\":\"\"");
    assert_false(f->has_content_filters);
    f = WS("\"content\":\"\",\"content-filters\":[\"build-id\",\"build-id\",\"build-id\","
           "\"build-id\",\"build-id\",\"build-id\"]");
    assert_int_equal(f->content_filters.ids[4], GRIP_FILTER_UNKNOWN);
}

TEST(bodies_that_are_no_publish_request)
{
    refuse("", "Body is not valid JSON.");
    refuse("{", "Body is not valid JSON.");
    refuse("{}x", "Body is not valid JSON.");
    refuse("[]", "Invalid format.");
    refuse("{}", "Invalid format: object does not contain 'items'");
    refuse("{\"items\":{}}", "Invalid format: object contains 'items' with wrong type");
}

TEST(items_that_are_wrong)
{
    refuse_item("5", "publish item object is not an object");
    refuse_item("{}", "publish item object does not contain 'channel'");
    refuse_item("{\"channel\":5}", "publish item object contains 'channel' with wrong type");
    refuse_item("{\"channel\":\"\",\"id\":5}", "publish item object contains 'id' with wrong type");
    refuse_item("{\"channel\":\"\",\"prev-id\":null}",
                "publish item object contains 'prev-id' with wrong type");
    refuse_item("{\"channel\":\"\",\"formats\":[]}",
                "publish item object contains 'formats' with wrong type");
    refuse_item("{\"channel\":\"\",\"formats\":{}}", "no formats specified");
    refuse_item("{\"channel\":\"\"}", "no formats specified");
#define GOOD "{\"channel\":\"\",\"ws-message\":{\"content\":\"\"},"
    refuse_item(GOOD "\"meta\":[]}", "publish item object contains 'meta' with wrong type");
    refuse_item(GOOD "\"meta\":{\"k\":1}}", "'meta' contains 'k' with wrong type");
    refuse_item(GOOD "\"size\":{}}", "publish item object contains 'size' with wrong type");
    refuse_item(GOOD "\"size\":-1}", "publish item object contains 'size' with invalid value");
    refuse_item(GOOD "\"no-seq\":1}", "publish item object contains 'no-seq' with wrong type");
}

TEST(formats_that_are_wrong)
{
    refuse_format("\"http-response\":5", "'http-response' is not an object");
    refuse_format("\"ws-message\":[]", "'ws-message' is not an object");
    refuse_format("\"http-response\":{}",
                  "'http-response' does not contain 'body', 'body-bin', or 'body-patch'");
    refuse_format("\"http-stream\":{}",
                  "'http-stream' does not contain 'content' or 'content-bin'");
    refuse_format("\"ws-message\":{}", "'ws-message' does not contain 'content' or 'content-bin'");
    refuse_format("\"http-stream\":{\"action\":1}",
                  "'http-stream' contains 'action' with wrong type");
    refuse_format("\"http-stream\":{\"content\":null}",
                  "'http-stream' contains 'content' with wrong type");
    refuse_format("\"http-response\":{\"body-patch\":{}}",
                  "'http-response' contains 'body-patch' with wrong type");
    refuse_format("\"http-response\":{\"body\":\"\",\"code\":[]}",
                  "'http-response' contains 'code' with wrong type");
    refuse_format("\"http-response\":{\"body\":\"\",\"code\":1000}",
                  "'http-response' contains 'code' with invalid value");
    refuse_format("\"ws-message\":{\"action\":\"close\",\"code\":-1}",
                  "'ws-message' contains 'code' with invalid value");
    refuse_format("\"http-response\":{\"body\":\"\",\"reason\":5}",
                  "'http-response' contains 'reason' with wrong type");
    refuse_format("\"ws-message\":{\"content\":\"\",\"type\":\"huge\"}",
                  "'ws-message' contains 'type' with unknown value");
    refuse_format("\"ws-message\":{\"content\":\"\",\"type\":5}",
                  "'ws-message' contains 'type' with wrong type");
    refuse_format("\"ws-message\":{\"content\":\"\",\"content-filters\":[5]}",
                  "content-filters contains element with wrong type");
    refuse_format("\"ws-message\":{\"content\":\"\",\"content-filters\":\"a\"}",
                  "'ws-message' contains 'content-filters' with wrong type");
}

TEST(header_fields_that_are_wrong)
{
#define HEADERS(h) "\"http-response\":{\"body\":\"\",\"headers\":" h "}"
    refuse_format(HEADERS("5"), "'http-response' contains 'headers' with wrong type");
    refuse_format(HEADERS("[5]"), "headers contains element with wrong type");
    refuse_format(HEADERS("[[\"a\",5]]"), "headers contains element with wrong type");
    refuse_format(HEADERS("[[\"a\"]]"), "headers contains list with wrong number of elements");
    refuse_format(HEADERS("{\"K\":5}"), "headers contains 'K' with wrong type");
    refuse_format(HEADERS("{\"K\":\"a\\r\\nb\"}"), "headers contains 'K' with invalid value");
    refuse_format(HEADERS("{\"K y\":\"a\"}"), "headers contains 'K y' with invalid value");
}

TEST(what_no_frame_may_carry_is_refused)
{
    char long_ping[300];

    refuse_format("\"ws-message\":{\"content-bin\":\"/w==\",\"type\":\"text\"}",
                  "'ws-message' contains 'content' with invalid value");
    (void)snprintf(long_ping, sizeof(long_ping),
                   "\"ws-message\":{\"type\":\"ping\",\"content\":\"%0126d\"}", 0);
    refuse_format(long_ping, "'ws-message' contains 'content' with invalid value");
}

static const struct grip_item *parse_zmq(struct slice message, const struct slice *topic)
{
    struct err_note note = {0};

    grip_items_done(&items);
    if (grip_item_parse_zmq(message, topic, &items, &note) < 0)
        fail_msg("%s", note.text);
    return items.items;
}

static void refuse_zmq(struct slice message, const char *text)
{
    struct err_note note = {0};

    grip_items_done(&items);
    assert_int_equal(grip_item_parse_zmq(message, NULL, &items, &note), -ERR_SYNTAX);
    assert_string_equal(note.text, text);
}

#define TNET                                                                                       \
    "136:7:channel,1:c,7:formats,107:13:http-response,13:4:body,3:\0\xff\n,}"                      \
    "11:http-stream,15:7:content,2:hi,}10:ws-message,21:11:content-bin,3:/w=,}}}"

TEST(items_of_zeromq_hold_bytes)
{
    const struct slice topic = SLICE("other");
    const struct grip_item *i = parse_zmq(SLICE(TNET), NULL);

    is(i->channel, "c");
    assert_memory_equal(i->formats[GRIP_HTTP_RESPONSE].content.p, "\0\xff\n", 3);
    is(i->formats[GRIP_HTTP_STREAM].content, "hi");
    is(i->formats[GRIP_WS_MESSAGE].content, "/w=");
    assert_int_equal(i->formats[GRIP_WS_MESSAGE].type, GRIP_WS_BINARY);
    i = parse_zmq(SLICE("T" TNET), &topic);
    is(i->channel, "other");
    i = parse_zmq(SLICE("J{\"http-stream\":{\"content-bin\":\"aGk=\"}}"), &topic);
    is(i->formats[GRIP_HTTP_STREAM].content, "hi");
    refuse_zmq(SLICE("T" TNET "x"), "Invalid format: message is neither a tnetstring nor JSON");
    refuse_zmq(SLICE(""), "Invalid format: message is neither a tnetstring nor JSON");
    refuse_zmq(SLICE("J{"), "Invalid format: message is neither a tnetstring nor JSON");
    refuse_zmq(SLICE("2:hi,"), "Invalid format: publish item object is not an object");
    refuse_zmq(SLICE("0:}"), "Invalid format: publish item object does not contain 'channel'");
}

TEST(a_list_of_items_as_a_tnetstring)
{
    struct err_note note = {0};

    grip_items_done(&items);
    assert_int_equal(grip_items_parse_tnet((struct tnet){TNET_LIST, SLICE(TNET)}, &items, &note),
                     0);
    assert_int_equal(items.n, 1);
    grip_items_done(&items);
    assert_int_equal(grip_items_parse_tnet((struct tnet){TNET_STRING, SLICE("hi")}, &items, &note),
                     -ERR_SYNTAX);
    items = (struct grip_items){0};
}

TEST(nesting_has_a_bound)
{
    struct buf in = {.max = 4096}, out = {.max = 4096};

    for (unsigned i = 0; i < 100; i++) {
        buf_clear(&out);
        (void)buf_addf(&out, "%zu:", in.n);
        (void)buf_add(&out, buf_slice(&in));
        (void)buf_add_byte(&out, ']');
        buf_clear(&in);
        (void)buf_add(&in, buf_slice(&out));
    }
    refuse_zmq(buf_slice(&in), "Invalid format: message is neither a tnetstring nor JSON");
    buf_done(&in);
    buf_done(&out);
}

static int done(void **state)
{
    grip_items_done(&items);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_item_for_all_kinds),
        cmocka_unit_test(an_empty_list_and_unknown_formats_are_fine),
        cmocka_unit_test(a_response_has_code_reason_and_headers_in_order),
        cmocka_unit_test(base64_wins_and_what_is_not_of_it_is_passed_over),
        cmocka_unit_test(a_message_is_text_or_binary_or_what_it_says),
        cmocka_unit_test(actions),
        cmocka_unit_test(content_filters_are_known_or_match_nothing),
        cmocka_unit_test(bodies_that_are_no_publish_request),
        cmocka_unit_test(items_that_are_wrong),
        cmocka_unit_test(formats_that_are_wrong),
        cmocka_unit_test(header_fields_that_are_wrong),
        cmocka_unit_test(what_no_frame_may_carry_is_refused),
        cmocka_unit_test(items_of_zeromq_hold_bytes),
        cmocka_unit_test(a_list_of_items_as_a_tnetstring),
        cmocka_unit_test(nesting_has_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, done);
}

#include "edge/origin_builtin.h"

#include "lib/test.h"

static void expect(const char *path, bool is_events, struct slice content, unsigned status,
                   const char *head, const char *body)
{
    struct origin_builtin t;

    origin_builtin_answer(slice_str(path), is_events, content, &t);
    if (t.status != status || !slice_eq(buf_slice(&t.head), slice_str(head)) ||
        !slice_eq(buf_slice(&t.body), slice_str(body)))
        fail_msg("%s: %u\n%.*s\n%.*s", path, t.status, SLICE_FMT(buf_slice(&t.head)),
                 SLICE_FMT(buf_slice(&t.body)));
    origin_builtin_done(&t);
}

#define TEXT "Content-Type: text/plain\n"
#define EVENTS "Content-Type: application/websocket-events\n"

TEST(pages)
{
    expect("/", false, SLICE_NONE, 200, TEXT, "Hello from Holdfast's test target!\n");
    expect("/?x", false, SLICE_NONE, 200, TEXT, "Hello from Holdfast's test target!\n");
    expect("/nowhere", false, SLICE_NONE, 404, TEXT, "no such test resource\n");
    expect("/ws", false, SLICE_NONE, 404, TEXT, "no such test resource\n");
    expect("/", true, SLICE("OPEN\r\n"), 200, TEXT, "Hello from Holdfast's test target!\n");
}

TEST(holds_on_the_channels_of_the_query)
{
    expect("/response", false, SLICE_NONE, 200, TEXT "Grip-Hold: response\nGrip-Channel: test\n",
           "nothing for now\n");
    expect("/stream?channel=a%20b&x=y&channel=c", false, SLICE_NONE, 200,
           TEXT "Grip-Hold: stream\nGrip-Channel: a b\nGrip-Channel: c\n", "[stream opened]\n");
    expect("/stream?channel=&channel=%0a&channel=%zz", false, SLICE_NONE, 200,
           TEXT "Grip-Hold: stream\nGrip-Channel: test\n", "[stream opened]\n");
}

TEST(a_websocket_says_what_it_hears)
{
    expect("/ws", true, SLICE("OPEN\r\n"), 200, EVENTS "Sec-WebSocket-Extensions: grip\n",
           "OPEN\r\nTEXT 27\r\nc:{\"type\":\"subscribe\",\"channel\":\"test\"}\r\n");
    expect("/ws?channel=a&channel=%22", true, SLICE("OPEN\r\n"), 200,
           EVENTS "Sec-WebSocket-Extensions: grip\n",
           "OPEN\r\nTEXT 24\r\nc:{\"type\":\"subscribe\",\"channel\":\"a\"}\r\n"
           "TEXT 25\r\nc:{\"type\":\"subscribe\",\"channel\":\"\\\"\"}\r\n");
    expect("/ws", true, SLICE("TEXT 3\r\nc:x\r\nBINARY 1\r\ny\r\nPING 1\r\np\r\nPONG\r\n"), 200,
           EVENTS, "TEXT 5\r\nm:c:x\r\nBINARY 3\r\nm:y\r\nPONG 1\r\np\r\n");
    expect("/ws", true, SLICE("CLOSE 4\r\n\x0f\xa1ok\r\n"), 200, EVENTS,
           "CLOSE 4\r\n\x0f\xa1ok\r\n");
    expect("/ws", true, SLICE("DISCONNECT\r\n"), 200, EVENTS, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages),
        cmocka_unit_test(holds_on_the_channels_of_the_query),
        cmocka_unit_test(a_websocket_says_what_it_hears),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

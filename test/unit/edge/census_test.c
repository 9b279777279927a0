/* The bound of what is told, and several edges; control_test.c has the forms of the question. */
#include "edge/census.h"

#include "edge/subscriber.h"
#include "lab.h"

static struct lab lab;
static struct peer client;
enum { EACH = 255 }; /* what one subscriber may have */

static struct subscriber subscribers[CENSUS_CHANNELS / EACH + 1];
static unsigned subscribed;

static void on_deliver(struct subscriber *s, const struct delivery *d)
{
}

static void on_news(struct subscriber *s)
{
}

static const struct subscriber_ops facts = {on_deliver, on_deliver, on_news, on_news, on_news};

static int setup(void **state)
{
    lab_open(&lab);
    lab.door = doors_open(lab.edge, EDGE_CONTROL);
    client_open(&lab, &client);
    for (size_t i = 0; i < COUNT_OF(subscribers); i++)
        subscriber_init(&subscribers[i], lab.edge, GRIP_WS_MESSAGE, EACH, SLICE_NONE, &facts);
    subscribed = 0;
    return 0;
}

static int teardown(void **state)
{
    for (size_t i = 0; i < COUNT_OF(subscribers); i++)
        subscriber_done(&subscribers[i]);
    peer_close(&client);
    lab_close(&lab);
    return 0;
}

static void subscribe_up_to(unsigned n)
{
    char name[16];

    for (; subscribed < n; subscribed++) {
        (void)snprintf(name, sizeof(name), "c%05u", subscribed);
        assert_int_equal(subscriber_add(&subscribers[subscribed / EACH], slice_str(name),
                                        &(struct subscribe){0}),
                         0);
    }
}

static struct slice ask(const char *query)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "GET /channels/%s HTTP/1.1\r\nHost: h\r\n\r\n", query);
    peer_forget(&client);
    peer_say(&client, slice_str(text));
    loop_advance(lab.loop, 0);
    assert_true(client_heard(&client, "HTTP/1.1 200 "));
    return peer_heard(&client);
}

static unsigned rows(struct slice answer)
{
    unsigned n = 0;
    ptrdiff_t at;

    while ((at = slice_find_slice(answer, SLICE("\"ws\":1"))) >= 0) {
        (void)slice_take(&answer, (size_t)at + 1);
        n++;
    }
    return n;
}

static void expect_rows(unsigned n, unsigned told, const char *end)
{
    struct slice answer;

    subscribe_up_to(n);
    answer = ask("");
    assert_int_equal(rows(answer), told);
    assert_true(slice_ends(answer, slice_str(end)));
}

TEST(so_many_channels_are_told_and_that_there_are_more)
{
    expect_rows(CENSUS_CHANNELS - 1, CENSUS_CHANNELS - 1, "\"more\":false}\n");
    expect_rows(CENSUS_CHANNELS, CENSUS_CHANNELS, "\"more\":false}\n");
    expect_rows(CENSUS_CHANNELS + 1, CENSUS_CHANNELS, "\"more\":true}\n");
    assert_int_equal(rows(ask("?prefix=c0000")), 10);
    assert_int_equal(rows(ask("?channel=c00007&channel=c10000")), 2);
}

TEST(a_client_that_does_not_wait_is_no_trouble)
{
    subscribe_up_to(10);
    (void)stream_write(client.stream, SLICE("GET /channels/ HTTP/1.1\r\nHost: h\r\n\r\n"));
    loop_tick(lab.loop, 0);
    client_cut(&client);
    loop_advance(lab.loop, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(so_many_channels_are_told_and_that_there_are_more),
        T(a_client_that_does_not_wait_is_no_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

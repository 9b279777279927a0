/* What a worker says of sockets: at the limits, too late, and against the rules. */
#include "edge/sockets.h"

#include "lab.h"

static struct lab lab;
static struct fake one;
static struct peer client, other;

static int setup(void **state)
{
    lab_open(&lab);
    fake_serve(&lab, &one);
    return 0;
}

static int teardown(void **state)
{
    if (client.loop)
        peer_close(&client);
    if (other.loop)
        peer_close(&other);
    client = other = (struct peer){0};
    fake_die(&lab, &one, 0, 0, 0);
    lab_close(&lab);
    return 0;
}

/* A client that has its 101, and that nobody has accepted. */
static uint64_t open_socket(struct peer *c)
{
    client_upgrade(&lab, c, "/ws");
    fake_expect(&lab, &one, "REQUEST GET http://h/ws\n");
    SAY(&one, response, lab.id, 0, .status = 101, .hold = lab.hold);
    fake_ack(&one, lab.seq, 1);
    peer_forget(c);
    return lab.hold;
}

static void expect_fine(void)
{
    lab_expect_reports(&lab, "");
}

static char many[1 << 20];

TEST(an_attachment_has_a_size)
{
    const uint64_t hold = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");

    SAY(&one, ws_attach, hold, 0, .bytes = slice_make(many, SOCKETS_ATTACHMENT_MAX));
    expect_fine();
    SAY(&one, ws_attach, hold, 0, .bytes = slice_make(many, SOCKETS_ATTACHMENT_MAX + 1));
    lab_expect_reports(&lab, "BAD WS_ATTACH: attachment too large\n");
}

TEST(tags_have_a_size_and_a_form)
{
    uint32_t n = SOCKETS_TAGS_MAX - 4;
    uint64_t hold = open_socket(&client);

    memcpy(many, &n, 4); /* a list of one tag that fills it */
    SAY(&one, ws_accept, hold, IPC_HIBERNATE, .actor = SLICE("Room/1"),
        .tags = slice_make(many, SOCKETS_TAGS_MAX));
    expect_fine();
    hold = open_socket(&other);
    n++;
    memcpy(many, &n, 4);
    SAY(&one, ws_accept, hold, IPC_HIBERNATE, .actor = SLICE("Room/1"),
        .tags = slice_make(many, SOCKETS_TAGS_MAX + 1));
    lab_expect_reports(&lab, "BAD WS_ACCEPT: malformed tags\n");
}

TEST(tags_that_are_no_list_are_refused)
{
    const uint64_t hold = open_socket(&client);

    SAY(&one, ws_accept, hold, IPC_HIBERNATE, .actor = SLICE("Room/1"),
        .tags = SLICE("\x09\0\0\0x"));
    lab_expect_reports(&lab, "BAD WS_ACCEPT: malformed tags\n");
}

TEST(automatic_answers_have_a_size)
{
    SAY(&one, auto_response, 0, 0, .actor = SLICE("Room/1"),
        .request = slice_make(many, SOCKETS_AUTO_MAX),
        .response = slice_make(many, SOCKETS_AUTO_MAX));
    expect_fine();
    assert_int_equal(lab.app->actors.n, 1);
    SAY(&one, auto_response, 0, IPC_UNSET, .actor = SLICE("Room/1"));
    SAY(&one, auto_response, 0, IPC_UNSET, .actor = SLICE("Room/2"));
    expect_fine();
    assert_int_equal(lab.app->actors.n, 0);
    SAY(&one, auto_response, 0, 0, .actor = SLICE("Room/1"),
        .response = slice_make(many, SOCKETS_AUTO_MAX + 1));
    lab_expect_reports(&lab, "BAD AUTO_RESPONSE: automatic answer too large\n");
}

TEST(a_socket_is_accepted_once)
{
    const uint64_t hold = lab_socket(&lab, &one, &client, 0, "");

    SAY(&one, ws_accept, hold, 0, 0);
    lab_expect_reports(&lab, "BAD WS_ACCEPT: accepted before\n");
}

TEST(a_socket_that_hibernates_has_an_actor)
{
    SAY(&one, ws_accept, open_socket(&client), IPC_HIBERNATE, 0);
    lab_expect_reports(&lab, "BAD WS_ACCEPT: a hibernatable hold needs an actor\n");
}

TEST(who_accepts_a_client_that_has_gone_hears_of_it)
{
    const uint64_t hold = open_socket(&client);

    client_cut(&client);
    SAY(&one, ws_accept, hold, 0, 0);
    expect_fine();
    fake_expect(&lab, &one, "WS_CLOSED 1006 lost \n");
}

TEST(a_list_of_sockets_is_of_whole_ids)
{
    SAY(&one, ws_send, 0, 0, .holds = SLICE("1234567"), .bytes = SLICE("x"));
    lab_expect_reports(&lab, "BAD WS_SEND: malformed list of holds\n");
}

TEST(a_close_that_cannot_be_sent_becomes_1011)
{
    const uint64_t hold = lab_socket(&lab, &one, &client, 0, "");

    SAY(&one, ws_close, hold, 0, .code = 1006);
    assert_true(client_heard_close(&client, 1011));
    assert_true(lab_logged(&lab, "close.refused"));
    expect_fine();
}

TEST(a_socket_is_terminated_without_a_word)
{
    const uint64_t hold = lab_socket(&lab, &one, &client, 0, "");

    SAY(&one, ws_terminate, hold, 0, 0);
    assert_true(client.has_ended || client.lost);
    assert_int_equal(peer_heard(&client).n, 0);
    SAY(&one, ws_terminate, hold, 0, 0);
    expect_fine();
}

TEST(two_that_are_joined_are_two_and_nobodys)
{
    const uint64_t hold = open_socket(&client);

    SAY(&one, ws_join, hold, 0, .other = hold);
    lab_expect_reports(&lab, "BAD WS_JOIN: joined with itself\n");
}

TEST(one_that_was_accepted_is_not_joined)
{
    const uint64_t first = lab_socket(&lab, &one, &client, 0, "");

    SAY(&one, ws_join, first, 0, .other = open_socket(&other));
    lab_expect_reports(&lab, "BAD WS_JOIN: accepted before\n");
}

TEST(one_whose_other_has_gone_goes_too)
{
    const uint64_t first = open_socket(&client), second = open_socket(&other);

    client_cut(&client);
    SAY(&one, ws_join, first, 0, .other = second);
    assert_true(client_heard_close(&other, 1001));
    expect_fine();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_attachment_has_a_size),
        T(tags_have_a_size_and_a_form),
        T(tags_that_are_no_list_are_refused),
        T(automatic_answers_have_a_size),
        T(a_socket_is_accepted_once),
        T(a_socket_that_hibernates_has_an_actor),
        T(who_accepts_a_client_that_has_gone_hears_of_it),
        T(a_list_of_sockets_is_of_whole_ids),
        T(a_close_that_cannot_be_sent_becomes_1011),
        T(a_socket_is_terminated_without_a_word),
        T(two_that_are_joined_are_two_and_nobodys),
        T(one_that_was_accepted_is_not_joined),
        T(one_whose_other_has_gone_goes_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "edge/control.h"

#include "edge/relay.h"
#include "edge/subscriber.h"
#include "hub/hub.h"
#include "lab.h"
#include "wire/jwt.h"

static struct lab lab;
static struct peer client;
static struct subscriber subscriber;
static struct buf heard;

static void on_deliver(struct subscriber *s, const struct delivery *d)
{
    (void)buf_addf(&heard, "%.*s ", SLICE_FMT(d->content));
}

static void on_close(struct subscriber *s, const struct delivery *d)
{
    (void)buf_add(&heard, SLICE("!close "));
}

static void on_news(struct subscriber *s)
{
    (void)buf_add(&heard, SLICE("!news "));
}

static const struct subscriber_ops facts = {on_deliver, on_close, on_news, on_news, on_news};

static int setup(void **state)
{
    buf_init(&heard, 1 << 20);
    lab_open(&lab);
    lab.door = doors_open(lab.edge, EDGE_CONTROL);
    client_open(&lab, &client);
    return 0;
}

static int teardown(void **state)
{
    subscriber_done(&subscriber);
    peer_close(&client);
    lab_close(&lab);
    buf_done(&heard);
    return 0;
}

static void subscribe(const char *channel)
{
    subscriber_init(&subscriber, lab.edge, GRIP_HTTP_STREAM, 20, SLICE_NONE, &facts);
    (void)subscriber_add(&subscriber, slice_str(channel), &(struct subscribe){0});
}

static void say(const char *text)
{
    peer_forget(&client);
    peer_say(&client, slice_str(text));
    loop_advance(lab.loop, 0);
}

static void post(const char *path, const char *fields, const char *body)
{
    char text[4096];

    (void)snprintf(text, sizeof(text),
                   "POST %s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n%s", path, fields,
                   strlen(body), body);
    say(text);
}

static void expect(unsigned status, const char *body)
{
    char line[32], end[512];

    (void)snprintf(line, sizeof(line), "HTTP/1.1 %u ", status);
    (void)snprintf(end, sizeof(end), "\r\n\r\n%s", body);
    if (!client_heard(&client, line) || !slice_ends(peer_heard(&client), slice_str(end)))
        fail_msg("%.*s", SLICE_FMT(peer_heard(&client)));
}

static void expect_heard(const char *what)
{
    assert_true(slice_eq(buf_slice(&heard), slice_str(what)));
    buf_clear(&heard);
}

#define ITEM(channel, content)                                                                     \
    "{\"channel\":\"" channel "\",\"formats\":{\"http-stream\":{\"content\":\"" content "\"}}}"
#define ONE "{\"items\":[" ITEM("c", "hi") "]}"

TEST(what_is_published_is_heard)
{
    subscribe("c");
    post("/publish/", "", ONE);
    expect(200, "Published\n");
    assert_true(client_heard(&client, "Content-Type: text/plain\r\n"));
    post("/publish", "", "{\"items\":[" ITEM("c", "1") "," ITEM("d", "2") "," ITEM("c", "3") "]}");
    expect(200, "Published\n");
    expect_heard("hi 1 3 ");
    assert_int_equal(lab.edge->stats.items_published, 4);
}

TEST(nobody_has_to_listen)
{
    post("/publish/", "", ONE);
    expect(200, "Published\n");
    post("/publish/", "", "{\"items\":[]}");
    expect(200, "Published\n");
}

TEST(a_query_and_chunks_and_fastlys_path_are_fine)
{
    subscribe("c");
    post("/publish/?backend=x", "", ONE);
    expect(200, "Published\n");
    say("POST /publish/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "46\r\n" ONE "\r\n0\r\n\r\n");
    expect(200, "Published\n");
    post("/service/aB3/publish/", "Fastly-Key: whatever\r\n", ONE);
    expect(200, "Published\n");
    expect_heard("hi hi hi ");
    post("/service/a/b/publish/", "", ONE);
    expect(404, "Not Found\n");
    post("/service//publish/", "", ONE);
    expect(404, "Not Found\n");
    assert_false(client_heard(&client, "Connection: close"));
}

TEST(other_methods_and_paths)
{
    say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(200, "Pushpin API\n");
    post("/", "", "x");
    expect(200, "Pushpin API\n");
    say("GET /publish/ HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(405, "Method not allowed: GET.\n");
    assert_true(client_heard(&client, "Allow: POST\r\nContent-Type: text/plain\r\n"));
    say("DELETE /recover HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(405, "Method not allowed: DELETE.\n");
    post("/publish//", "", ONE);
    expect(404, "Not Found\n");
    say("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(404, "Not Found\n");
}

TEST(the_form_of_the_answer_is_negotiated)
{
    post("/publish/", "Accept: application/json\r\n", ONE);
    expect(200, "{\"message\":\"Published\"}\n");
    assert_true(client_heard(&client, "Content-Type: application/json\r\n"));
    post("/publish/", "Accept: text/html, application/*;q=0.8, text/plain\r\n", ONE);
    expect(200, "Published\n");
    post("/publish/", "Accept: text/plain, application/json\r\n", ONE);
    expect(200, "{\"message\":\"Published\"}\n");
    post("/publish/", "Accept: text/html\r\n", "bad");
    expect(406, "Not Acceptable. Supported formats are text/plain and application/json.\n");
    post("/recover/", "Accept: application/json\r\n", "");
    expect(200, "{\"message\":\"Updated\"}\n");
}

TEST(one_bad_item_refuses_all)
{
    subscribe("c");
    post("/publish/", "", "{\"items\":[" ITEM("c", "1") ",{}]}");
    expect(400, "Invalid format: publish item object does not contain 'channel'\n");
    post("/publish/", "", "nonsense");
    expect(400, "Body is not valid JSON.\n");
    post("/publish/", "Accept: application/json\r\n", "[]");
    expect(400, "Invalid format.\n");
    assert_true(client_heard(&client, "Content-Type: text/plain\r\n"));
    post("/publish/", "", "");
    expect(400, "Body is not valid JSON.\n");
    expect_heard("");
    assert_int_equal(lab.edge->stats.publish_bad, 4);
}

TEST(a_head_and_a_body_have_limits)
{
    char *big = mem_new(11000);
    char text[200];

    memset(big, 'a', 10999);
    memcpy(big, "X: ", 3);
    memcpy(big + 10997, "\r\n", 2);
    say("POST /publish/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n");
    peer_say(&client, slice_make(big, 10999));
    say("\r\n");
    expect(400, "Request header too large.\n");
    mem_free(big);
    (void)snprintf(text, sizeof(text),
                   "POST /publish/ HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                   "Content-Length: %d\r\n\r\n",
                   1000001);
    say(text);
    expect(400, "Request body too large.\n");
    assert_false(client_heard(&client, "HTTP/1.1 100"));
}

TEST(a_chunked_body_has_the_same_limit)
{
    char *piece = mem_new(60000);

    memset(piece, ' ', 60000);
    say("POST /publish/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 17; i++) {
        peer_say(&client, SLICE("ea60\r\n"));
        peer_say(&client, slice_make(piece, 60000));
        peer_say(&client, SLICE("\r\n"));
        loop_advance(lab.loop, 0);
    }
    expect(400, "Request body too large.\n");
    mem_free(piece);
}

TEST(recovery_refreshes_holds)
{
    subscribe("c");
    loop_advance(lab.loop, 1000);
    expect_heard("!news ");
    post("/recover/", "", "");
    expect(200, "Updated\n");
    expect_heard("!news ");
}

TEST(a_page_of_another_site_may_not_publish)
{
    post("/publish/", "Sec-Fetch-Site: cross-site\r\n", ONE);
    expect(403, "Pages of other sites may not publish.\n");
    post("/publish/", "Sec-Fetch-Site: same-origin\r\n", ONE);
    expect(200, "Published\n");
}

TEST(a_publisher_that_floods_is_told_to_wait)
{
    static char big[1 << 20];
    struct grip_item item = {
        .channel = SLICE("c"),
        .formats[GRIP_HTTP_STREAM] = {.has = true, .content = slice_make(big, sizeof(big))}};
    const struct grip_items items = {.items = &item, .n = 1};

    subscribe("c");
    buf_done(&heard);
    buf_init(&heard, 100 << 20);
    (void)stream_write(client.stream,
                       SLICE("POST /publish/ HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n"
                             "{\"items\":[]}"));
    loop_tick(lab.loop, 0);
    while (relay_publish(lab.edge, &items) == 0)
        continue;
    loop_advance(lab.loop, 0);
    expect(503, "Too many items wait for delivery.\n");
    assert_true(client_heard(&client, "Retry-After: 1\r\n"));
    post("/publish/", "", "{\"items\":[]}");
    expect(200, "Published\n");
}

/* --- who may --- */

static void protect(void)
{
    static const char *const tokens[] = {"let-me-in", NULL};
    static const char *const logins[] = {"ann:secret:x", NULL};
    static const struct app_key keys[] = {{APP_KEY_TEXT, SLICE("a-shared-key")}};
    const struct grip_options o = {
        .auth = {
            .tokens = tokens, .logins = logins, .keys = keys, .n_keys = 1, .jwt_iss = "realm"}};
    struct err_note note = {0};

    control_free(lab.edge->control);
    lab.edge->control = control_new(lab.edge, &o, &note);
    assert_non_null(lab.edge->control);
}

static void expect_token(const char *key, const char *iss, int64_t in_s, unsigned status)
{
    struct jwt_key *k;
    struct buf token;
    char fields[1024];

    buf_init(&token, JWT_MAX);
    assert_int_equal(jwt_key_new(slice_str(key), JWT_SIGN, &k, NULL), 0);
    assert_int_equal(jwt_sign(&token, k, slice_str(iss), loop_wall(lab.loop) / 1000 + in_s), 0);
    (void)snprintf(fields, sizeof(fields), "Authorization: Bearer %.*s\r\n",
                   SLICE_FMT(buf_slice(&token)));
    jwt_key_free(k);
    buf_done(&token);
    post("/publish/", fields, ONE);
    expect(status, status == 200 ? "Published\n" : "Not authorized.\n");
}

TEST(credentials_open_the_door)
{
    protect();
    post("/publish/", "", ONE);
    expect(401, "Not authorized.\n");
    assert_true(client_heard(&client, "WWW-Authenticate: Bearer"));
    post("/publish/", "Authorization: bearer  let-me-in\r\n", ONE);
    expect(200, "Published\n");
    post("/publish/", "Fastly-Key: let-me-in\r\n", ONE);
    expect(200, "Published\n");
    post("/publish/", "Fastly-Key: let-me-im\r\n", ONE);
    expect(401, "Not authorized.\n");
    post("/publish/", "Authorization: Basic YW5uOnNlY3JldDp4\r\n", ONE);
    expect(200, "Published\n");
    post("/publish/", "Authorization: Basic YW5uOnNlY3JldA==\r\n", ONE);
    expect(401, "Not authorized.\n");
    post("/recover/", "", "");
    expect(401, "Not authorized.\n");
    say("GET /channels/ HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(401, "Not authorized.\n");
    say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(200, "Pushpin API\n");
    assert_int_equal(lab.edge->stats.publish_denied, 5);
}

TEST(signed_tokens_open_the_door)
{
    protect();
    expect_token("a-shared-key", "realm", 60, 200);
    expect_token("a-shared-key", "other", 60, 401);
    expect_token("a-shared-key", "realm", -60, 401);
    expect_token("another-key", "realm", 60, 401);
}

TEST(a_key_that_cannot_be_used_is_an_error)
{
    static const struct app_key keys[] = {{APP_KEY_TEXT, SLICE("-----BEGIN nonsense")}};
    const struct grip_options o = {.auth = {.keys = keys, .n_keys = 1}};
    struct err_note note = {0};

    assert_null(control_new(lab.edge, &o, &note));
    assert_int_not_equal(note.text[0], 0);
}

/* --- the census --- */

TEST(channels_are_listed_with_their_counts)
{
    subscribe("room \"1\"");
    (void)subscriber_add(&subscriber, SLICE("a"), &(struct subscribe){0});
    say("GET /channels/ HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(200, "{\"channels\":{\"a\":{\"response\":0,\"stream\":1,\"ws\":0},"
                "\"room \\\"1\\\"\":{\"response\":0,\"stream\":1,\"ws\":0}},\"more\":false}\n");
    say("GET /channels?channel=x%20y&channel=a HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(200, "{\"channels\":{\"a\":{\"response\":0,\"stream\":1,\"ws\":0},"
                "\"x y\":{\"response\":0,\"stream\":0,\"ws\":0}},\"more\":false}\n");
    say("GET /channels?prefix=ro HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(200, "{\"channels\":{\"room \\\"1\\\"\":{\"response\":0,\"stream\":1,\"ws\":0}},"
                "\"more\":false}\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_published_is_heard),
        T(nobody_has_to_listen),
        T(a_query_and_chunks_and_fastlys_path_are_fine),
        T(other_methods_and_paths),
        T(the_form_of_the_answer_is_negotiated),
        T(one_bad_item_refuses_all),
        T(a_head_and_a_body_have_limits),
        T(a_chunked_body_has_the_same_limit),
        T(recovery_refreshes_holds),
        T(a_page_of_another_site_may_not_publish),
        T(a_publisher_that_floods_is_told_to_wait),
        T(credentials_open_the_door),
        T(signed_tokens_open_the_door),
        T(a_key_that_cannot_be_used_is_an_error),
        T(channels_are_listed_with_their_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

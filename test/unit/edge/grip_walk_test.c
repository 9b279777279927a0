/* Random walks of clients, an origin and a publisher: nothing is left behind. */
#include "edge/grip_hold_int.h"

#include "grip_lab.h"

enum { CLIENTS = 12, STEPS = 600, WALKS = 300 };

static const char *const heads[] = {
    "X: y\n",
    "Grip-Foo: x\n",
    "Grip-Hold: foo\n",
    "Grip-Hold: response\nGrip-Channel: a\n",
    "Grip-Hold: response\nGrip-Channel: a, fresh; prev-id=5\nGrip-Timeout: 6\n",
    "Grip-Hold: response\nGrip-Channel: c; prev-id=5\nGrip-Link: </gone>; rel=gone\n",
    "Grip-Hold: stream\nGrip-Channel: a, b; recover\nGrip-Keep-Alive: k; timeout=1\n",
    "Grip-Hold: stream\nGrip-Channel: a; filter=var-subst\nGrip-Link: </gone>; rel=gone\n",
    "Grip-Hold: stream\nGrip-Channel: c; prev-id=5\n",
    "Grip-Hold: stream\nGrip-Channel: c; prev-id=5\nGrip-Link: </n>; rel=next; timeout=2\n",
    "Grip-Hold: stream\nGrip-Channel: a; recover\nGrip-Link: </n?x>; rel=next; timeout=3, </g>; "
    "rel=gone\nGrip-Keep-Alive: k; timeout=2; mode=interval\n",
    "Grip-Link: </n>; rel=next\n",
    "Grip-Link: </m>; rel=next, </gone>; rel=gone\n",
    "Content-Type: application/grip-instruct\nGrip-Link: </n>; rel=next\n",
};

static const char *const items[] = {
    RESPONSE("a", "\"body\":\"x\""),
    RESPONSE("a", "\"action\":\"hint\""),
    RESPONSE("c", "\"body-patch\":[]"),
    STREAM("a", "x"),
    STREAM("b", "%(u)s"),
    STREAM_ID("c", "6", "5", "6"),
    STREAM_ID("c", "9", "8", "9"),
    "{\"channel\":\"c\",\"id\":\"7\",\"prev-id\":\"1\",\"no-seq\":true,\"formats\":{\"http-"
    "stream\":"
    "{\"content\":\"7\"},\"http-response\":{\"body\":\"7\"}}}",
    "{\"channel\":\"a\",\"id\":\"77\",\"formats\":{\"http-stream\":{\"content\":\"77\"}}}",
    "{\"channel\":\"a\",\"formats\":{\"http-stream\":{\"action\":\"close\",\"content\":\"\"}}}",
    "{\"channel\":\"a\",\"formats\":{\"http-stream\":{\"action\":\"hint\"}}}",
    "{\"channel\":\"c\",\"formats\":{\"http-stream\":{\"action\":\"hint\"}}}",
};

static const char *const bodies[] = {"", "x", "no json",
                                     "{\"hold\":{\"mode\":\"stream\",\"channels\":[{\"name\":\"a\"}"
                                     "]},\"response\":{\"body\":\"y\"}}"};

static unsigned seed;
static struct peer clients[CLIENTS];
static bool is_here[CLIENTS];
static struct upstream_call *responses[CLIENTS];

static unsigned pick(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % n;
}

#define ANY(list) list[pick(COUNT_OF(list))]

static void come(unsigned i)
{
    if (is_here[i])
        return;
    how.head = ANY(heads);
    how.status = pick(8) ? 200 : 304;
    how.last_event_id = pick(2) ? "77" : NULL;
    how.is_large = pick(30) == 0;
    say_request(&clients[i],
                pick(10) ? "GET / HTTP/1.1\r\nHost: h\r\n\r\n" : "HEAD / HTTP/1.0\r\n\r\n");
    if (pick(4) == 0)
        stream_loopback_limits(clients[i].stream, 0, 500);
    responses[i] = response;
    is_here[i] = true;
    if (response->ops && pick(3)) {
        origin_body(response, ANY(bodies));
        if (response->ops)
            origin_end(response);
    }
}

static void go(unsigned i)
{
    if (!is_here[i])
        return;
    is_here[i] = false;
    if (pick(2))
        client_cut(&clients[i]);
    peer_close(&clients[i]);
}

/* The call, if it is under way, goes on in one of the ways that calls do. */
static void move(struct upstream_call *c)
{
    static char large[60000];
    const unsigned how_far = pick(6);

    if (!c || !c->ops)
        return;
    if (!large[0])
        memset(large, 'x', sizeof(large) - 1);
    if (how_far == 0)
        origin_fail(c, pick(2) ? UPSTREAM_NOT_REACHED : UPSTREAM_CUT);
    else if (how_far == 1 && c->credit > sizeof(large))
        origin_body(c, large);
    else if (how_far < 4)
        origin_body(c, ANY(bodies));
    else
        origin_end(c);
}

static bool has_begun[COUNT_OF(calls)];

static void move_link(unsigned i)
{
    struct upstream_call *c = calls[i];

    if (!c->ops || has_begun[i]) {
        move(c);
        return;
    }
    has_begun[i] = true;
    c->ops->response(c->arg, &(struct upstream_response){
                                 .status = (uint16_t)(pick(4) ? 200 : 500),
                                 .head = slice_str(ANY(heads)),
                             });
}

static void again(void)
{
    const struct reply reply = given_back;

    if (!reply.kind)
        return;
    given_back = (struct reply){0};
    if (pick(2)) {
        how.head = ANY(heads);
        how.is_large = false;
        respond_to(reply, false);
        if (pick(2))
            origin_end(response);
        else
            origin_fail(response, UPSTREAM_CUT);
    } else {
        reply_text(reply, 502, SLICE("x"));
    }
}

static void step(void)
{
    const unsigned i = pick(CLIENTS);

    switch (pick(8)) {
    case 0:
        if (is_here[i] && pick(2))
            go(i);
        else
            come(i);
        break;
    case 1:
    case 2:
    case 3:
        move(responses[i]);
        break;
    case 4:
        if (n_calls)
            move_link(n_calls - 1 - pick(MIN(n_calls, 4)));
        break;
    case 5:
        publish(ANY(items));
        break;
    case 6:
        again();
        break;
    default:
        loop_advance(lab.loop, pick(2500));
    }
}

static void walk(void)
{
    memset(is_here, 0, sizeof(is_here));
    memset(responses, 0, sizeof(responses));
    memset(has_begun, 0, sizeof(has_begun));
    for (unsigned i = 0; i < STEPS; i++)
        step();
    if (pick(2))
        grip_holds_stop(lab.app);
    for (unsigned i = 0; i < CLIENTS; i++)
        go(i);
    loop_advance(lab.loop, 10000);
    given_back = (struct reply){0};
    assert_int_equal(lab.edge->stats.grip_responses, 0);
    assert_int_equal(lab.edge->stats.grip_streams, 0);
    assert_int_equal(lab.edge->stats.grip_waiting, 0);
    for (unsigned i = 0; i < n_calls; i++) /* gone links */
        if (calls[i]->ops)
            origin_end(calls[i]);
    assert_true(!lab.app->grip || lab.app->grip->n_calls == 0);
}

TEST(nothing_is_left_behind_whatever_the_order)
{
    (void)state_;
    for (unsigned i = 1; i <= WALKS; i++) {
        seed = i * 2654435761u;
        (void)grip_lab_open(NULL);
        walk();
        (void)grip_lab_close(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_behind_whatever_the_order),
    };

    return cmocka_run_group_tests_name("grip_walk", tests, NULL, NULL);
}

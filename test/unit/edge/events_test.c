#include "edge/events.h"

#include "wire/ipc.h"

#include "lib/test.h"

#include <stdlib.h>

#define TAG (1ull << 45)

static struct event *add(struct events *ev, uint64_t id)
{
    struct event *e = events_add(ev, IPC_WS_MESSAGE, id, blob_copy(SLICE("frame")), 10);

    e->keep = true;
    return e;
}

TEST(events_are_sent_once_in_order)
{
    struct events ev;
    struct event *a, *b;

    events_init(&ev, TAG);
    a = add(&ev, 1);
    b = add(&ev, 2);
    assert_int_equal(a->seq, TAG + 1);
    assert_int_equal(b->seq, TAG + 2);
    assert_ptr_equal(events_send(&ev), a);
    assert_ptr_equal(events_send(&ev), b);
    assert_null(events_send(&ev));
    assert_int_equal(ev.bytes, 20);
    events_done(&ev);
}

TEST(an_event_is_found_until_it_is_dropped)
{
    struct events ev;
    struct event *a;
    uint64_t seq;

    events_init(&ev, TAG);
    assert_null(events_find(&ev, TAG + 1));
    a = add(&ev, 1);
    seq = a->seq;
    assert_ptr_equal(events_find(&ev, seq), a);
    events_drop(&ev, a);
    assert_null(events_find(&ev, seq));
    assert_int_equal(ev.bytes, 0);
    events_done(&ev);
}

TEST(a_queued_event_that_is_dropped_is_not_sent)
{
    struct events ev;
    struct event *a, *b;

    events_init(&ev, TAG);
    a = add(&ev, 1);
    b = add(&ev, 2);
    events_drop(&ev, a);
    assert_ptr_equal(events_send(&ev), b);
    events_drop(&ev, b);
    assert_false(events_has_unsent(&ev));
    events_done(&ev);
}

TEST(a_rewind_sends_the_unacknowledged_again_before_what_came_later)
{
    struct events ev;
    struct event *a, *b, *c;

    events_init(&ev, TAG);
    a = add(&ev, 1);
    b = add(&ev, 2);
    (void)events_send(&ev);
    (void)events_send(&ev);
    c = add(&ev, 3);
    events_drop(&ev, a);
    events_rewind(&ev);
    assert_ptr_equal(events_send(&ev), b);
    assert_ptr_equal(events_send(&ev), c);
    assert_null(events_send(&ev));
    events_done(&ev);
}

/* Any order of adds and drops agrees with a plain array, also when some stay for long. */
TEST(events_are_found_whatever_was_dropped_in_between)
{
    enum { N = 20000 };
    static struct event *model[N];
    struct events ev;
    unsigned seed = 1;
    int made = 0;

    events_init(&ev, TAG);
    for (int step = 0; step < N * 3; step++) {
        const int i = made ? rand_r(&seed) % made : 0;

        if (made < N && rand_r(&seed) % 3) {
            model[made] = add(&ev, (uint64_t)made);
            made++;
        } else if (made && model[i] && i % 97) {
            events_drop(&ev, model[i]);
            model[i] = NULL;
        }
    }
    for (int i = 0; i < made; i++)
        assert_ptr_equal(events_find(&ev, TAG + 1 + (uint64_t)i), model[i]);
    for (int i = 0; i < made; i++)
        if (model[i])
            events_drop(&ev, model[i]);
    assert_int_equal(ev.n, 0);
    assert_null(ev.table);
    events_done(&ev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_sent_once_in_order),
        cmocka_unit_test(an_event_is_found_until_it_is_dropped),
        cmocka_unit_test(a_queued_event_that_is_dropped_is_not_sent),
        cmocka_unit_test(a_rewind_sends_the_unacknowledged_again_before_what_came_later),
        cmocka_unit_test(events_are_found_whatever_was_dropped_in_between),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

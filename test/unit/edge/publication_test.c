#include "edge/publication.h"

#include "lib/test.h"

static bool is_same(struct slice a, const char *b)
{
    return slice_eq(a, slice_str(b));
}

TEST(it_is_a_copy_with_everything_in_it)
{
    char text[] = "channel id prev name value body reason X-A b";
    struct grip_pair meta = {slice_make(text + 16, 4), slice_make(text + 21, 5)};
    struct grip_pair field = {slice_make(text + 39, 3), slice_make(text + 43, 1)};
    const struct grip_item item = {
        .channel = slice_make(text, 7),
        .id = slice_make(text + 8, 2),
        .prev_id = slice_make(text + 11, 4),
        .has_id = true,
        .has_prev_id = true,
        .no_seq = true,
        .meta = &meta,
        .n_meta = 1,
        .formats[GRIP_HTTP_RESPONSE] = {.has = true,
                                        .content = slice_make(text + 27, 4),
                                        .reason = slice_make(text + 32, 6),
                                        .fields = &field,
                                        .n_fields = 1},
    };
    struct publication *p = publication_new(&item);
    const struct grip_format *f = &p->item.formats[GRIP_HTTP_RESPONSE];

    memset(text, '?', sizeof(text));
    meta = field = (struct grip_pair){0};
    assert_true(is_same(p->item.channel, "channel"));
    assert_true(is_same(p->msg.channel, "channel") && is_same(p->msg.id, "id"));
    assert_true(is_same(p->msg.prev_id, "prev"));
    assert_true(p->msg.has_id && p->msg.has_prev_id && p->msg.no_seq);
    assert_true(is_same(p->item.meta[0].name, "name") && is_same(p->item.meta[0].value, "value"));
    assert_true(is_same(f->content, "body") && is_same(f->reason, "reason"));
    assert_true(is_same(f->fields[0].name, "X-A") && is_same(f->fields[0].value, "b"));
    publication_unref(p);
}

TEST(its_weight_is_what_it_takes)
{
    struct grip_item item = {.channel = SLICE("c")};
    struct publication *p = publication_new(&item), *more;

    item.formats[GRIP_HTTP_STREAM] = (struct grip_format){.has = true, .content = SLICE("12345")};
    more = publication_new(&item);
    assert_int_equal(p->msg.weight, sizeof(struct publication) + 1);
    assert_int_equal(more->msg.weight, p->msg.weight + 5);
    publication_unref(p);
    publication_unref(more);
    publication_unref(NULL);
}

TEST(one_that_sends_nothing_passes_by_the_history)
{
    static const struct {
        enum grip_action action;
        bool has, passing;
    } cases[] = {{GRIP_SEND, true, false},
                 {GRIP_SEND, false, true},
                 {GRIP_HINT, true, true},
                 {GRIP_CLOSE, true, true}};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct grip_item item = {
            .formats[GRIP_HTTP_STREAM] = {.has = cases[i].has, .action = cases[i].action}};
        struct publication *p = publication_new(&item);

        assert_int_equal(p->msg.passing, cases[i].passing);
        publication_unref(p);
    }
}

TEST(content_is_encoded_once)
{
    const struct grip_item item = {
        .formats[GRIP_HTTP_STREAM] = {.has = true, .content = SLICE("stream")},
        .formats[GRIP_WS_MESSAGE] = {
            .has = true, .content = SLICE("socket"), .type = GRIP_WS_BINARY}};
    struct publication *p = publication_new(&item);
    struct blob *kept = blob_ref(publication_stream(p));

    assert_ptr_equal(publication_stream(p), kept);
    assert_true(is_same(p->ws.bytes, "socket") && p->ws.binary);
    publication_unref(publication_ref(p));
    publication_unref(p);
    assert_true(is_same(blob_slice(kept), "stream")); /* outlives it */
    blob_unref(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_a_copy_with_everything_in_it),
        cmocka_unit_test(its_weight_is_what_it_takes),
        cmocka_unit_test(one_that_sends_nothing_passes_by_the_history),
        cmocka_unit_test(content_is_encoded_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "edge/origin_jsonp.h"

#include "edge/edge.h"
#include "lib/test.h"

static const struct app_origin_route extended = {.jsonp_mode = APP_JSONP_EXTENDED,
                                                 .jsonp_cb = "callback",
                                                 .jsonp_body = "_body",
                                                 .jsonp_defmethod = "GET"};
static const struct app_origin_route basic = {.jsonp_mode = APP_JSONP_BASIC,
                                              .jsonp_cb = "cb",
                                              .jsonp_body = "b",
                                              .jsonp_defcb = "preset",
                                              .jsonp_defmethod = "POST"};
static const struct exchange_field client[] = {{SLICE("Host"), SLICE("a")},
                                               {SLICE("X-A"), SLICE("theirs")}};

static int read(const struct app_origin_route *r, const char *path, struct origin_jsonp *ret)
{
    return origin_jsonp_read(r,
                             &(struct exchange_request){.method = SLICE("GET"),
                                                        .path = slice_str(path),
                                                        .fields = client,
                                                        .n_fields = COUNT_OF(client)},
                             ret);
}

/* "METHOD PATH callback body field=value…", or the error. */
static void expect(const struct app_origin_route *r, const char *path, const char *what)
{
    struct buf text = {.max = 1024};
    struct origin_jsonp j;
    const int e = read(r, path, &j);

    if (e <= 0) {
        (void)buf_addf(&text, "%s", e ? err_label(e) : "no");
    } else {
        (void)buf_addf(&text, "%.*s %.*s %.*s %.*s", SLICE_FMT(j.request.method),
                       SLICE_FMT(j.request.path), SLICE_FMT(j.callback), SLICE_FMT(j.content));
        for (size_t i = 0; i < j.request.n_fields; i++)
            (void)buf_addf(&text, " %.*s=%.*s", SLICE_FMT(j.request.fields[i].name),
                           SLICE_FMT(j.request.fields[i].value));
        origin_jsonp_done(&j);
    }
    (void)buf_add_byte(&text, 0);
    assert_string_equal((const char *)text.p, what);
    buf_done(&text);
}

TEST(a_query_without_a_callback_is_no_jsonp)
{
    expect(&extended, "/p", "no");
    expect(&extended, "/p?", "no");
    expect(&extended, "/p?callbac=x&_method=PUT", "no");
}

TEST(a_query_says_the_whole_request)
{
    expect(&extended, "/p?callback=cb", "GET /p cb  Host=a X-A=theirs");
    expect(&extended, "/p?a=1&callback=x.y[0]&b=%26&_method=PUT&_body=hi%20there+you",
           "PUT /p?a=1&b=%26 x.y[0] hi there you Host=a X-A=theirs");
    expect(&extended, "/p?callback=c&_headers=%7B%22x-a%22:%22ours%22,%22X-B%22:%22%22%7D",
           "GET /p c  x-a=ours X-B= Host=a");
    expect(&basic, "/p?b=body&_method=PUT", "POST /p?_method=PUT preset body Host=a X-A=theirs");
    expect(&basic, "/p", "POST /p preset  Host=a X-A=theirs");
}

TEST(malformed_queries_are_refused)
{
    static const char *const bad[] = {
        "/?callback=",
        "/?callback=a(b)",
        "/?callback=a;b",
        "/?callback=%3Cscript%3E",
        "/?callback=a&_headers=x",
        "/?callback=a&_headers=[]",
        "/?callback=a&_headers=%7B%22a%22:1%7D",
        "/?callback=a&_headers=%7B%22a%20b%22:%22%22%7D",
        "/?callback=a&_headers=%7B%22a%22:%22x%5Cny%22%7D",
        "/?callback=a&_method=a%20b",
        "/?callback=a%00b",
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        expect(&extended, bad[i], "syntax");
}

TEST(percent_signs_without_digits_stay)
{
    expect(&extended, "/?callback=a&_body=%", "GET / a % Host=a X-A=theirs");
    expect(&extended, "/?callback=a&_body=%4", "GET / a %4 Host=a X-A=theirs");
    expect(&extended, "/?callback=a&_body=%zz%41", "GET / a %zzA Host=a X-A=theirs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_without_a_callback_is_no_jsonp),
        cmocka_unit_test(a_query_says_the_whole_request),
        cmocka_unit_test(malformed_queries_are_refused),
        cmocka_unit_test(percent_signs_without_digits_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

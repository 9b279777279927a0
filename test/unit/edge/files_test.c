#include "edge/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lab.h"

static struct lab lab;
static struct fake worker;
static struct peer client;
static char dir[] = "/tmp/holdfast-files-XXXXXX";
static const char *const *worker_first;

static void write_file(const char *name, const char *text)
{
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

static void make_folder(const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int make_site(void **state)
{
    char link[256];

    assert_non_null(mkdtemp(dir));
    write_file("index.html", "<h1>home</h1>");
    write_file("about.html", "about");
    write_file("app.js", "let x = 1;");
    write_file("app.js.br", "BR");
    write_file("app.js.gz", "GZ");
    write_file("icon.svg", "<svg/>");
    write_file("404.html", "lost");
    write_file(".env", "secret");
    write_file("empty.txt", "");
    make_folder("docs");
    write_file("docs/index.html", "docs");
    write_file("docs/404.html", "no such page of the docs");
    make_folder(".well-known");
    write_file(".well-known/x.txt", "known");
    (void)snprintf(link, sizeof(link), "%s/link.txt", dir);
    assert_int_equal(symlink("/etc/hostname", link), 0);
    return 0;
}

static int remove_site(void **state)
{
    char command[256];

    (void)snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

static void open_site(enum app_html html, enum app_not_found not_found, bool has_worker)
{
    const struct app_config app = {
        .name = "site",
        .script = has_worker ? SLICE("x") : SLICE_NONE,
        .worker_path = "/nowhere",
        .assets = {.dir = dir,
                   .html = html,
                   .not_found = not_found,
                   .worker_first_paths = worker_first},
    };

    lab_open_with(&lab, &app, 1);
}

static int setup(void **state)
{
    worker_first = NULL;
    open_site(APP_HTML_AUTO, APP_NOT_FOUND_NONE, true);
    fake_serve(&lab, &worker);
    return 0;
}

static int teardown(void **state)
{
    if (lab.app->bearer)
        fake_die(&lab, &worker, 0, 0, 0);
    lab_close(&lab);
    return 0;
}

/* Starts again with other settings, without a process. */
static void reopen(enum app_html html, enum app_not_found not_found, bool has_worker)
{
    (void)teardown(NULL);
    open_site(html, not_found, has_worker);
}

/* What a request is answered with: whole, with its head. */
static void ask(const char *method, const char *target, const char *fields)
{
    char text[1024];
    const int n =
        snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, target, fields);

    client_open(&lab, &client);
    peer_say(&client, slice_make(text, (size_t)n));
}

static void get(const char *target)
{
    ask("GET", target, "");
}

static void expect(const char *part)
{
    if (!client_heard(&client, part))
        fail_msg("\"%s\" is not in\n%.*s", part, SLICE_FMT(peer_heard(&client)));
}

static void done(void)
{
    peer_close(&client);
}

static void expect_file(const char *target, const char *body)
{
    char end[128];

    (void)snprintf(end, sizeof(end), "\r\n\r\n%s", body);
    get(target);
    expect("HTTP/1.1 200 OK");
    expect(end);
    done();
}

static void expect_redirect(const char *target, const char *to)
{
    char line[128];

    (void)snprintf(line, sizeof(line), "Location: %s\r\n", to);
    get(target);
    expect("HTTP/1.1 307 ");
    expect(line);
    done();
}

static void expect_worker(const char *target)
{
    get(target);
    assert_int_equal(lab.app->events.n, 1);
    assert_int_equal(peer_heard(&client).n, 0);
    client_cut(&client);
    done();
    peer_forget(&worker.pipe);
    fake_ack(&worker, lab.app->last_sent, 1);
}

TEST(pages_live_where_wrangler_puts_them)
{
    expect_file("/", "<h1>home</h1>");
    expect_file("/about", "about");
    expect_redirect("/about.html", "/about");
    expect_redirect("/about/?a=b", "/about?a=b");
    expect_file("/docs/", "docs");
    expect_redirect("/docs", "/docs/");
    expect_redirect("/docs/index.html", "/docs/");
    expect_redirect("/docs/index", "/docs/");
    expect_redirect("/index.html", "/");
    expect_file("http://h/about?x", "about");
    expect_file("/%61bout", "about");
}

TEST(pages_may_all_have_a_slash_or_none)
{
    reopen(APP_HTML_FORCE_SLASH, APP_NOT_FOUND_NONE, false);
    expect_redirect("/about", "/about/");
    expect_file("/about/", "about");
    expect_file("/docs/", "docs");
    reopen(APP_HTML_DROP_SLASH, APP_NOT_FOUND_NONE, false);
    expect_file("/about", "about");
    expect_file("/docs", "docs");
    expect_redirect("/docs/", "/docs");
    expect_file("/", "<h1>home</h1>");
    reopen(APP_HTML_NONE, APP_NOT_FOUND_NONE, false);
    expect_file("/about.html", "about");
    get("/about");
    expect("HTTP/1.1 404 ");
    done();
}

TEST(what_is_no_file_is_the_workers)
{
    expect_worker("/api");
    expect_worker("/docs/nothing");
    ask("POST", "/about", "Content-Length: 0\r\n");
    assert_int_equal(lab.app->events.n, 1);
    client_cut(&client);
    done();
}

TEST(nothing_hidden_or_outside_is_served)
{
    const char *const paths[] = {
        "/.env",     "/../etc/passwd", "/%2e%2e/etc/passwd", "/docs/..%2f..%2f..%2fetc/passwd",
        "/link.txt", "//about",        "/about%00",          "/docs//index.html"};

    reopen(APP_HTML_AUTO, APP_NOT_FOUND_NONE, false);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        get(paths[i]);
        expect("HTTP/1.1 404 ");
        done();
    }
    expect_file("/.well-known/x.txt", "known");
}

TEST(types_follow_the_extension)
{
    get("/app.js");
    expect("Content-Type: text/javascript; charset=utf-8\r\n");
    done();
    get("/icon.svg");
    expect("Content-Type: image/svg+xml\r\n");
    done();
}

TEST(a_file_that_is_known_is_not_sent_again)
{
    char field[128];
    struct slice heard;
    ptrdiff_t at;

    get("/about");
    heard = peer_heard(&client);
    at = slice_find_slice(heard, SLICE("ETag: "));
    heard = slice_sub(heard, (size_t)at + 6, SIZE_MAX);
    (void)snprintf(field, sizeof(field), "If-None-Match: \"x\", W/%.*s\r\n",
                   (int)slice_find(heard, '\r'), heard.p);
    done();
    ask("GET", "/about", field);
    expect("HTTP/1.1 304 ");
    done();
    ask("GET", "/about", "If-None-Match: \"x\"\r\n");
    expect("HTTP/1.1 200 ");
    done();
}

static void expect_range(const char *range, const char *status, const char *part)
{
    char field[128];

    (void)snprintf(field, sizeof(field), "Range: %s\r\n", range);
    ask("GET", "/app.js", field);
    expect(status);
    expect(part);
    done();
}

TEST(a_range_is_served)
{
    expect_range("bytes=4-4", "HTTP/1.1 206 ", "Content-Range: bytes 4-4/10\r\n");
    expect_range("bytes=4-4", "HTTP/1.1 206 ", "\r\n\r\nx");
    expect_range("bytes=4-", "HTTP/1.1 206 ", "\r\n\r\nx = 1;");
    expect_range("bytes=-3", "HTTP/1.1 206 ", "\r\n\r\n 1;");
    expect_range("bytes=8-100", "HTTP/1.1 206 ", "\r\n\r\n1;");
    expect_range("bytes=10-", "HTTP/1.1 416 ", "Content-Range: bytes */10\r\n");
    expect_range("bytes=0-1,3-4", "HTTP/1.1 200 ", "let x = 1;");
    expect_range("bytes=5-4", "HTTP/1.1 200 ", "let x = 1;");
    expect_range("lines=1", "HTTP/1.1 200 ", "let x = 1;");
    ask("GET", "/app.js", "Range: bytes=4-4\r\nIf-Range: \"other\"\r\n");
    expect("HTTP/1.1 200 ");
    done();
}

TEST(a_compressed_form_is_chosen_when_it_is_accepted)
{
    ask("GET", "/app.js", "Accept-Encoding: gzip, br\r\n");
    expect("Content-Encoding: br\r\n");
    expect("\r\n\r\nBR");
    expect("Content-Type: text/javascript");
    done();
    ask("GET", "/app.js", "Accept-Encoding: br;q=0, gzip;q=0.5\r\n");
    expect("\r\n\r\nGZ");
    done();
    ask("GET", "/app.js", "Accept-Encoding: br;q=0.000, gzip;q=0.50\r\n");
    expect("\r\n\r\nGZ");
    done();
    ask("GET", "/app.js", "Accept-Encoding: deflate\r\n");
    expect("\r\n\r\nlet x");
    done();
}

TEST(head_has_no_body_and_an_empty_file_neither)
{
    ask("HEAD", "/about", "");
    expect("Content-Length: 5\r\n");
    assert_false(client_heard(&client, "\r\n\r\nabout"));
    done();
    get("/empty.txt");
    expect("HTTP/1.1 200 ");
    expect("Content-Length: 0\r\n");
    done();
}

TEST(a_missing_page_is_explained_by_the_nearest_404)
{
    reopen(APP_HTML_AUTO, APP_NOT_FOUND_404_PAGE, false);
    get("/nothing/here");
    expect("HTTP/1.1 404 ");
    expect("\r\n\r\nlost");
    done();
    get("/docs/x");
    expect("\r\n\r\nno such page of the docs");
    done();
    reopen(APP_HTML_AUTO, APP_NOT_FOUND_SPA, true);
    fake_serve(&lab, &worker);
    ask("GET", "/route", "Sec-Fetch-Mode: navigate\r\n");
    expect("HTTP/1.1 200 ");
    expect("<h1>home</h1>");
    done();
    expect_worker("/route");
}

TEST(the_worker_may_come_first)
{
    static const char *const patterns[] = {"/docs/*", "!/docs/index*", NULL};

    worker_first = patterns;
    reopen(APP_HTML_AUTO, APP_NOT_FOUND_NONE, true);
    fake_serve(&lab, &worker);
    expect_worker("/docs/");
    expect_redirect("/docs/index.html", "/docs/");
    expect_file("/about", "about");
}

/* With many stars in a pattern, a path costs what it is long. */
TEST(patterns_with_many_stars_are_cheap)
{
    static const char *const patterns[] = {"/*a*a*a*a*a*a*a*a*a*b", "/*.js*", NULL};
    char path[400] = "";

    worker_first = patterns;
    reopen(APP_HTML_AUTO, APP_NOT_FOUND_NONE, true);
    fake_serve(&lab, &worker);
    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    expect_worker(path);
    expect_worker("/app.js");
    expect_worker("/xaaaaaaaaab");
    expect_file("/about", "about");
}

TEST(a_long_file_flows_at_its_readers_pace)
{
    static char big[1 << 20];

    memset(big, 'x', sizeof(big) - 1);
    write_file("big.txt", big);
    client_open(&lab, &client);
    stream_pause(client.stream);
    stream_loopback_limits(client.stream, 0, 1000);
    peer_say(&client, SLICE("GET /big.txt HTTP/1.1\r\nHost: h\r\n\r\n"));
    stream_loopback_limits(client.stream, 0, 0);
    stream_resume(client.stream);
    assert_true(peer_heard(&client).n > sizeof(big));
    done();
    get("/big.txt");
    client_cut(&client);
    done();
}

TEST(an_applications_own_fetch_reaches_its_folder)
{
    SAY(&worker, fetch, IPC_WORKER_EXCHANGE | 1, 0, .service = SLICE("ASSETS"),
        .head = SLICE("GET http://any/about\n"));
    fake_expect(&lab, &worker, "RESPONSE 200\nBODY about\nBODY  end\n");
    SAY(&worker, fetch, IPC_WORKER_EXCHANGE | 2, 0, .service = SLICE("ASSETS"),
        .head = SLICE("GET http://any/nothing\n"));
    fake_expect(&lab, &worker, "RESPONSE 404\nBODY Not Found\nBODY  end\n");
    SAY(&worker, fetch, IPC_WORKER_EXCHANGE | 3, 0, .service = SLICE("OTHER"),
        .head = SLICE("GET http://any/\n"));
    fake_expect(&lab, &worker, "FAIL no such service is configured\n");
    assert_int_equal(worker.link->calls.count, 0);
}

TEST(a_folder_that_is_not_there_is_a_clear_error)
{
    const struct app_assets o = {.dir = "/nowhere/at/all"};
    struct err_note note;

    assert_null(files_open(lab.loop, &o, &note));
    assert_string_equal(note.text, "assets folder /nowhere/at/all: No such file or directory");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(pages_live_where_wrangler_puts_them),
        T(pages_may_all_have_a_slash_or_none),
        T(what_is_no_file_is_the_workers),
        T(nothing_hidden_or_outside_is_served),
        T(types_follow_the_extension),
        T(a_file_that_is_known_is_not_sent_again),
        T(a_range_is_served),
        T(a_compressed_form_is_chosen_when_it_is_accepted),
        T(head_has_no_body_and_an_empty_file_neither),
        T(a_missing_page_is_explained_by_the_nearest_404),
        T(the_worker_may_come_first),
        T(patterns_with_many_stars_are_cheap),
        T(a_long_file_flows_at_its_readers_pace),
        T(an_applications_own_fetch_reaches_its_folder),
        T(a_folder_that_is_not_there_is_a_clear_error),
    };

    return cmocka_run_group_tests(tests, make_site, remove_site);
}

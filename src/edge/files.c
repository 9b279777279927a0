#include "edge/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/enc.h"
#include "edge/files_head.h"
#include "edge/settings.h"
#include "edge/target.h"
#include "io/loop.h"

enum {
    PATH_BYTES = 4096,
    PIECE = 64 << 10,
    AHEAD = 128 << 10, /* what may wait for a client */
};

struct files {
    struct loop *loop;
    int dir;
    struct app_assets set; /* its strings live in `settings` */
    struct settings *settings;
    uint32_t refs; /* the owner's and one for each answer in flight */
};

struct files *files_open(struct loop *l, const struct app_assets *o, struct err_note *note)
{
    const int dir = open(o->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    const struct app_config c = {.assets = *o};
    struct files *f;

    if (dir < 0) {
        (void)err_notef(note, -ERR_CONFIG, "assets folder %s: %s", o->dir, strerror(errno));
        return NULL;
    }
    f = mem_new(sizeof(*f));
    f->loop = l;
    f->dir = dir;
    f->settings = settings_new(&c);
    f->set = f->settings->config.assets;
    f->refs = 1;
    return f;
}

void files_close(struct files *f)
{
    if (!f || --f->refs > 0)
        return;
    (void)close(f->dir);
    settings_free(f->settings);
    mem_free(f);
}

/* --- files below the folder --- */

struct file {
    int fd; /* -1: none */
    uint64_t size;
    struct timespec changed;
};

/* path: "/a/b.css", checked by is_plain_path. Only regular files, never outside the folder. */
static bool open_file(const struct files *f, const char *path, struct file *ret)
{
    struct open_how how = {
        .flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    const int fd = (int)syscall(SYS_openat2, f->dir, path + 1, &how, sizeof(how));
    struct stat st;

    if (fd < 0)
        return false;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return false;
    }
    *ret = (struct file){.fd = fd, .size = (uint64_t)st.st_size, .changed = st.st_mtim};
    return true;
}

/* Names that are never served: hidden ones (but RFC 8615's), and wrangler's own at the top. */
static bool is_served(struct slice name, bool is_top)
{
    if (name.n == 0 || (name.p[0] == '.' && !slice_eq(name, SLICE(".well-known"))))
        return false;
    return !is_top || (!slice_eq(name, SLICE("_headers")) && !slice_eq(name, SLICE("_redirects")));
}

/* Whole segments that are served; no NUL. */
static bool is_plain_path(struct slice path)
{
    struct slice rest = path, part;

    if (path.n == 0 || path.p[0] != '/' || path.n >= PATH_BYTES - 64 || slice_find(path, '\0') >= 0)
        return false;
    (void)slice_take(&rest, 1);
    while (slice_split(&rest, '/', &part))
        if (!is_served(part, part.p == path.p + 1))
            return false;
    return true;
}

/* --- what a path means --- */

/* The outcome of looking a path up: a file (name says which), a redirect to `name`, or nothing. */
struct found {
    enum { FOUND_NOTHING, FOUND_FILE, FOUND_ELSEWHERE } what;
    struct file file;
    char name[PATH_BYTES];
};

static bool try_file(const struct files *f, struct found *r, struct slice stem, const char *suffix)
{
    const int n = snprintf(r->name, sizeof(r->name), "%.*s%s", SLICE_FMT(stem), suffix);

    if (n <= 1 || (size_t)n >= sizeof(r->name) || r->name[n - 1] == '/' ||
        !is_plain_path(slice_str(r->name)) || !open_file(f, r->name, &r->file))
        return false;
    r->what = FOUND_FILE;
    return true;
}

static struct slice cut(struct slice s, size_t n)
{
    return slice_sub(s, 0, s.n - n);
}

/* Where a page lives: /stem or /stem/, by the folder's rule. */
static bool wants_slash(enum app_html html, bool is_folder)
{
    return html == APP_HTML_FORCE_SLASH || (html == APP_HTML_AUTO && is_folder);
}

static void page(const struct files *f, struct found *r, struct slice path, struct slice stem,
                 bool is_folder)
{
    const bool slash = wants_slash(f->set.html, is_folder) || stem.n == 0;
    const struct slice home_end = slash ? SLICE("/") : SLICE("");

    if (path.n == stem.n + home_end.n && slice_starts(path, stem) && slice_ends(path, home_end))
        return;
    (void)close(r->file.fd);
    r->what = FOUND_ELSEWHERE;
    (void)snprintf(r->name, sizeof(r->name), "%.*s%s", SLICE_FMT(stem), slash ? "/" : "");
}

static void look_up(const struct files *f, struct slice path, struct found *r)
{
    struct slice stem = path;
    bool folder_first = true;

    r->what = FOUND_NOTHING;
    if (!is_plain_path(path))
        return;
    if (!slice_ends(path, SLICE("/")) &&
        (f->set.html == APP_HTML_NONE || !slice_ends(path, SLICE(".html"))) &&
        try_file(f, r, path, ""))
        return;
    if (f->set.html == APP_HTML_NONE)
        return;
    if (slice_ends(path, SLICE("/index.html")))
        stem = cut(path, 11);
    else if (slice_ends(path, SLICE("/index")))
        stem = cut(path, 6);
    else if (slice_ends(path, SLICE("/")))
        stem = cut(path, 1);
    else
        folder_first = false;
    if (slice_ends(stem, SLICE(".html")) && !folder_first)
        stem = cut(stem, 5);
    if (folder_first && try_file(f, r, stem, "/index.html"))
        page(f, r, path, stem, true);
    else if (try_file(f, r, stem, ".html"))
        page(f, r, path, stem, false);
    else if (!folder_first && try_file(f, r, stem, "/index.html"))
        page(f, r, path, stem, true);
}

/* The 404.html nearest above the path. */
static bool find_404(const struct files *f, struct slice path, struct found *r)
{
    while (path.n) {
        while (path.n && path.p[path.n - 1] != '/')
            path.n--;
        if (path.n && try_file(f, r, cut(path, 1), "/404.html"))
            return true;
        if (path.n)
            path.n--;
    }
    return false;
}

/* --- run_worker_first --- */

/* `*` stands for any characters: what stands behind the last one seen is tried further and further
 * to the right. */
static bool glob(struct slice pattern, struct slice s)
{
    size_t p = 0, at = 0, star = SIZE_MAX, tried = 0;

    while (at < s.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = ++p;
            tried = at;
        } else if (p < pattern.n && pattern.p[p] == s.p[at]) {
            p++;
            at++;
        } else if (star != SIZE_MAX) {
            p = star;
            at = ++tried;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool is_workers_first(const struct files *f, struct slice path)
{
    const char *const *p = f->set.worker_first_paths;
    bool yes = f->set.worker_first;

    for (; p && *p; p++) {
        if (**p == '!' && glob(slice_str(*p + 1), path))
            return false;
        yes = yes || (**p != '!' && glob(slice_str(*p), path));
    }
    return yes;
}

/* --- an answer --- */

struct answer {
    struct files *files;
    struct reply reply;
    int fd;
    uint64_t at;
    uint64_t left;
};

static void answer_free(struct answer *a)
{
    (void)close(a->fd);
    files_close(a->files);
    mem_free(a);
}

/* Sends as much as may wait. A file that became shorter meanwhile cuts the response. */
static void go_on(struct answer *a)
{
    const struct reply reply = a->reply;
    uint8_t piece[PIECE];
    bool ok = true;

    while (ok && a->left && reply_pending(reply) < AHEAD) {
        const ssize_t n = pread(a->fd, piece, MIN(a->left, (uint64_t)PIECE), (off_t)a->at);

        ok = n > 0 && reply_send(reply, slice_make(piece, (size_t)n)) == 0;
        if (ok) {
            a->at += (uint64_t)n;
            a->left -= (uint64_t)n;
        }
    }
    if (ok && a->left)
        return;
    answer_free(a);
    if (ok)
        reply_end(reply);
    else
        reply_abort(reply);
}

static void on_taken(void *arg, size_t n)
{
    struct answer *a = arg;

    if (reply_pending(a->reply) < AHEAD)
        go_on(a);
}

static void on_closed(void *arg, int err)
{
    answer_free(arg);
}

static const struct exchange_ops facts = {.taken = on_taken, .closed = on_closed};

/* Sends [at, at + n) of the file; the head was sent. Takes fd. */
static void stream(struct files *f, struct reply reply, int take_fd, uint64_t at, uint64_t n)
{
    struct answer *a = mem_new(sizeof(*a));

    f->refs++;
    *a = (struct answer){.files = f, .reply = reply, .fd = take_fd, .at = at, .left = n};
    reply_attach(reply, &facts, a);
    go_on(a);
}

/* --- what is sent --- */

/* A smaller form beside the file, made ahead of time. Replaces *file. */
static const char *choose_coding(const struct files *f, const struct exchange_request *rq,
                                 const char *name, struct file *file)
{
    static const struct {
        const char *coding;
        const char *suffix;
    } forms[] = {{"br", ".br"}, {"gzip", ".gz"}};
    const struct slice accept = files_head_find(rq, SLICE("Accept-Encoding"));

    for (size_t i = 0; accept.n && i < COUNT_OF(forms); i++) {
        char path[PATH_BYTES];
        struct file smaller;

        if (!files_head_accepts(accept, slice_str(forms[i].coding)) ||
            (size_t)snprintf(path, sizeof(path), "%s%s", name, forms[i].suffix) >= sizeof(path) ||
            !open_file(f, path, &smaller))
            continue;
        (void)close(file->fd);
        *file = smaller;
        return forms[i].coding;
    }
    return NULL;
}

static void send_file(struct files *f, const struct exchange_request *rq, struct reply reply,
                      struct found *r, uint16_t status)
{
    const bool is_head = slice_eq(rq->method, SLICE("HEAD"));
    struct files_head h = {.status = status};
    struct exchange_response response;
    struct buf fields;

    if (files_head_find(rq, SLICE("Range")).n == 0)
        h.coding = choose_coding(f, rq, r->name, &r->file);
    h.size = r->file.size;
    h.changed = r->file.changed;
    files_head_decide(&h, rq);
    buf_init(&fields, 2048);
    files_head_put(&h, r->name, &fields);
    response = (struct exchange_response){.status = h.status, .fields = buf_slice(&fields)};
    if (h.status == 200 || h.status == 206 || h.status == 404) {
        response.body = h.n ? EXCHANGE_BODY_LENGTH : EXCHANGE_BODY_NONE;
        response.length = h.n;
    }
    if (reply_respond(reply, &response) < 0) {
        (void)close(r->file.fd);
        reply_abort(reply);
    } else if (response.body == EXCHANGE_BODY_LENGTH && !is_head) {
        stream(f, reply, r->file.fd, h.at, h.n);
    } else {
        (void)close(r->file.fd);
        reply_end(reply);
    }
    buf_done(&fields);
}

static void send_redirect(struct reply reply, const char *name, struct slice query)
{
    struct buf fields;

    buf_init(&fields, 64 << 10);
    (void)buf_add(&fields, SLICE("Location: "));
    (void)enc_percent(&fields, slice_str(name), "/");
    (void)buf_add(&fields, query);
    (void)buf_add_byte(&fields, '\n');
    reply_answer(reply, 307, buf_slice(&fields), SLICE_NONE);
    buf_done(&fields);
}

/* --- serving --- */

/* The target's path, decoded, and the query with its "?". */
static int take_path(struct slice target, struct buf *path, struct slice *ret_query)
{
    struct slice raw = target_path(target);
    ptrdiff_t at;

    if ((at = slice_find(raw, '#')) >= 0)
        raw = slice_sub(raw, 0, (size_t)at);
    at = slice_find(raw, '?');
    *ret_query = at < 0 ? SLICE_NONE : slice_sub(raw, (size_t)at, SIZE_MAX);
    return enc_percent_decode(path, at < 0 ? raw : slice_sub(raw, 0, (size_t)at));
}

/* A page that a person navigates to, and that is not there, is the folder's to explain. */
static bool is_folders_404(const struct files *f, const struct exchange_request *rq,
                           enum files_asker asker)
{
    return f->set.not_found != APP_NOT_FOUND_NONE &&
           (asker == FILES_FETCH ||
            slice_eq_nocase(files_head_find(rq, SLICE("Sec-Fetch-Mode")), SLICE("navigate")));
}

static bool serve_missing(struct files *f, const struct exchange_request *rq, struct reply reply,
                          struct slice path, struct found *r, enum files_asker asker)
{
    if (is_folders_404(f, rq, asker)) {
        if (f->set.not_found == APP_NOT_FOUND_SPA && try_file(f, r, SLICE(""), "/index.html")) {
            send_file(f, rq, reply, r, 200);
            return true;
        }
        if (f->set.not_found == APP_NOT_FOUND_404_PAGE && find_404(f, path, r)) {
            send_file(f, rq, reply, r, 404);
            return true;
        }
    }
    if (asker == FILES_FETCH)
        reply_text(reply, 404, SLICE("Not Found"));
    return asker == FILES_FETCH;
}

static bool is_get(struct slice method)
{
    return slice_eq(method, SLICE("GET")) || slice_eq(method, SLICE("HEAD"));
}

static bool serve(struct files *f, const struct exchange_request *rq, struct reply reply,
                  struct slice path, struct slice query, enum files_asker asker)
{
    struct found r;

    look_up(f, path, &r);
    if (r.what == FOUND_NOTHING)
        return serve_missing(f, rq, reply, path, &r, asker);
    if (r.what == FOUND_ELSEWHERE)
        send_redirect(reply, r.name, query);
    else
        send_file(f, rq, reply, &r, 200);
    return true;
}

bool files_serve(struct files *f, const struct exchange_request *request, struct reply reply,
                 enum files_asker asker)
{
    struct slice query;
    struct buf path;
    bool taken;

    if (!is_get(request->method)) {
        if (asker == FILES_FETCH)
            reply_answer(reply, 405, SLICE("Allow: GET, HEAD\n"), SLICE_NONE);
        return asker == FILES_FETCH;
    }
    buf_init(&path, PATH_BYTES);
    if (take_path(request->target, &path, &query) < 0 ||
        (asker == FILES_CLIENT && is_workers_first(f, buf_slice(&path)))) {
        taken = asker == FILES_FETCH;
        if (taken)
            reply_text(reply, 400, slice_str(err_text(ERR_SYNTAX)));
    } else {
        taken = serve(f, request, reply, buf_slice(&path), query, asker);
    }
    buf_done(&path);
    return taken;
}

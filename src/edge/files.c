#include "edge/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/enc.h"
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

/* `*` stands for any characters. */
static bool glob(const char *p, struct slice s)
{
    for (; *p && *p != '*'; p++) {
        if (s.n == 0 || s.p[0] != (uint8_t)*p)
            return false;
        (void)slice_take(&s, 1);
    }
    if (!*p)
        return s.n == 0;
    while (*p == '*')
        p++;
    if (!*p)
        return true;
    for (size_t i = 0; i <= s.n; i++)
        if (glob(p, slice_sub(s, i, SIZE_MAX)))
            return true;
    return false;
}

static bool is_workers_first(const struct files *f, struct slice path)
{
    const char *const *p = f->set.worker_first_paths;
    bool yes = f->set.worker_first;

    for (; p && *p; p++) {
        if (**p == '!' && glob(*p + 1, path))
            return false;
        yes = yes || (**p != '!' && glob(*p, path));
    }
    return yes;
}

/* --- headers --- */

static const struct {
    const char *extension;
    const char *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".txt", "text/plain; charset=utf-8"},
    {".md", "text/markdown; charset=utf-8"},
    {".csv", "text/csv; charset=utf-8"},
    {".xml", "application/xml"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".avif", "image/avif"},
    {".ico", "image/vnd.microsoft.icon"},
    {".bmp", "image/bmp"},
    {".woff", "font/woff"},
    {".woff2", "font/woff2"},
    {".ttf", "font/ttf"},
    {".otf", "font/otf"},
    {".mp3", "audio/mpeg"},
    {".ogg", "audio/ogg"},
    {".wav", "audio/wav"},
    {".mp4", "video/mp4"},
    {".webm", "video/webm"},
    {".pdf", "application/pdf"},
    {".zip", "application/zip"},
    {".gz", "application/gzip"},
    {".wasm", "application/wasm"},
};

static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < COUNT_OF(types); i++)
        if (slice_eq_nocase(slice_str(dot), slice_str(types[i].extension)))
            return types[i].type;
    return "application/octet-stream";
}

static struct slice header(const struct exchange_request *rq, struct slice name)
{
    for (size_t i = 0; i < rq->n_fields; i++)
        if (slice_eq_nocase(rq->fields[i].name, name))
            return rq->fields[i].value;
    return SLICE_NONE;
}

/* RFC 9110 12.5.3, as far as it decides between what we have: named and not refused with q=0. */
static bool accepts(struct slice value, struct slice coding)
{
    struct slice item, name;

    while (slice_split(&value, ',', &item)) {
        if (!slice_split(&item, ';', &name) || !slice_eq_nocase(slice_trim(name), coding))
            continue;
        item = slice_trim(item);
        return !slice_starts(item, SLICE("q=0")) || slice_find(item, '1') > 0 ||
               (item.n > 4 && slice_find(slice_sub(item, 4, SIZE_MAX), '.') < 0 &&
                item.p[item.n - 1] != '0');
    }
    return false;
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

/* --- conditions and ranges (RFC 9110 13, 14) --- */

struct head {
    const struct exchange_request *request;
    struct file *file;
    char etag[48];
    char date[40];
    const char *coding; /* "br", "gzip" or NULL */
    uint16_t status;
    uint64_t at;
    uint64_t n;
};

static void set_validators(struct head *h)
{
    struct tm tm;

    (void)snprintf(h->etag, sizeof(h->etag), "\"%llx-%llx%s%s\"", (unsigned long long)h->file->size,
                   (unsigned long long)h->file->changed.tv_sec * 1000000000ull +
                       (unsigned long long)h->file->changed.tv_nsec,
                   h->coding ? "-" : "", h->coding ? h->coding : "");
    (void)gmtime_r(&h->file->changed.tv_sec, &tm);
    (void)strftime(h->date, sizeof(h->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static bool names_etag(struct slice list, const char *etag)
{
    struct slice item;

    while (slice_split(&list, ',', &item)) {
        item = slice_trim(item);
        if (slice_starts(item, SLICE("W/")))
            (void)slice_take(&item, 2);
        if (slice_eq(item, SLICE("*")) || slice_eq(item, slice_str(etag)))
            return true;
    }
    return false;
}

/* 13.2.2: If-None-Match decides, without it If-Modified-Since (equal to what we said). */
static bool is_unchanged(const struct head *h)
{
    const struct slice none_match = header(h->request, SLICE("If-None-Match"));

    if (none_match.n)
        return names_etag(none_match, h->etag);
    return slice_eq(header(h->request, SLICE("If-Modified-Since")), slice_str(h->date));
}

/* "a-b", "a-" or "-n" within size. 1: yes, 0: not a range we serve, -ERR_SYNTAX: beyond the end. */
static int parse_range(struct slice s, uint64_t size, uint64_t *ret_at, uint64_t *ret_n)
{
    uint64_t first, last = UINT64_MAX;
    struct slice from;

    if (slice_find(s, ',') >= 0 || slice_find(s, '-') < 0)
        return 0;
    (void)slice_split(&s, '-', &from);
    if (from.n == 0) {
        if (slice_u64(s, UINT64_MAX, &last) < 0)
            return 0;
        *ret_n = MIN(last, size);
        *ret_at = size - *ret_n;
        return *ret_n ? 1 : -ERR_SYNTAX;
    }
    if (slice_u64(from, UINT64_MAX, &first) < 0 || (s.n && slice_u64(s, UINT64_MAX, &last) < 0) ||
        last < first)
        return 0;
    if (first >= size)
        return -ERR_SYNTAX;
    *ret_at = first;
    *ret_n = MIN(last, size - 1) - first + 1;
    return 1;
}

static void apply_range(struct head *h)
{
    const struct slice range = header(h->request, SLICE("Range"));
    const struct slice if_range = header(h->request, SLICE("If-Range"));
    int r;

    if (!slice_starts(range, SLICE("bytes=")) || h->status != 200 || h->coding)
        return;
    if (if_range.n && !slice_eq(if_range, slice_str(h->etag)) &&
        !slice_eq(if_range, slice_str(h->date)))
        return;
    r = parse_range(slice_trim(slice_sub(range, 6, SIZE_MAX)), h->file->size, &h->at, &h->n);
    if (r)
        h->status = r > 0 ? 206 : 416;
}

static void put_fields(struct buf *b, const struct head *h, const char *name)
{
    (void)buf_addf(b, "Content-Type: %s\nETag: %s\nLast-Modified: %s\n", type_of(name), h->etag,
                   h->date);
    (void)buf_addf(b, "Cache-Control: public, max-age=0, must-revalidate\nAccept-Ranges: bytes\n");
    if (h->coding)
        (void)buf_addf(b, "Content-Encoding: %s\nVary: Accept-Encoding\n", h->coding);
    if (h->status == 206)
        (void)buf_addf(b, "Content-Range: bytes %llu-%llu/%llu\n", (unsigned long long)h->at,
                       (unsigned long long)(h->at + h->n - 1), (unsigned long long)h->file->size);
    if (h->status == 416)
        (void)buf_addf(b, "Content-Range: bytes */%llu\n", (unsigned long long)h->file->size);
}

/* A smaller form beside the file, made ahead of time. Replaces *file. */
static const char *choose_coding(const struct files *f, const struct exchange_request *rq,
                                 const char *name, struct file *file)
{
    static const struct {
        const char *coding;
        const char *suffix;
    } forms[] = {{"br", ".br"}, {"gzip", ".gz"}};
    const struct slice accept = header(rq, SLICE("Accept-Encoding"));

    for (size_t i = 0; accept.n && i < COUNT_OF(forms); i++) {
        char path[PATH_BYTES];
        struct file smaller;

        if (!accepts(accept, slice_str(forms[i].coding)) ||
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
    struct head h = {.request = rq, .file = &r->file, .status = status};
    struct exchange_response response;
    struct buf fields;

    if (header(rq, SLICE("Range")).n == 0)
        h.coding = choose_coding(f, rq, r->name, &r->file);
    h.n = r->file.size;
    set_validators(&h);
    if (status == 200 && is_unchanged(&h))
        h.status = 304;
    apply_range(&h);
    buf_init(&fields, 2048);
    put_fields(&fields, &h, r->name);
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

static void send_redirect(const struct exchange_request *rq, struct reply reply, const char *name,
                          struct slice query)
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
            slice_eq_nocase(header(rq, SLICE("Sec-Fetch-Mode")), SLICE("navigate")));
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
        send_redirect(rq, reply, r.name, query);
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

#include "app/gateway_publish.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdlib.h>
#include <zmq.h>

#include "app/gateway_paths.h"
#include "base/enc.h"
#include "base/utf8.h"
#include "io/loop.h"
#include "wire/jwt.h"

enum { TEXT_MAX = 64 << 20, ANSWER_MAX = 1 << 20, URL_MAX = 8192, TOKEN_S = 3600, ZMQ_MS = 5000 };

static bool is_given(const struct options *o, enum option option)
{
    return options_find(o, option) != NULL;
}

/* --- the item --- */

static int read_text(const struct options *o, struct buf *out, struct err_note *note)
{
    if (!o->text)
        return 0;
    return o->text[0] == '@' ? file_read(o->text + 1, out, note) : buf_add(out, slice_str(o->text));
}

/* {key: text}, or {key-bin: base64} when it is no text. */
static json_t *content_of(const char *key, struct slice text)
{
    CLEANUP(buf_done) struct buf encoded;
    char name[16];

    buf_init(&encoded, TEXT_MAX * 2);
    if (utf8_is_valid(text))
        return json_pack("{s:s%}", key, text.n ? (const char *)text.p : "", text.n);
    (void)enc_base64(&encoded, text, ENC_BASE64);
    (void)snprintf(name, sizeof(name), "%s-bin", key);
    return json_pack("{s:s%}", name, (const char *)encoded.p, encoded.n);
}

/* [[name, value]…] of "NAME: VALUE" texts. */
static int add_headers(const struct options *o, json_t *response, struct err_note *note)
{
    json_t *list = json_array();
    int r = 0;

    for (size_t i = 0; i < o->n && r == 0; i++) {
        struct slice value = slice_str(o->given[i].text), name;

        if (o->given[i].option != OPT_PUB_HEADER)
            continue;
        if (slice_find(value, ':') < 1)
            r = err_notef(note, -ERR_CONFIG, "--header %s: expected NAME:VALUE", o->given[i].text);
        (void)slice_split(&value, ':', &name);
        name = slice_trim(name);
        value = slice_trim(value);
        (void)json_array_append_new(list, json_pack("[s%s%]", name.p, name.n, value.p, value.n));
    }
    if (r == 0 && json_array_size(list) > 0)
        (void)json_object_set(response, "headers", list);
    json_decref(list);
    return r;
}

static int add_meta(const struct options *o, json_t *item, struct err_note *note)
{
    json_t *meta = json_object();
    int r = 0;

    if (is_given(o, OPT_PUB_SENDER))
        (void)json_object_set_new(meta, "sender", json_string(options_find(o, OPT_PUB_SENDER)));
    for (size_t i = 0; i < o->n && r == 0; i++) {
        const char *text = o->given[i].text, *equals = strchr(text, '=');

        if (o->given[i].option != OPT_PUB_META)
            continue;
        if (equals)
            (void)json_object_setn_new(meta, text, (size_t)(equals - text),
                                       json_string(equals + 1));
        else
            r = err_notef(note, -ERR_CONFIG, "--meta %s: expected NAME=VALUE", text);
    }
    if (r == 0 && json_object_size(meta) > 0)
        (void)json_object_set(item, "meta", meta);
    json_decref(meta);
    return r;
}

static json_t *action(const char *name)
{
    return json_pack("{s:s}", "action", name);
}

static int add_patch(json_t *formats, struct slice text, struct err_note *note)
{
    json_t *patch = json_loadb((const char *)text.p, text.n, 0, NULL);

    if (!json_is_array(patch)) {
        json_decref(patch);
        return err_notef(note, -ERR_CONFIG, "--patch: expected a JSON array (RFC 6902)");
    }
    return json_object_set_new(formats, "http-response", json_pack("{s:o}", "body-patch", patch));
}

/* HTTP's readers expect lines. As pushpin-publish does, also behind a line break: that makes the
 * blank line which ends an event of an event stream. */
static int add_contents(const struct options *o, json_t *formats, struct buf *text)
{
    (void)json_object_set_new(formats, "ws-message", content_of("content", buf_slice(text)));
    if (!is_given(o, OPT_PUB_NO_EOL) && utf8_is_valid(buf_slice(text)) &&
        buf_add(text, SLICE("\n")) < 0)
        return -ERR_TOO_LARGE;
    (void)json_object_set_new(formats, "http-response", content_of("body", buf_slice(text)));
    (void)json_object_set_new(formats, "http-stream", content_of("content", buf_slice(text)));
    return 0;
}

static int add_formats(const struct options *o, json_t *formats, struct buf *text,
                       struct err_note *note)
{
    static const char *const all[] = {"http-response", "http-stream", "ws-message"};
    const bool hint = is_given(o, OPT_PUB_HINT);

    if (!hint && !is_given(o, OPT_PUB_CLOSE))
        return is_given(o, OPT_PUB_PATCH) ? add_patch(formats, buf_slice(text), note)
                                          : add_contents(o, formats, text);
    for (size_t i = hint ? 0 : 1; i < COUNT_OF(all); i++)
        (void)json_object_set_new(formats, all[i], action(hint ? "hint" : "close"));
    return 0;
}

static void add_text(const struct options *o, enum option option, json_t *item, const char *key)
{
    if (is_given(o, option))
        (void)json_object_set_new(item, key, json_string(options_find(o, option)));
}

static int fill_item(const struct options *o, json_t *item, struct err_note *note)
{
    CLEANUP(buf_done) struct buf text;
    json_t *formats = json_object(), *response;
    uint64_t code = 200;
    int r;

    buf_init(&text, TEXT_MAX);
    (void)json_object_set_new(item, "channel", json_string(o->path));
    (void)json_object_set_new(item, "formats", formats);
    add_text(o, OPT_PUB_ID, item, "id");
    add_text(o, OPT_PUB_PREV, item, "prev-id");
    if (is_given(o, OPT_PUB_NO_SEQ))
        (void)json_object_set_new(item, "no-seq", json_true());
    if ((r = read_text(o, &text, note)) < 0 || (r = add_formats(o, formats, &text, note)) < 0 ||
        (r = add_meta(o, item, note)) < 0)
        return r;
    response = json_object_get(formats, "http-response");
    if (!o->text || !response)
        return 0;
    (void)slice_u64(slice_str(options_find(o, OPT_PUB_CODE)), 999, &code);
    (void)json_object_set_new(response, "code", json_integer((json_int_t)code));
    return add_headers(o, response, note);
}

/* The item, or with `wrapped` a request's body {"items": [item]}; freed with free(). NULL with a
 * note. */
static char *make_body(const struct options *o, bool wrapped, struct err_note *note)
{
    json_t *item = json_object(), *body = json_pack("{s:[O]}", "items", item);
    char *text = NULL;

    if (fill_item(o, item, note) >= 0 && !(text = json_dumps(wrapped ? body : item, JSON_COMPACT)))
        (void)err_notef(note, -ERR_CONFIG, "the channel, the ids and the meta data must be UTF-8");
    json_decref(item);
    json_decref(body);
    return text;
}

/* --- where it goes --- */

struct target {
    struct buf url; /* without query, "/publish/" at its end */
    struct buf authorization;
    const char *login;
};

/* A parameter of a GRIP URL's query, decoded; false when it is not there. */
static bool find_parameter(struct slice query, struct slice name, struct buf *out)
{
    struct slice pair, key;

    while (slice_split(&query, '&', &pair))
        if (slice_split(&pair, '=', &key) && slice_eq(key, name))
            return enc_percent_decode(out, pair) >= 0;
    return false;
}

static int64_t now_s(void)
{
    struct loop *l = loop_new();
    const int64_t now = loop_wall(l) / 1000;

    loop_free(l);
    return now;
}

/* ?iss=…&key=… makes a token; a key alone is one (as Fastly's is). */
static int authorize(struct slice query, struct target *t, struct err_note *note)
{
    CLEANUP(buf_done) struct buf iss, key;
    struct jwt_key *signer = NULL;
    int r;

    buf_init(&iss, URL_MAX);
    buf_init(&key, URL_MAX);
    if (!find_parameter(query, SLICE("key"), &key))
        return 0;
    (void)buf_add(&t->authorization, SLICE("Authorization: Bearer "));
    if (!find_parameter(query, SLICE("iss"), &iss))
        return buf_add(&t->authorization, buf_slice(&key));
    r = jwt_key_new(buf_slice(&key), JWT_SIGN, &signer, note);
    if (r >= 0)
        r = jwt_sign(&t->authorization, signer, buf_slice(&iss), now_s() + TOKEN_S);
    jwt_key_free(signer);
    return r;
}

static const char *address_of(const struct options *o)
{
    const char *to = options_find(o, OPT_PUB_TO), *spec = options_find(o, OPT_PUB_SPEC),
               *grip = getenv("GRIP_URL");

    return to ? to : spec ? spec : grip && *grip ? grip : "http://localhost:5561";
}

static bool is_zmq(const char *address)
{
    return slice_starts(slice_str(address), SLICE("tcp://")) ||
           slice_starts(slice_str(address), SLICE("ipc://"));
}

static int find_target(const struct options *o, struct target *t, struct err_note *note)
{
    const char *bearer = options_find(o, OPT_PUB_BEARER);
    struct slice query = slice_str(address_of(o)), base;

    if (!slice_starts(query, SLICE("http://")) && !slice_starts(query, SLICE("https://")))
        return err_notef(note, -ERR_CONFIG,
                         "publish to \"%.*s\": expected an http:// or https:// URL, or "
                         "tcp://HOST:PORT or ipc://PATH of ZeroMQ",
                         SLICE_FMT(query));
    (void)slice_split(&query, '?', &base);
    while (base.n > 0 && base.p[base.n - 1] == '/')
        base.n--;
    t->login = options_find(o, OPT_PUB_USER);
    if (bearer)
        (void)buf_addf(&t->authorization, "Authorization: Bearer %s", bearer);
    else if (!t->login && authorize(query, t, note) < 0)
        return -ERR_CONFIG;
    return buf_addf(&t->url, "%.*s/publish/", SLICE_FMT(base));
}

/* --- the request --- */

static size_t on_answer(char *bytes, size_t size, size_t n, void *arg)
{
    (void)buf_add(arg, slice_make(bytes, size * n));
    return size * n;
}

static struct curl_slist *make_fields(struct target *t)
{
    struct curl_slist *fields = curl_slist_append(NULL, "Content-Type: application/json");

    if (t->authorization.n && buf_add(&t->authorization, SLICE("\0")) >= 0)
        fields = curl_slist_append(fields, (const char *)t->authorization.p);
    return fields;
}

static void set_up(CURL *easy, struct target *t, const char *body, struct buf *answer)
{
    (void)buf_add(&t->url, SLICE("\0"));
    (void)curl_easy_setopt(easy, CURLOPT_URL, (const char *)t->url.p);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (t->login) {
        (void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        (void)curl_easy_setopt(easy, CURLOPT_USERPWD, t->login);
    }
}

/* The status, or 0 with a note when there was no answer. */
static long post(struct target *t, const char *body, struct buf *answer, struct err_note *note)
{
    CURL *easy = curl_easy_init();
    struct curl_slist *fields = make_fields(t);
    long status = 0;
    CURLcode code;

    set_up(easy, t, body, answer);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fields);
    code = curl_easy_perform(easy);
    if (code == CURLE_OK)
        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    else
        (void)err_notef(note, -ERR_OS, "cannot publish to %s: %s", (const char *)t->url.p,
                        curl_easy_strerror(code));
    curl_slist_free_all(fields);
    curl_easy_cleanup(easy);
    return status;
}

static int publish_http(const struct options *o, struct target *t, struct buf *answer,
                        struct err_note *note)
{
    char *body;
    long status;

    if (find_target(o, t, note) < 0 || !(body = make_body(o, true, note)))
        return EXIT_WRONG;
    status = post(t, body, answer, note);
    free(body);
    say_lines(status == 200 ? stdout : stderr, buf_slice(answer));
    if (status != 0 && status != 200)
        (void)err_notef(note, -ERR_OS, "the answer was %ld", status);
    return status == 200 ? EXIT_FINE : EXIT_FAILED;
}

/* --- ZeroMQ instead: "J" and the item, to a PULL socket --- */

/* Nothing is sent before somebody has answered the connection, so that a wrong address shows. */
static int push(void *socket, const char *address, const char *item, struct err_note *note)
{
    const int on = 1, ms = ZMQ_MS;
    char *message;
    int r;

    (void)zmq_setsockopt(socket, ZMQ_IMMEDIATE, &on, sizeof(on));
    (void)zmq_setsockopt(socket, ZMQ_SNDTIMEO, &ms, sizeof(ms));
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &ms, sizeof(ms));
    if (zmq_connect(socket, address) < 0)
        return err_notef(note, -ERR_CONFIG, "publish to \"%s\": %s", address,
                         zmq_strerror(zmq_errno()));
    message = text_format("J%s", item);
    r = zmq_send(socket, message, strlen(message), 0);
    mem_free(message);
    return r < 0 ? err_notef(note, -ERR_OS, "cannot publish to %s: nobody is there", address) : 0;
}

static int publish_zmq(const struct options *o, struct err_note *note)
{
    char *item = make_body(o, false, note);
    void *context, *socket;
    int r;

    if (!item)
        return EXIT_WRONG;
    context = zmq_ctx_new();
    socket = zmq_socket(context, ZMQ_PUSH);
    r = push(socket, address_of(o), item, note);
    (void)zmq_close(socket);
    (void)zmq_ctx_term(context);
    free(item);
    if (r == 0)
        puts("Published");
    return r == 0 ? EXIT_FINE : r == -ERR_CONFIG ? EXIT_WRONG : EXIT_FAILED;
}

int gateway_publish(const struct options *o)
{
    struct target t = {0};
    struct err_note note = {0};
    struct buf answer;
    int status;

    buf_init(&t.url, URL_MAX);
    buf_init(&t.authorization, URL_MAX);
    buf_init(&answer, ANSWER_MAX);
    status = is_zmq(address_of(o)) ? publish_zmq(o, &note) : publish_http(o, &t, &answer, &note);
    if (note.text[0])
        (void)fprintf(stderr, "holdfast: %s\n", note.text);
    buf_done(&answer);
    buf_done(&t.authorization);
    buf_done(&t.url);
    return status;
}

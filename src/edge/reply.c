#include "edge/reply.h"

static void client_attach(void *to, const struct exchange_ops *ops, void *arg)
{
    exchange_attach(to, ops, arg);
}

static void client_pull(void *to, size_t n)
{
    exchange_pull(to, n);
}

static int client_respond(void *to, const struct exchange_response *r)
{
    return exchange_respond(to, r);
}

static int client_send(void *to, struct slice bytes)
{
    return exchange_send(to, bytes);
}

static int client_share(void *to, struct blob *bytes, struct blob **chunked)
{
    return exchange_share(to, bytes, chunked);
}

static size_t client_pending(const void *to)
{
    return exchange_pending(to);
}

static void client_end(void *to)
{
    exchange_end(to);
}

static void client_abort(void *to)
{
    exchange_abort(to);
}

static const struct reply_kind client = {
    .attach = client_attach,
    .pull = client_pull,
    .respond = client_respond,
    .send = client_send,
    .share = client_share,
    .pending = client_pending,
    .end = client_end,
    .abort = client_abort,
};

struct reply reply_to_client(struct exchange *x)
{
    return (struct reply){&client, x};
}

struct exchange *reply_client(struct reply r)
{
    return r.kind == &client ? r.to : NULL;
}

void reply_answer(struct reply r, uint16_t status, struct slice fields, struct slice body)
{
    const struct exchange_response response = {
        .status = status,
        .fields = fields,
        .body = body.n ? EXCHANGE_BODY_LENGTH : EXCHANGE_BODY_NONE,
        .length = body.n,
    };

    if (reply_respond(r, &response) < 0 || (body.n && reply_send(r, body) < 0)) {
        reply_abort(r);
        return;
    }
    reply_end(r);
}

void reply_text(struct reply r, uint16_t status, struct slice text)
{
    reply_answer(r, status, SLICE("Content-Type: text/plain; charset=utf-8\n"), text);
}

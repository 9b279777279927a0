/* A connection's bytes: as they are, or with wss:// in TLS. */
#include "load.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

static SSL_CTX *ctx;

void wire_init(void)
{
    if (!load.is_tls)
        return;
    ctx = SSL_CTX_new(TLS_client_method()); /* verifies nothing */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}

/* A reason to wait as the system says it. */
static ssize_t result_of(SSL *ssl, int r)
{
    if (r > 0)
        return r;
    switch (SSL_get_error(ssl, r)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        ERR_clear_error();
        errno = EPROTO;
        return -1;
    }
}

bool wire_open(struct conn *c)
{
    if (!load.is_tls)
        return true;
    if (!c->ssl) {
        c->ssl = SSL_new(ctx);
        SSL_set_fd(c->ssl, c->fd);
    }
    const ssize_t r = result_of(c->ssl, SSL_connect(c->ssl));

    if (r < 0 && errno != EAGAIN)
        die("the TLS handshake failed");
    return r > 0;
}

ssize_t wire_send(struct conn *c, const void *bytes, size_t n)
{
    if (!c->ssl)
        return send(c->fd, bytes, n, MSG_NOSIGNAL);
    return result_of(c->ssl, SSL_write(c->ssl, bytes, (int)n));
}

ssize_t wire_recv(struct conn *c, void *to, size_t n)
{
    if (!c->ssl)
        return recv(c->fd, to, n, 0);
    return result_of(c->ssl, SSL_read(c->ssl, to, (int)n));
}

bool wire_has_more(const struct conn *c)
{
    return c->ssl && SSL_has_pending(c->ssl);
}

#include "io/tls_records.h"

#include "lib/test.h"

/* Two ends with keys of our choice; what the library's handshake gives them is in tls_test.c. */
struct pair {
    struct tls_aeads aeads;
    struct tls_records us;
    struct tls_records peer;
    struct buf wire; /* what the peer sent, or we */
    struct buf answers;
    uint8_t got[TLS_RECORD_MAX];
    size_t n;
};

static const struct kind {
    const char *id;
    bool is_13;
    uint8_t aead;
    uint8_t n_secret;
} kinds[] = {
    {"\x13\x01", true, 0, 32},  {"\x13\x02", true, 1, 48},  {"\x13\x03", true, 2, 32},
    {"\xc0\x2f", false, 0, 32}, {"\xc0\x30", false, 1, 48}, {"\xcc\xa8", false, 2, 32},
};

static const SSL_CIPHER *find_cipher(const char *id)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(ctx);
    const SSL_CIPHER *found = SSL_CIPHER_find(ssl, (const uint8_t *)id); /* static */

    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return found;
}

static void open_pair(struct pair *p, const struct kind *kind)
{
    struct tls_records *us = &p->us;

    *p = (struct pair){.us = {.cipher = find_cipher(kind->id),
                              .plain_max = TLS_PLAIN_MAX,
                              .aead = kind->aead,
                              .is_13 = kind->is_13}};
    assert_non_null(us->cipher);
    assert_true(tls_aeads_init(&p->aeads));
    us->in.n_secret = us->out.n_secret = kind->n_secret;
    memset(us->in.key, 'k', sizeof(us->in.key));
    memset(us->out.key, 'K', sizeof(us->out.key));
    memset(us->in.secret, 's', kind->n_secret);
    memset(us->out.secret, 'S', kind->n_secret);
    p->peer = *us;
    p->peer.in = us->out;
    p->peer.out = us->in;
    buf_init(&p->wire, 4 << 20);
    buf_init(&p->answers, 4 << 20);
}

static void close_pair(struct pair *p)
{
    tls_aeads_done(&p->aeads);
    buf_done(&p->wire);
    buf_done(&p->answers);
}

static void peer_says(struct pair *p, uint8_t type, struct slice what)
{
    assert_int_equal(tls_records_say(&p->peer, &p->aeads, type, what, &p->wire), 0);
}

/* We open the first record on the wire. */
static enum tls_record hear(struct pair *p)
{
    struct slice in = buf_slice(&p->wire);
    const enum tls_record what =
        tls_records_open(&p->us, &p->aeads, &in, p->got, &p->n, &p->answers);

    buf_consume(&p->wire, p->wire.n - in.n);
    return what;
}

/* The peer opens what we answered. */
static enum tls_record peer_hears(struct pair *p)
{
    struct slice in = buf_slice(&p->answers);
    const enum tls_record what =
        tls_records_open(&p->peer, &p->aeads, &in, p->got, &p->n, &p->wire);

    buf_consume(&p->answers, p->answers.n - in.n);
    return what;
}

static void expect_refused(struct pair *p, uint8_t alert)
{
    assert_int_equal(hear(p), TLS_RECORD_BAD);
    assert_int_equal(p->us.alert, alert);
    assert_int_equal(peer_hears(p), TLS_RECORD_ALERT);
    assert_int_equal(p->peer.alert, alert);
}

static void peer_says_text(struct pair *p, const char *text)
{
    peer_says(p, SSL3_RT_APPLICATION_DATA, slice_str(text));
}

static void expect_text(struct pair *p, const char *text)
{
    assert_int_equal(hear(p), TLS_RECORD_DATA);
    assert_int_equal(p->n, strlen(text));
    assert_memory_equal(p->got, text, p->n);
}

/* --- sealing and opening --- */

static void carry(struct pair *p, size_t n)
{
    static uint8_t bytes[3 * TLS_PLAIN_MAX];
    const size_t cut = n / 3;
    const struct iovec iov[] = {{bytes, cut}, {bytes + cut, 0}, {bytes + cut, n - cut}};
    struct tls_source from = {.iov = iov, .n = COUNT_OF(iov)};
    size_t all = 0;
    ssize_t part;

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i + i / 251);
    while ((part = tls_records_seal(&p->peer, &p->aeads, &from, &p->wire)) > 0)
        assert_in_range(part, 1, TLS_PLAIN_MAX);
    assert_int_equal(part, 0);
    while (all < n) {
        assert_int_equal(hear(p), TLS_RECORD_DATA);
        assert_memory_equal(p->got, bytes + all, p->n);
        all += p->n;
    }
    assert_int_equal(all, n);
    assert_int_equal(p->wire.n, 0);
}

TEST(what_is_sealed_opens_with_every_cipher)
{
    static const size_t sizes[] = {1, 15, 16, 17, 100, 5000, TLS_PLAIN_MAX, 2 * TLS_PLAIN_MAX + 1};

    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct pair p;

        open_pair(&p, &kinds[k]);
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            carry(&p, sizes[i]);
        close_pair(&p);
    }
}

TEST(a_part_of_a_record_is_not_touched)
{
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct pair p;

        open_pair(&p, &kinds[k]);
        peer_says_text(&p, "hello");
        for (size_t cut = 0; cut < p.wire.n; cut++) {
            struct slice part = slice_make(p.wire.p, cut);

            assert_int_equal(tls_records_open(&p.us, &p.aeads, &part, p.got, &p.n, &p.answers),
                             TLS_RECORD_NONE);
            assert_int_equal(part.n, cut);
        }
        expect_text(&p, "hello");
        close_pair(&p);
    }
}

TEST(a_changed_bit_is_refused)
{
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct pair p, fresh;

        open_pair(&fresh, &kinds[k]);
        peer_says_text(&fresh, "hello");
        for (size_t bit = 0; bit < 8 * fresh.wire.n; bit++) {
            p = fresh;
            buf_init(&p.answers, 1 << 20);
            buf_init(&p.wire, 1 << 20);
            assert_int_equal(buf_add(&p.wire, buf_slice(&fresh.wire)), 0);
            p.wire.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (bit / 8 == 3 || bit / 8 == 4) /* another length: perhaps incomplete */
                assert_true(hear(&p) != TLS_RECORD_DATA);
            else
                assert_int_equal(hear(&p), TLS_RECORD_BAD);
            buf_done(&p.wire);
            buf_done(&p.answers);
        }
        close_pair(&fresh);
    }
}

TEST(a_record_again_or_out_of_order_is_refused)
{
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct pair p;
        struct buf again;

        open_pair(&p, &kinds[k]);
        peer_says_text(&p, "once");
        buf_init(&again, 1 << 10);
        assert_int_equal(buf_add(&again, buf_slice(&p.wire)), 0);
        expect_text(&p, "once");
        assert_int_equal(buf_add(&p.wire, buf_slice(&again)), 0);
        expect_refused(&p, SSL_AD_BAD_RECORD_MAC);
        buf_done(&again);
        close_pair(&p);
    }
}

TEST(a_record_that_says_it_is_too_long_is_refused_at_its_head)
{
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct pair p;

        open_pair(&p, &kinds[k]);
        assert_int_equal(buf_add(&p.wire, SLICE("\x17\3\3\x41\1")), 0);
        expect_refused(&p, SSL_AD_RECORD_OVERFLOW);
        close_pair(&p);
    }
}

TEST(a_record_that_is_shorter_than_its_tag_is_refused)
{
    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        for (uint8_t n = 0; n < 24; n++) {
            uint8_t record[5 + 24] = {23, 3, 3, 0, n};
            struct pair p;

            open_pair(&p, &kinds[k]);
            assert_int_equal(buf_add(&p.wire, slice_make(record, 5 + n)), 0);
            expect_refused(&p, SSL_AD_BAD_RECORD_MAC);
            close_pair(&p);
        }
}

TEST(a_small_fragment_that_was_agreed_on_is_kept_to)
{
    static uint8_t bytes[2000];
    const struct iovec iov = {bytes, sizeof(bytes)};
    struct tls_source from = {.iov = &iov, .n = 1};
    struct pair p;

    open_pair(&p, &kinds[0]);
    p.peer.plain_max = 512;
    assert_int_equal(tls_records_seal(&p.peer, &p.aeads, &from, &p.wire), 512);
    assert_int_equal(hear(&p), TLS_RECORD_DATA);
    assert_int_equal(p.n, 512);
    close_pair(&p);
}

/* --- padding, alerts --- */

TEST(padding_is_taken_off)
{
    struct pair p;

    open_pair(&p, &kinds[0]);
    peer_says(&p, 0, SLICE("padded\x17\0\0\0"));
    expect_text(&p, "padded");
    peer_says(&p, 0, SLICE("\0\0\0"));
    expect_refused(&p, SSL_AD_UNEXPECTED_MESSAGE);
    close_pair(&p);
}

TEST(close_notify_is_the_end_and_other_alerts_are_failures)
{
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct pair p;

        open_pair(&p, &kinds[k]);
        peer_says(&p, SSL3_RT_ALERT, SLICE("\1\x5a")); /* user_canceled */
        assert_int_equal(hear(&p), TLS_RECORD_QUIET);
        peer_says(&p, SSL3_RT_ALERT, SLICE("\1\0"));
        assert_int_equal(hear(&p), TLS_RECORD_END);
        peer_says(&p, SSL3_RT_ALERT, SLICE("\2\x50"));
        assert_int_equal(hear(&p), TLS_RECORD_ALERT);
        assert_int_equal(p.us.alert, SSL_AD_INTERNAL_ERROR);
        assert_int_equal(p.answers.n, 0);
        peer_says(&p, SSL3_RT_ALERT, SLICE("\2"));
        expect_refused(&p, SSL_AD_UNEXPECTED_MESSAGE);
        close_pair(&p);
    }
}

TEST(records_without_data_are_bounded)
{
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct pair p;

        open_pair(&p, &kinds[k]);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < TLS_QUIET_MAX; i++) {
                peer_says_text(&p, "");
                expect_text(&p, "");
            }
            peer_says_text(&p, "data");
            expect_text(&p, "data");
        }
        for (int i = 0; i < TLS_QUIET_MAX; i++) {
            peer_says_text(&p, "");
            expect_text(&p, "");
        }
        peer_says_text(&p, "");
        expect_refused(&p, SSL_AD_UNEXPECTED_MESSAGE);
        close_pair(&p);
    }
}

TEST(an_unknown_type_is_refused)
{
    static const uint8_t types[] = {SSL3_RT_CHANGE_CIPHER_SPEC, 24, 255};

    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        for (size_t i = 0; i < COUNT_OF(types); i++) {
            struct pair p;

            open_pair(&p, &kinds[k]);
            peer_says(&p, types[i], SLICE("\1"));
            expect_refused(&p, SSL_AD_UNEXPECTED_MESSAGE);
            close_pair(&p);
        }
}

TEST(a_new_handshake_of_1_2_is_declined)
{
    struct pair p;

    open_pair(&p, &kinds[3]);
    peer_says(&p, SSL3_RT_HANDSHAKE, SLICE("\1\0\0\0"));
    assert_int_equal(hear(&p), TLS_RECORD_QUIET);
    assert_int_equal(peer_hears(&p), TLS_RECORD_QUIET); /* a warning */
    assert_int_equal(p.n, 2);
    assert_int_equal(p.got[1], SSL_AD_NO_RENEGOTIATION);
    peer_says_text(&p, "then");
    expect_text(&p, "then");
    close_pair(&p);
}

/* --- KeyUpdate --- */

static void peer_turns(struct pair *p, struct slice first, struct slice second)
{
    struct tls_records turned = p->us;

    peer_says(p, SSL3_RT_HANDSHAKE, first);
    if (second.n)
        peer_says(p, SSL3_RT_HANDSHAKE, second);
    while (p->wire.n)
        assert_int_equal(hear(p), TLS_RECORD_QUIET);
    assert_memory_not_equal(turned.in.key, p->us.in.key, sizeof(turned.in.key));
    p->peer.out = p->us.in;
}

TEST(a_key_update_changes_their_key_and_ours_when_asked)
{
    for (size_t k = 0; k < 3; k++) {
        struct pair p;
        const struct iovec iov = {(void *)"after", 5};
        struct tls_source from = {.iov = &iov, .n = 1};

        open_pair(&p, &kinds[k]);
        peer_turns(&p, SLICE("\x18\0\0\1\0"), SLICE_NONE);
        assert_int_equal(p.answers.n, 0);
        peer_says_text(&p, "under the new key");
        expect_text(&p, "under the new key");
        peer_turns(&p, SLICE("\x18\0"), SLICE("\0\1\1"));
        assert_int_equal(peer_hears(&p), TLS_RECORD_QUIET);
        assert_int_equal(tls_records_seal(&p.us, &p.aeads, &from, &p.answers), 5);
        assert_int_equal(peer_hears(&p), TLS_RECORD_DATA);
        assert_memory_equal(p.got, "after", 5);
        close_pair(&p);
    }
}

TEST(other_handshake_messages_are_refused)
{
    static const struct {
        struct slice message;
        uint8_t alert;
    } wrong[] = {
        {{(const uint8_t *)"\1", 1}, SSL_AD_UNEXPECTED_MESSAGE},
        {{(const uint8_t *)"", 0}, SSL_AD_UNEXPECTED_MESSAGE},
        {{(const uint8_t *)"\x18\0\0\2\0", 5}, SSL_AD_UNEXPECTED_MESSAGE},
        {{(const uint8_t *)"\x18\0\0\1\0\x18", 6}, SSL_AD_UNEXPECTED_MESSAGE},
        {{(const uint8_t *)"\x18\0\0\1\2", 5}, SSL_AD_ILLEGAL_PARAMETER},
    };

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct pair p;

        open_pair(&p, &kinds[0]);
        peer_says(&p, SSL3_RT_HANDSHAKE, wrong[i].message);
        expect_refused(&p, wrong[i].alert);
        close_pair(&p);
    }
}

TEST(nothing_comes_between_the_pieces_of_a_key_update)
{
    struct pair p;

    open_pair(&p, &kinds[0]);
    peer_says(&p, SSL3_RT_HANDSHAKE, SLICE("\x18\0"));
    assert_int_equal(hear(&p), TLS_RECORD_QUIET);
    peer_says_text(&p, "between");
    expect_refused(&p, SSL_AD_UNEXPECTED_MESSAGE);
    close_pair(&p);
}

TEST(our_key_changes_before_it_is_worn)
{
    const struct iovec iov = {(void *)"on we go", 8};
    struct tls_source from = {.iov = &iov, .n = 1};
    struct pair p;

    open_pair(&p, &kinds[0]);
    p.us.out.seq = p.peer.in.seq = 1 << 24;
    assert_int_equal(tls_records_seal(&p.us, &p.aeads, &from, &p.answers), 8);
    assert_int_equal(peer_hears(&p), TLS_RECORD_QUIET);
    assert_int_equal(peer_hears(&p), TLS_RECORD_DATA);
    assert_memory_equal(p.got, "on we go", 8);
    assert_int_equal(p.us.out.seq, 1);
    close_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_with_every_cipher),
        cmocka_unit_test(a_part_of_a_record_is_not_touched),
        cmocka_unit_test(a_changed_bit_is_refused),
        cmocka_unit_test(a_record_again_or_out_of_order_is_refused),
        cmocka_unit_test(a_record_that_says_it_is_too_long_is_refused_at_its_head),
        cmocka_unit_test(a_record_that_is_shorter_than_its_tag_is_refused),
        cmocka_unit_test(a_small_fragment_that_was_agreed_on_is_kept_to),
        cmocka_unit_test(padding_is_taken_off),
        cmocka_unit_test(close_notify_is_the_end_and_other_alerts_are_failures),
        cmocka_unit_test(records_without_data_are_bounded),
        cmocka_unit_test(an_unknown_type_is_refused),
        cmocka_unit_test(a_new_handshake_of_1_2_is_declined),
        cmocka_unit_test(a_key_update_changes_their_key_and_ours_when_asked),
        cmocka_unit_test(other_handshake_messages_are_refused),
        cmocka_unit_test(nothing_comes_between_the_pieces_of_a_key_update),
        cmocka_unit_test(our_key_changes_before_it_is_worn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "lib/test.h"
#include "lib/tls_lab.h"

/* A hostile peer of n bytes, the same ones in every run. */
static size_t invent(uint32_t seed, uint8_t *ret, size_t max)
{
    uint32_t x = seed * 2654435761U + 1;
    const size_t n = 8 + seed % (max - 8);

    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        ret[i] = (uint8_t)(x >> 11);
    }
    ret[0] = (uint8_t)seed; /* each cipher as often */
    return n;
}

static void compare(uint32_t seed, unsigned ends[3])
{
    static struct tls_lab lab;
    uint8_t bytes[96];
    const size_t n = invent(seed, bytes, sizeof(bytes));

    tls_lab_run(&lab, slice_make(bytes, n));
    if (!tls_lab_agrees(&lab))
        fail_msg("peer %u, kind %u: we %d alert %u heard %zu; the library %d alert %u heard %zu",
                 seed, bytes[0] % TLS_LAB_KINDS, lab.ours.state, lab.ours.alert, lab.ours.heard.n,
                 lab.library.state, lab.library.alert, lab.library.heard.n);
    ends[lab.ours.state]++;
    tls_lab_close(&lab);
}

TEST(we_hear_what_the_library_hears_and_refuse_what_it_refuses)
{
    unsigned ends[3] = {0};

    for (uint32_t seed = 0; seed < 3000; seed++)
        compare(seed, ends);
    print_message("open %u, ended %u, dead %u\n", ends[0], ends[1], ends[2]);
    assert_true(ends[TLS_LAB_OPEN] > 100 && ends[TLS_LAB_ENDED] > 100 && ends[TLS_LAB_DEAD] > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(we_hear_what_the_library_hears_and_refuse_what_it_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

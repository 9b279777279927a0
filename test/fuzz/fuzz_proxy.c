/* Oracles: a good header is "more" at every cut and does not depend on what follows; what is
 * refused stays refused; nothing is read behind the bound. */
#include <stdlib.h>

#include "wire/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct slice in = slice_make(p, n);
    struct proxy_header h = {0}, again = {0};
    const ssize_t r = proxy_parse(in, &h);

    check(r <= (ssize_t)n && r <= PROXY_HEADER_MAX);
    for (size_t cut = 0; cut < n; cut++) {
        const ssize_t part = proxy_parse(slice_sub(in, 0, cut), &again);

        if (r > 0)
            check(cut < (size_t)r ? part == 0 : part == r && memcmp(&h, &again, sizeof(h)) == 0);
        else if (r == 0)
            check(part == 0);
        else
            check(part == 0 || part == r);
    }
    return 0;
}

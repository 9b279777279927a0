/* A hostile peer (test/lib/tls_lab.h), heard by the library's server and by our records under the
 * same keys: same data, same end, same alert. */
#include "lib/tls_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct tls_lab lab;

    tls_lab_run(&lab, slice_make(p, n));
    tls_lab_check(tls_lab_agrees(&lab));
    tls_lab_close(&lab);
    return 0;
}

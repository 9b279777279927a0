#include "wire/grip_words.h"

static const char *const filter_names[] = {
    [GRIP_FILTER_UNKNOWN] = "",
    [GRIP_FILTER_SKIP_SELF] = "skip-self",
    [GRIP_FILTER_SKIP_USERS] = "skip-users",
    [GRIP_FILTER_REQUIRE_SUB] = "require-sub",
    [GRIP_FILTER_BUILD_ID] = "build-id",
    [GRIP_FILTER_VAR_SUBST] = "var-subst",
};

enum grip_filter grip_filter_of(struct slice name)
{
    for (unsigned i = 1; i < COUNT_OF(filter_names); i++) {
        if (slice_eq(name, slice_str(filter_names[i])))
            return i;
    }
    return GRIP_FILTER_UNKNOWN;
}

const struct slice *grip_pair_find(const struct grip_pair *pairs, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_eq(pairs[i].name, name))
            return &pairs[i].value;
    }
    return NULL;
}

#include "api/bundle.h"

/* From the assembler file that tools/bundle-api.mjs writes. */
extern const uint8_t api_bundle_text[];
extern const uint8_t api_bundle_end[];
extern const uint8_t node_bundle_text[];
extern const uint8_t node_bundle_end[];

struct slice api_bundle(void)
{
    return slice_make(api_bundle_text, (size_t)(api_bundle_end - api_bundle_text));
}

struct slice api_node_bundle(void)
{
    return slice_make(node_bundle_text, (size_t)(node_bundle_end - node_bundle_text));
}

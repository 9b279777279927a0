/*
 * The api bundle: src/api/main.js and all it imports, as one script made at build time.
 *
 * Its value is a function (native, global) that returns the hooks (src/api/README.md).
 */
#ifndef API_BUNDLE_H
#define API_BUNDLE_H

#include "base/bytes.h"

/* The script, ASCII, NUL-terminated behind its end. Static. */
struct slice api_bundle(void);

/* The same of src/api/node/main.js, the modules of Node.js. */
struct slice api_node_bundle(void);

#endif

/*
 * esbuild's ES module turned into the body of a function, as the worker runs it (docs/ipc.md,
 * START.script):
 *
 *   export {                     return {
 *     Room,            becomes     Room: Room,
 *     app as default               default: app
 *   };                           };
 *
 * Lines stay where they are, so the source map still fits. Pure.
 */
#ifndef APP_GATEWAY_MODULE_H
#define APP_GATEWAY_MODULE_H

#include "base/bytes.h"
#include "base/err.h"

/*
 * Appends the body to out. *ret_module is false when the module exports nothing: a script in the
 * service-worker format. Imported data files become ArrayBuffers. -ERR_TOO_LARGE when out is full,
 * -ERR_UNSUPPORTED when the text is no bundle of ours.
 */
int module_to_function(struct slice esm, struct buf *out, bool *ret_module);

#endif

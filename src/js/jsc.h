/* Functions that the library exports but declares in no installed header. Only here. */
#ifndef JS_JSC_H
#define JS_JSC_H

#include <JavaScriptCore/JavaScript.h>
#include <stdbool.h>

typedef bool (*JSShouldTerminateCallback)(JSContextRef cx, void *arg);

/* CPU seconds that one entry into the engine may take; then the callback decides. */
JS_EXPORT void JSContextGroupSetExecutionTimeLimit(JSContextGroupRef group, double seconds,
                                                   JSShouldTerminateCallback callback, void *arg);
JS_EXPORT void JSContextGroupClearExecutionTimeLimit(JSContextGroupRef group);
/* function(promise, reason), called at the end of the microtasks. */
JS_EXPORT void JSGlobalContextSetUnhandledRejectionCallback(JSGlobalContextRef cx, JSObjectRef fn,
                                                            JSValueRef *exception);
JS_EXPORT void JSGlobalContextSetEvalEnabled(JSGlobalContextRef cx, bool enabled,
                                             JSStringRef message);
/* heapSize, heapCapacity, extraMemorySize, objectCount, … of the last collection. */
JS_EXPORT JSObjectRef JSGetMemoryUsageStatistics(JSContextRef cx);
/* "#0 function() at file:line" a line. */
JS_EXPORT JSStringRef JSContextCreateBacktrace(JSContextRef cx, unsigned depth);
JS_EXPORT void JSSynchronousGarbageCollectForDebugging(JSContextRef cx);
JS_EXPORT void JSLock(JSContextRef cx);
JS_EXPORT void JSUnlock(JSContextRef cx);

#endif

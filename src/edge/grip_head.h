/* What of an instructed response's head, and of a published response's, reaches the client. Fields
 * are lines, "name: value\n" each. */
#ifndef EDGE_GRIP_HEAD_H
#define EDGE_GRIP_HEAD_H

#include "base/bytes.h"

struct grip_format;
struct grip_instruct;

/*
 * Appends the fields for the client: those of a JSON instruction, or those of the response's own
 * head without Grip-* and Content-Encoding; in both cases only the exposed ones, where there is
 * such a list. -ERR_TOO_LARGE. Those about framing stay in; the exchange drops them.
 */
int grip_head_fields(struct buf *out, struct slice head, const struct grip_instruct *g);

/* Appends `held` fields as a published response changes them: its own replace those of the same
 * name; names in its Grip-Expose-Headers are removed; its Grip-* never get out. -ERR_TOO_LARGE. */
int grip_head_publish(struct buf *out, struct slice held, const struct grip_format *f);

#endif

/*
 * The control door's verbs: Pushpin's publish API, and Fastly's form of it.
 *
 *   POST /publish/             {"items": […]} (wire/grip_item.h) ─► relay_publish: 200 "Published"
 *   POST /service/ID/publish/  the same, as api.fastly.com has it
 *   POST /recover/             forgets ids, refreshes all holds: 200 "Updated"
 *   GET  /channels/            who is subscribed: JSON, counts for each channel
 *   any  /                     200 "Pushpin API"
 *
 * One slash at the end may be missing, a query is ignored. Texts are Pushpin's, byte for byte;
 * with Accept: application/json the good ones are JSON. Where grip_options.auth says who may
 * publish, all but "/" is 401 for others.
 *
 * Bounds: a request's head and body (400), as many connections as the door has, and what the relay
 * takes (503 with Retry-After).
 */
#ifndef EDGE_CONTROL_H
#define EDGE_CONTROL_H

#include "base/err.h"

struct control;
struct edge;
struct exchange;
struct grip_options;

/* Copies what it needs. NULL with the note: a key cannot be used. */
struct control *control_new(struct edge *e, const struct grip_options *o, struct err_note *note);
/* NULL is nothing. */
void control_free(struct control *c);

/* False: the path is none of these. True: the exchange is answered, at once or soon. */
bool control_answer(struct control *c, struct exchange *x);

#endif

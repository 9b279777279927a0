/*
 * Handoffs: a worker lets a route of its application's origin answer a request (Fastly's
 * createFanoutHandoff and createWebsocketHandoff; IPC row HANDOFF). The application may have
 * changed method, path and fields; the body, the host and some fields stay the client's in any
 * case.
 */
#ifndef EDGE_HANDOFF_H
#define EDGE_HANDOFF_H

#include "conn/exchange.h"
#include "edge/reply.h"
#include "wire/ipc.h"

struct app;

enum { HANDOFF_FIELDS = 256 };

/*
 * The request that the origin is given: head ("METHOD URL\n" and "name: value\n"…) is the
 * application's word, client the request it got; NULL when that was no client's, then head is taken
 * as it is, without a body. fields has room for HANDOFF_FIELDS. Everything borrows from both. Our
 * CF-Connecting-IP never goes on. -ERR_SYNTAX: head is none; -ERR_TOO_LARGE: too many fields.
 */
int handoff_request(struct slice head, const struct exchange_request *client,
                    struct exchange_field *fields, struct exchange_request *ret);

/* Hands the reply over to the route that m names, or answers that there is none. The body, if there
 * is one, is the reply's from its beginning. */
void handoff_open(struct app *a, const struct ipc_handoff *m, struct reply take_reply);

#endif

/*
 * An outbound: a request that an application's worker makes (FETCH), and who answers it:
 *
 *   service "ASSETS"          its own folder (files.c)             outbound_local.c
 *   service of app_config     another application (inbound.c)      outbound_local.c
 *                             or an HTTP server                    outbound_remote.c
 *   service ""                any server the policy permits        outbound_remote.c
 *
 * Toward the worker both speak the frames RESPONSE, BODY, CREDIT, BODY_ABORT, FAIL, CANCEL, with
 * windows of IPC_BODY_WINDOW both ways. An outbound belongs to its link and ends with it.
 */
#ifndef EDGE_OUTBOUND_H
#define EDGE_OUTBOUND_H

#include "wire/ipc.h"

struct link;

/* Frames. 0, or the value of link_bad(). Ids that are unknown have just ended. */
int outbound_fetch(struct link *l, const struct ipc_frame *f, const struct ipc_fetch *m);
int outbound_body(struct link *l, const struct ipc_frame *f, const struct ipc_body *m);
int outbound_body_abort(struct link *l, const struct ipc_frame *f, const struct ipc_body_abort *m);
int outbound_credit(struct link *l, const struct ipc_frame *f, const struct ipc_credit *m);
int outbound_cancel(struct link *l, const struct ipc_frame *f, const struct ipc_cancel *m);

/* The link ends: all its calls are given up. */
void outbound_drop_all(struct link *l);

#endif

/*
 * The worker's word about WebSockets and actors: frames WS_* (whose id is a hold), RESTORE_WANT,
 * AUTO_RESPONSE, ACTOR_STATE. The other direction, what clients say, is actor_backend.c.
 *
 * All return 0 or the value of link_bad(). A hold that has gone is no violation.
 */
#ifndef EDGE_SOCKETS_H
#define EDGE_SOCKETS_H

#include "wire/ipc.h"

struct link;

enum {
    SOCKETS_TAGS_MAX = 16 << 10,       /* bytes of a LIST of tags */
    SOCKETS_ATTACHMENT_MAX = 64 << 10, /* JavaScript refuses earlier */
    SOCKETS_AUTO_MAX = 8 << 10,
};

int sockets_send(struct link *l, const struct ipc_frame *f, const struct ipc_ws_send *m);
int sockets_accept(struct link *l, const struct ipc_frame *f, const struct ipc_ws_accept *m);
int sockets_close(struct link *l, const struct ipc_frame *f, const struct ipc_ws_close *m);
int sockets_terminate(struct link *l, const struct ipc_frame *f, const struct ipc_ws_terminate *m);
int sockets_attach(struct link *l, const struct ipc_frame *f, const struct ipc_ws_attach *m);
int sockets_join(struct link *l, const struct ipc_frame *f, const struct ipc_ws_join *m);
int sockets_auto_response(struct link *l, const struct ipc_frame *f,
                          const struct ipc_auto_response *m);
int sockets_restore(struct link *l, const struct ipc_frame *f, const struct ipc_restore_want *m);
int sockets_actor_state(struct link *l, const struct ipc_frame *f, const struct ipc_actor_state *m);

#endif

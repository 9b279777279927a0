/*
 * The link's codec: frames between an edge and a worker process, all of them rows of ipc.def.
 *
 * Pure: bytes in, one frame out. The decoder trusts nothing; a worker may be hostile. Decoded
 * slices borrow from the input. For every row there is struct ipc_<lower>, ipc_put_<lower>() and
 * ipc_get_<lower>().
 */
#ifndef WIRE_IPC_H
#define WIRE_IPC_H

#include "base/bytes.h"
#include "base/err.h"

enum {
    IPC_HEADER = 16,
    IPC_PAYLOAD_MAX =
        40 << 20, /* one WebSocket message of 32 MiB, or a script, with room to spare */
    IPC_BODY_WINDOW = 256 << 10,
};

/* The flags of a frame; which row uses which is said there. */
enum {
    IPC_END = 1 << 0,
    IPC_BINARY = 1 << 1,
    IPC_UPGRADE = 1 << 2,
    IPC_HIBERNATE = 1 << 3,
    IPC_UNSET = 1 << 4,
    IPC_DRAIN_NOW = 1 << 5,
};

enum { IPC_BODY_NONE, IPC_BODY_LENGTH, IPC_BODY_STREAM };
enum { IPC_HANDOFF_FANOUT, IPC_HANDOFF_WEBSOCKET };

#define IPC_EDGE_SHIFT 45
#define IPC_WORKER_EXCHANGE (1ull << 44)

enum ipc_type {
#define IPC(NAME, lower, number, direction, fields) IPC_##NAME = number,
#include "wire/ipc.def"
};

#define U8(f) uint8_t f;
#define U16(f) uint16_t f;
#define U32(f) uint32_t f;
#define U64(f) uint64_t f;
#define F64(f) double f;
#define STR(f) struct slice f;
#define LIST(f) struct slice f;
#define REST(f) struct slice f;
#define IPC(NAME, lower, number, direction, fields)                                                \
    struct ipc_##lower {                                                                           \
        uint8_t unused_; /* C has no empty struct */                                               \
        fields                                                                                     \
    };
#include "wire/ipc.def"

struct ipc_frame {
    uint16_t type; /* enum ipc_type, checked */
    uint16_t flags;
    uint64_t id;
    struct slice payload;
};

enum ipc_side { IPC_FROM_GATEWAY, IPC_FROM_WORKER };

/*
 * Takes one frame off the front of *in. 1: a frame; 0: more bytes are needed (*ret_need, when not
 * NULL, says how many the whole frame takes, 0 while unknown); -ERR_IPC_FRAME: unknown type, a type
 * that `from` may not send, an id of 2^53 or more, or a length over IPC_PAYLOAD_MAX.
 */
int ipc_next(struct slice *in, enum ipc_side from, struct ipc_frame *ret_frame, size_t *ret_need);

/* "WS_SEND"; "?" for an unknown type. */
const char *ipc_name(unsigned type);

/*
 * ipc_put_x appends a whole frame: -ERR_TOO_LARGE when out is full, and nothing is appended.
 * ipc_get_x reads the payload of a frame of that type: -ERR_IPC_FRAME when it does not fit the row
 * exactly.
 */
#define IPC(NAME, lower, number, direction, fields)                                                \
    int ipc_put_##lower(struct buf *out, uint64_t id, unsigned flags,                              \
                        const struct ipc_##lower *m);                                              \
    int ipc_get_##lower(const struct ipc_frame *frame, struct ipc_##lower *ret);
#include "wire/ipc.def"

/* LIST fields. add appends an item; next takes one off the front: 1 item, 0 end, -ERR_IPC_FRAME. */
int ipc_list_add(struct buf *list, struct slice item);
int ipc_list_next(struct slice *list, struct slice *ret_item);

/* Little-endian integers at p, for packed arrays (ACK ranges, WS_SEND holds). */
static inline uint64_t ipc_u64_at(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, 8);
    return v;
}

#endif

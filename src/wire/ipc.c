#include "wire/ipc.h"

#include <assert.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the link is written in host order, which must be little-endian"
#endif

#define ID_MAX ((1ull << 53) - 1)

/* Directions, as bits of the senders allowed. */
#define TO_WORKER (1u << IPC_FROM_GATEWAY)
#define TO_GATEWAY (1u << IPC_FROM_WORKER)
#define BOTH (TO_WORKER | TO_GATEWAY)

static unsigned senders(unsigned type)
{
    switch (type) {
#define IPC(NAME, lower, number, direction, fields)                                                \
    case number:                                                                                   \
        return direction;
#include "wire/ipc.def"
    }
    return 0;
}

const char *ipc_name(unsigned type)
{
    switch (type) {
#define IPC(NAME, lower, number, direction, fields)                                                \
    case number:                                                                                   \
        return #NAME;
#include "wire/ipc.def"
    }
    return "?";
}

struct header {
    uint32_t length;
    uint16_t type;
    uint16_t flags;
    uint64_t id;
};

static_assert(sizeof(struct header) == IPC_HEADER, "the header has no padding");

int ipc_next(struct slice *in, enum ipc_side from, struct ipc_frame *ret_frame, size_t *ret_need)
{
    struct header h;

    if (ret_need)
        *ret_need = 0;
    if (in->n < IPC_HEADER)
        return 0;
    memcpy(&h, in->p, sizeof(h));
    if (h.length > IPC_PAYLOAD_MAX || h.id > ID_MAX || !(senders(h.type) & (1u << from)))
        return -ERR_IPC_FRAME;
    if (ret_need)
        *ret_need = IPC_HEADER + h.length;
    if (in->n - IPC_HEADER < h.length)
        return 0;
    (void)slice_take(in, IPC_HEADER);
    *ret_frame = (struct ipc_frame){
        .type = h.type,
        .flags = h.flags,
        .id = h.id,
        .payload = slice_take(in, h.length),
    };
    return 1;
}

/* --- encoding: the size first, then one reserve; a frame is appended whole or not at all --- */

static uint8_t *put(uint8_t *p, const void *v, size_t n)
{
    if (n)
        memcpy(p, v, n);
    return p + n;
}

static uint8_t *put_str(uint8_t *p, struct slice s)
{
    const uint32_t n = (uint32_t)s.n;

    return put(put(p, &n, 4), s.p, s.n);
}

static uint8_t *frame_begin(struct buf *out, unsigned type, uint64_t id, unsigned flags, size_t n)
{
    const struct header h = {(uint32_t)n, (uint16_t)type, (uint16_t)flags, id};
    uint8_t *p;

    assert(id <= ID_MAX);
    if (n > IPC_PAYLOAD_MAX)
        return NULL;
    p = buf_reserve(out, IPC_HEADER + n);
    if (!p)
        return NULL;
    buf_commit(out, IPC_HEADER + n);
    return put(p, &h, sizeof(h));
}

#define SIZES                                                                                      \
    size_t n = 0;                                                                                  \
    (void)m;

#define IPC(NAME, lower, number, direction, fields)                                                \
    static size_t size_##lower(const struct ipc_##lower *m)                                        \
    {                                                                                              \
        SIZES fields return n;                                                                     \
    }
#define U8(f) n += 1;
#define U16(f) n += 2;
#define U32(f) n += 4;
#define U64(f) n += 8;
#define F64(f) n += 8;
#define STR(f) n += 4 + m->f.n;
#define LIST(f) n += 4 + m->f.n;
#define REST(f) n += m->f.n;
#include "wire/ipc.def"

#define IPC(NAME, lower, number, direction, fields)                                                \
    int ipc_put_##lower(struct buf *out, uint64_t id, unsigned flags, const struct ipc_##lower *m) \
    {                                                                                              \
        uint8_t *p = frame_begin(out, number, id, flags, size_##lower(m));                         \
                                                                                                   \
        if (!p)                                                                                    \
            return -ERR_TOO_LARGE;                                                                 \
        fields(void) p;                                                                            \
        return 0;                                                                                  \
    }
#define U8(f) p = put(p, &m->f, 1);
#define U16(f) p = put(p, &m->f, 2);
#define U32(f) p = put(p, &m->f, 4);
#define U64(f) p = put(p, &m->f, 8);
#define F64(f) p = put(p, &m->f, 8);
#define STR(f) p = put_str(p, m->f);
#define LIST(f) p = put_str(p, m->f);
#define REST(f) p = put(p, m->f.p, m->f.n);
#include "wire/ipc.def"

/* --- decoding --- */

static bool get(struct slice *in, void *ret, size_t n)
{
    if (in->n < n)
        return false;
    memcpy(ret, slice_take(in, n).p, n);
    return true;
}

static bool get_str(struct slice *in, struct slice *ret)
{
    uint32_t n;

    if (!get(in, &n, 4) || in->n < n)
        return false;
    *ret = slice_take(in, n);
    return true;
}

#define IPC(NAME, lower, number, direction, fields)                                                \
    int ipc_get_##lower(const struct ipc_frame *frame, struct ipc_##lower *ret)                    \
    {                                                                                              \
        struct slice in = frame->payload;                                                          \
        struct ipc_##lower m = {0};                                                                \
                                                                                                   \
        assert(frame->type == number);                                                             \
        if (!(true fields) || in.n > 0)                                                            \
            return -ERR_IPC_FRAME;                                                                 \
        *ret = m;                                                                                  \
        return 0;                                                                                  \
    }
#define U8(f) &&get(&in, &m.f, 1)
#define U16(f) &&get(&in, &m.f, 2)
#define U32(f) &&get(&in, &m.f, 4)
#define U64(f) &&get(&in, &m.f, 8)
#define F64(f) &&get(&in, &m.f, 8)
#define STR(f) &&get_str(&in, &m.f)
#define LIST(f) &&get_str(&in, &m.f)
#define REST(f) &&(m.f = slice_take(&in, in.n), true)
#include "wire/ipc.def"

int ipc_list_add(struct buf *list, struct slice item)
{
    uint8_t *p = buf_reserve(list, 4 + item.n);

    if (!p)
        return -ERR_TOO_LARGE;
    put_str(p, item);
    buf_commit(list, 4 + item.n);
    return 0;
}

int ipc_list_next(struct slice *list, struct slice *ret_item)
{
    if (list->n == 0)
        return 0;
    return get_str(list, ret_item) ? 1 : -ERR_IPC_FRAME;
}

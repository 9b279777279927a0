#include "io/mailbox.h"

#include "io/io_int.h"

void mailbox_post(struct loop *l, struct mail *take_m)
{
    struct mailbox *b = loop__mailbox(l);
    struct mail *newest = atomic_load_explicit(&b->newest, memory_order_relaxed);

    do
        take_m->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&b->newest, &newest, take_m, memory_order_release,
                                                  memory_order_relaxed));
    /* Whoever found it empty wakes the loop; who comes after rides along. */
    if (!newest)
        loop__wake(l);
}

bool mailbox__is_empty(struct mailbox *b)
{
    return atomic_load_explicit(&b->newest, memory_order_relaxed) == NULL;
}

static struct mail *take_in_order(struct mailbox *b)
{
    struct mail *m = atomic_exchange_explicit(&b->newest, NULL, memory_order_acquire);
    struct mail *oldest = NULL;

    while (m) {
        struct mail *older = m->next;

        m->next = oldest;
        oldest = m;
        m = older;
    }
    return oldest;
}

void mailbox__deliver(struct mailbox *b)
{
    struct mail *m = take_in_order(b);

    while (m) {
        struct mail *next = m->next; /* deliver() frees m */

        m->deliver(m);
        m = next;
    }
}

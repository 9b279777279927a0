/* Intrusive doubly linked ring. A zeroed node is detached; an initialised head points to itself. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/bytes.h"

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head || head->next == NULL;
}

static inline bool list_linked(const struct list *node)
{
    return node->next != NULL && node->next != node;
}

static inline void list_add_tail(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_add_head(struct list *head, struct list *node)
{
    list_add_tail(head->next, node);
}

/* Safe on a detached node. */
static inline void list_del(struct list *node)
{
    if (!node->next)
        return;
    node->next->prev = node->prev;
    node->prev->next = node->next;
    node->next = node->prev = NULL;
}

static inline struct list *list_pop(struct list *head)
{
    struct list *node = head->next;

    if (list_empty(head))
        return NULL;
    list_del(node);
    return node;
}

/* Moves every node of from to the (empty, initialised) head to. */
static inline void list_move(struct list *to, struct list *from)
{
    list_init(to);
    if (list_empty(from))
        return;
    *to = *from;
    to->next->prev = to;
    to->prev->next = to;
    list_init(from);
}

#define LIST_ITEM(node, type, member) CONTAINER_OF(node, type, member)
/* The body may list_del the current node. */
#define LIST_EACH(head, it, tmp)                                                                   \
    for ((it) = (head)->next, (tmp) = (it)->next; (it) != (head); (it) = (tmp), (tmp) = (it)->next)

#endif

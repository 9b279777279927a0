/*
 * GRIP's filters: whether a subscriber hears an item, and with what content.
 * https://pushpin.org/docs/protocols/grip/ "Filters"
 *
 *   skip-self     not if its meta `user` is the item's `sender`
 *   skip-users    not if `user` is in the item's `skip_users` (a comma list)
 *   require-sub   only if it is subscribed to the item's `require_sub`, where that is said
 *   var-subst     %(name)s in the content is its meta `name`, %% is %
 *   build-id      %I is its meta `id_format`, in which %(channel)s is that channel's newest id;
 *                 %(text)I is text; in hex with its meta `id_encoding` "hex"
 *
 * They are taken in the order they were listed; the first that drops the item ends it. A directive
 * that is none, or whose name is unknown, makes the content unusable.
 */
#ifndef EDGE_FILTER_H
#define EDGE_FILTER_H

#include "base/bytes.h"

struct grip_filters;
struct grip_format;
struct grip_item;
struct subscriber;

enum { FILTER_CONTENT_MAX = 4 << 20 }; /* bytes of a content that filters made */

/*
 * 0: content as it is. 1: out has another content (out is empty before, its maximum
 * FILTER_CONTENT_MAX). -ERR_DENIED: this subscriber does not hear it; also when the format's
 * content-filters are not those of the subscription. -ERR_SYNTAX: the content is unusable,
 * -ERR_TOO_LARGE: too much comes out of it.
 */
int filter_item(const struct subscriber *s, const struct grip_filters *filters,
                const struct grip_item *item, const struct grip_format *format, struct buf *out);

/* The content-changing filters of all its channels, for a body that is no item: only build-id, and
 * %I is an error. The same results. */
int filter_body(const struct subscriber *s, struct slice body, struct buf *out);

#endif

#include "edge/client.h"

#include <stdio.h>

#include "egress/rules.h"

enum { HOPS_MAX = 32 };

/* Whether address is a trusted proxy's. */
static bool is_trusted(const struct egress_rules *trusted, struct slice address)
{
    struct egress_address a;

    if (!trusted || trusted->n_allow == 0)
        return false;
    if (address.n == 0)
        return true;
    return egress_address_parse(address, &a) && egress_rules_address(trusted, &a, 0, false);
}

/* "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1": no port, no brackets. */
static struct slice bare(struct slice hop)
{
    const ptrdiff_t end = slice_find(hop, ']'), colon = slice_find(hop, ':');

    if (hop.n && hop.p[0] == '[' && end > 0)
        return slice_sub(hop, 1, (size_t)end - 1);
    if (colon >= 0 && slice_find(slice_sub(hop, (size_t)colon + 1, SIZE_MAX), ':') < 0)
        return slice_sub(hop, 0, (size_t)colon);
    return hop;
}

static struct slice unquoted(struct slice value)
{
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
        return slice_sub(value, 1, value.n - 2);
    return value;
}

/* The value of a parameter of one element of Forwarded: for="[2001:db8::1]:80";proto=https */
static struct slice parameter(struct slice element, struct slice wanted)
{
    struct slice pair, name;

    while (slice_split(&element, ';', &pair)) {
        struct slice value = slice_trim(pair);

        if (slice_split(&value, '=', &name) && slice_eq_nocase(slice_trim(name), wanted))
            return unquoted(slice_trim(value));
    }
    return SLICE_NONE;
}

/* The part behind the last comma, cut off from *list. */
static struct slice take_last(struct slice *list)
{
    size_t at = list->n;
    struct slice last;

    while (at > 0 && list->p[at - 1] != ',')
        at--;
    last = slice_trim(slice_sub(*list, at, SIZE_MAX));
    list->n = at > 0 ? at - 1 : 0;
    return last;
}

/* From the last field of the name to the first, each from right to left, until a stranger. True:
 * the search is over. */
static bool walk(const struct egress_rules *trusted, struct slice list, bool forwarded, int *hops,
                 struct slice *best)
{
    while (list.n && (*hops)++ < HOPS_MAX) {
        struct slice hop = take_last(&list);
        struct egress_address a;

        hop = bare(forwarded ? parameter(hop, SLICE("for")) : hop);
        if (!egress_address_parse(hop, &a))
            return true; /* "unknown", "_hidden", rubbish: nothing left of it says more */
        *best = hop;
        if (!is_trusted(trusted, hop))
            return true;
    }
    return *hops >= HOPS_MAX;
}

static bool search(const struct egress_rules *trusted, const struct exchange_request *rq,
                   struct slice name, bool forwarded, struct slice *best)
{
    bool any = false;
    int hops = 0;

    for (size_t i = rq->n_fields; i-- > 0;) {
        if (!slice_eq_nocase(rq->fields[i].name, name))
            continue;
        any = true;
        if (walk(trusted, rq->fields[i].value, forwarded, &hops, best))
            break;
    }
    return any;
}

struct slice client_find(const struct egress_rules *trusted, struct slice peer,
                         const struct exchange_request *rq, char ret[CLIENT_TEXT])
{
    struct slice best = peer;
    int n;

    if (!is_trusted(trusted, peer))
        return peer;
    if (!search(trusted, rq, SLICE("X-Forwarded-For"), false, &best))
        (void)search(trusted, rq, SLICE("Forwarded"), true, &best);
    n = snprintf(ret, CLIENT_TEXT, "%.*s", SLICE_FMT(best));
    return slice_make(ret, MIN((size_t)n, (size_t)CLIENT_TEXT - 1));
}

/* The last word of the last field of that name: what the nearest proxy said. */
static struct slice last_word(const struct exchange_request *rq, struct slice name)
{
    for (size_t i = rq->n_fields; i-- > 0;)
        if (slice_eq_nocase(rq->fields[i].name, name)) {
            struct slice list = rq->fields[i].value;

            return take_last(&list);
        }
    return SLICE_NONE;
}

bool client_is_secure(const struct egress_rules *trusted, struct slice peer,
                      const struct exchange_request *rq)
{
    struct slice proto = SLICE_NONE;

    if (is_trusted(trusted, peer)) {
        proto = last_word(rq, SLICE("X-Forwarded-Proto"));
        if (proto.n == 0)
            proto = parameter(last_word(rq, SLICE("Forwarded")), SLICE("proto"));
    }
    if (proto.n == 0)
        return rq->tls_version != NULL;
    return slice_eq_nocase(proto, SLICE("https")) || slice_eq_nocase(proto, SLICE("wss"));
}

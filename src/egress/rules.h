/*
 * The rules of egress: which hosts and addresses an application may reach. Pure.
 *
 *   "api.example.com"  that host          "*.example.com"   every host below it
 *   "host:443"         one port of it     "10.0.0.0/8"      a network, "::1" an address
 *   "private"          loopback, private, link-local, multicast and reserved addresses
 *
 * Deny wins over allow; an empty allow list allows everything. Names are judged before they are
 * resolved, addresses when they are known: whatever a name resolves to, a denied address is not
 * reached.
 */
#ifndef EGRESS_RULES_H
#define EGRESS_RULES_H

#include "base/bytes.h"
#include "base/err.h"

struct egress_rule;
struct egress_rules {
    struct egress_rule *allow;
    struct egress_rule *deny;
    size_t n_allow;
    size_t n_deny;
};

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d. */
struct egress_address {
    uint8_t bytes[16];
};

/* Lists are NULL-terminated, or NULL. -ERR_CONFIG with the note. */
int egress_rules_init(struct egress_rules *rules, const char *const *allow, const char *const *deny,
                      struct err_note *note);
/* Safe on a zeroed struct. */
void egress_rules_done(struct egress_rules *rules);

enum egress_verdict {
    EGRESS_DENIED,
    EGRESS_ALLOWED,    /* unless the address is denied */
    EGRESS_BY_ADDRESS, /* if the address is allowed */
};
/* host: as in a URL, any case, IPv6 in brackets. */
enum egress_verdict egress_rules_host(const struct egress_rules *rules, struct slice host,
                                      uint16_t port);
/* by_name: the host was EGRESS_ALLOWED. */
bool egress_rules_address(const struct egress_rules *rules, const struct egress_address *a,
                          uint16_t port, bool by_name);

/* "127.0.0.1", "::1" or "[::1]"; false when it is no address. */
bool egress_address_parse(struct slice text, struct egress_address *ret);

#endif

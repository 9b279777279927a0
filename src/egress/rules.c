#include "egress/rules.h"

#include <arpa/inet.h>

struct egress_rule {
    enum { HOST, SUBDOMAINS, NETWORK, PRIVATE } kind;
    uint16_t port; /* 0: any */
    uint8_t bits;  /* of a network */
    struct egress_address address;
    char *host; /* of SUBDOMAINS: with its leading dot */
};

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
/* RFC 6052: an IPv4 address behind a translator is judged as that address. */
static const uint8_t translated[12] = {0, 0x64, 0xff, 0x9b};

/* --- addresses --- */

bool egress_address_parse(struct slice text, struct egress_address *ret)
{
    char s[INET6_ADDRSTRLEN];
    struct in_addr v4;

    if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = slice_sub(text, 1, text.n - 2);
    if (text.n >= sizeof(s) || slice_find(text, 0) >= 0)
        return false;
    memcpy(s, text.p, text.n);
    s[text.n] = 0;
    if (inet_pton(AF_INET6, s, ret->bytes) == 1)
        return true;
    if (inet_pton(AF_INET, s, &v4) != 1)
        return false;
    memcpy(ret->bytes, mapped, 12);
    memcpy(ret->bytes + 12, &v4, 4);
    return true;
}

static struct egress_address plain(const struct egress_address *a)
{
    struct egress_address r = *a;

    if (memcmp(r.bytes, translated, 12) == 0)
        memcpy(r.bytes, mapped, 12);
    return r;
}

static bool is_within(const struct egress_address *a, const struct egress_address *network,
                      unsigned bits)
{
    const unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a->bytes, network->bytes, whole) != 0)
        return false;
    return rest == 0 || (a->bytes[whole] ^ network->bytes[whole]) >> (8 - rest) == 0;
}

static bool is_private(const struct egress_address *a)
{
#define V4(a, b, bits)                                                                             \
    {                                                                                              \
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b}}, 96 + bits                              \
    }
    static const struct {
        struct egress_address network;
        uint8_t bits;
    } networks[] = {
        V4(0, 0, 8),      V4(10, 0, 8),         V4(100, 64, 10),      V4(127, 0, 8),
        V4(169, 254, 16), V4(172, 16, 12),      V4(192, 0, 24),       V4(192, 168, 16),
        V4(198, 18, 15),  V4(224, 0, 4),        V4(240, 0, 4),        {{{0}}, 127}, /* :: and ::1 */
        {{{0xfc}}, 7},    {{{0xfe, 0x80}}, 10}, {{{0xfe, 0xc0}}, 10}, {{{0xff}}, 8},
    };

    for (size_t i = 0; i < COUNT_OF(networks); i++)
        if (is_within(a, &networks[i].network, networks[i].bits))
            return true;
    return false;
}

/* --- rules from text --- */

static bool parse_network(struct slice text, struct egress_rule *ret)
{
    const ptrdiff_t slash = slice_find(text, '/');
    const struct slice address = slash < 0 ? text : slice_sub(text, 0, (size_t)slash);
    unsigned max;
    uint64_t bits;

    if (!egress_address_parse(address, &ret->address))
        return false;
    max = slice_find(address, ':') < 0 ? 32 : 128;
    bits = max;
    if (slash >= 0 && slice_u64(slice_sub(text, (size_t)slash + 1, text.n), max, &bits) < 0)
        return false;
    ret->kind = NETWORK;
    ret->bits = (uint8_t)(bits + 128 - max);
    return true;
}

static bool is_host_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

static bool parse_host(struct slice text, struct egress_rule *ret)
{
    ret->kind = HOST;
    if (slice_starts(text, SLICE("*."))) {
        ret->kind = SUBDOMAINS;
        text = slice_sub(text, 1, text.n);
    }
    ret->host = slice_dup(text);
    for (char *c = ret->host; *c; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c |= 0x20;
        if (!is_host_byte((uint8_t)*c))
            return false;
    }
    return text.n > 1 || (text.n == 1 && text.p[0] != '.');
}

/* Cuts ":port" off, unless the colons are an IPv6 address's own. */
static bool take_port(struct slice *text, uint16_t *ret)
{
    const ptrdiff_t first = slice_find(*text, ':');
    ptrdiff_t last = (ptrdiff_t)text->n - 1;
    uint64_t port;

    while (last >= 0 && text->p[last] != ':')
        last--;
    if (last < 0 || (first != last && text->p[last - 1] != ']'))
        return true;
    if (slice_u64(slice_sub(*text, (size_t)last + 1, text->n), 65535, &port) < 0 || port == 0)
        return false;
    *ret = (uint16_t)port;
    text->n = (size_t)last;
    return true;
}

static bool parse_rule(struct slice text, struct egress_rule *ret)
{
    if (slice_eq(text, SLICE("private"))) {
        ret->kind = PRIVATE;
        return true;
    }
    if (!take_port(&text, &ret->port))
        return false;
    return parse_network(text, ret) || parse_host(text, ret);
}

static int parse_list(struct egress_rule **ret_rules, size_t *ret_n, const char *const *list,
                      const char *name, struct err_note *note)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    *ret_rules = mem_new(n * sizeof(**ret_rules));
    *ret_n = n;
    for (size_t i = 0; i < n; i++)
        if (!parse_rule(slice_str(list[i]), &(*ret_rules)[i]))
            return err_notef(
                note, -ERR_CONFIG,
                "egress.%s: \"%.100s\" is no host, *.domain, host:port, address, network "
                "or the word private",
                name, list[i]);
    return 0;
}

int egress_rules_init(struct egress_rules *rules, const char *const *allow, const char *const *deny,
                      struct err_note *note)
{
    int r;

    *rules = (struct egress_rules){0};
    r = parse_list(&rules->allow, &rules->n_allow, allow, "allow", note);
    if (r == 0)
        r = parse_list(&rules->deny, &rules->n_deny, deny, "deny", note);
    if (r < 0)
        egress_rules_done(rules);
    return r;
}

static void free_list(struct egress_rule *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(list[i].host);
    mem_free(list);
}

void egress_rules_done(struct egress_rules *rules)
{
    if (!rules)
        return;
    free_list(rules->allow, rules->n_allow);
    free_list(rules->deny, rules->n_deny);
    *rules = (struct egress_rules){0};
}

/* --- judging --- */

static bool fits_host(const struct egress_rule *rule, struct slice host, uint16_t port)
{
    const struct slice own = slice_str(rule->host);

    if ((rule->kind != HOST && rule->kind != SUBDOMAINS) || (rule->port && rule->port != port))
        return false;
    if (rule->kind == HOST)
        return slice_eq_nocase(host, own);
    return host.n > own.n && slice_eq_nocase(slice_sub(host, host.n - own.n, own.n), own);
}

static bool fits_address(const struct egress_rule *rule, const struct egress_address *a,
                         uint16_t port)
{
    if (rule->port && rule->port != port)
        return false;
    return rule->kind == PRIVATE
               ? is_private(a)
               : rule->kind == NETWORK && is_within(a, &rule->address, rule->bits);
}

enum egress_verdict egress_rules_host(const struct egress_rules *rules, struct slice host,
                                      uint16_t port)
{
    struct egress_address a;
    bool has_networks = false;

    if (host.n && host.p[host.n - 1] == '.')
        host.n--;
    for (size_t i = 0; i < rules->n_deny; i++)
        if (fits_host(&rules->deny[i], host, port))
            return EGRESS_DENIED;
    if (egress_address_parse(host, &a))
        return egress_rules_address(rules, &a, port, false) ? EGRESS_ALLOWED : EGRESS_DENIED;
    for (size_t i = 0; i < rules->n_allow; i++) {
        if (fits_host(&rules->allow[i], host, port))
            return EGRESS_ALLOWED;
        has_networks |= rules->allow[i].kind == NETWORK || rules->allow[i].kind == PRIVATE;
    }
    if (rules->n_allow == 0)
        return EGRESS_ALLOWED;
    return has_networks ? EGRESS_BY_ADDRESS : EGRESS_DENIED;
}

bool egress_rules_address(const struct egress_rules *rules, const struct egress_address *given,
                          uint16_t port, bool by_name)
{
    const struct egress_address a = plain(given);

    for (size_t i = 0; i < rules->n_deny; i++)
        if (fits_address(&rules->deny[i], &a, port))
            return false;
    if (by_name || rules->n_allow == 0)
        return true;
    for (size_t i = 0; i < rules->n_allow; i++)
        if (fits_address(&rules->allow[i], &a, port))
            return true;
    return false;
}

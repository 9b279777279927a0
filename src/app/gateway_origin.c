#include "app/gateway_origin.h"

#include "app/gateway_json.h"

static uint32_t u32_of(const json_t *o, const char *key)
{
    return (uint32_t)number_of(o, key);
}

/* --- keys and certificates --- */

static struct app_key key_from(const json_t *o)
{
    return (struct app_key){
        .form = (enum app_key_form)WORD_OF(o, "form", "none", "text", "file"),
        .text = slice_str(text_of(o, "text")),
    };
}

static struct app_key key_of(const json_t *o, const char *name)
{
    return key_from(json_object_get(o, name));
}

static struct slice pem_of(const json_t *o, const char *name)
{
    return slice_str(text_of(json_object_get(o, name), "text"));
}

/* --- routes --- */

static struct app_origin_target target_of(struct config *c, const json_t *o)
{
    return (struct app_origin_target){
        .host = text_of(o, "host"),
        .port = (uint16_t)number_of(o, "port"),
        .path = text_of(o, "path"),
        .name = text_of(o, "name"),
        .test = flag_of(o, "test"),
        .tls = flag_of(o, "tls"),
        .insecure = flag_of(o, "insecure"),
        .host_field = text_of(o, "host_field"),
        .cert_host = text_of(o, "cert_host"),
        .trust_connect_host = flag_of(o, "trust_connect_host"),
        .untrusted = flag_of(o, "untrusted"),
        .over_http = flag_of(o, "over_http"),
        .one_event = flag_of(o, "one_event"),
        .subs = texts_of(c, o, "subs"),
        .client_cert = pem_of(o, "client_cert"),
        .client_key = pem_of(o, "client_key"),
        .ca = pem_of(o, "ca"),
    };
}

static void read_targets(struct config *c, struct app_origin_route *r, const json_t *list)
{
    struct app_origin_target *targets;

    r->n_targets = json_array_size(list);
    targets = config__own(c, r->n_targets * sizeof(*targets));
    for (size_t i = 0; i < r->n_targets; i++)
        targets[i] = target_of(c, json_array_get(list, i));
    r->targets = targets;
}

static void read_headers(struct config *c, struct app_origin_route *r, const json_t *list)
{
    struct app_header *headers;

    r->n_headers = json_array_size(list);
    headers = config__own(c, r->n_headers * sizeof(*headers));
    for (size_t i = 0; i < r->n_headers; i++) {
        const json_t *one = json_array_get(list, i);

        headers[i] =
            (struct app_header){.name = text_of(one, "name"), .value = text_of(one, "value")};
    }
    r->headers = headers;
}

static struct app_origin_route route_of(struct config *c, const json_t *o)
{
    struct app_origin_route r = {
        .id = text_of(o, "id"),
        .host = text_of(o, "host"),
        .protocol = (enum app_protocol)WORD_OF(o, "protocol", "any", "http", "ws"),
        .secure = (enum app_secure)WORD_OF(o, "secure", "any", "no", "yes"),
        .path_beg = text_of(o, "path_beg"),
        .path_rem = u32_of(o, "path_rem"),
        .replace_beg = text_of(o, "replace_beg"),
        .as_host = text_of(o, "as_host"),
        .prefix = text_of(o, "prefix"),
        .sig_iss = text_of(o, "sig_iss"),
        .sig_key = key_of(o, "sig_key"),
        .debug = flag_of(o, "debug"),
        .orig_headers = flag_of(o, "orig_headers"),
        .no_grip = flag_of(o, "no_grip"),
        .aco = flag_of(o, "aco"),
        .jsonp_mode = (enum app_jsonp)WORD_OF(o, "jsonp_mode", "extended", "basic"),
        .jsonp_cb = text_of(o, "jsonp_cb"),
        .jsonp_body = text_of(o, "jsonp_body"),
        .jsonp_defcb = text_of(o, "jsonp_defcb"),
        .jsonp_defmethod = text_of(o, "jsonp_defmethod"),
    };

    read_headers(c, &r, json_object_get(o, "headers"));
    read_targets(c, &r, json_object_get(o, "targets"));
    return r;
}

/* --- an origin --- */

static struct app_forwarded forwarded_of(const json_t *o, const char *name)
{
    const json_t *rule = json_object_get(o, name);

    return (struct app_forwarded){.truncate = flag_of(rule, "truncate"),
                                  .keep = u32_of(rule, "keep"),
                                  .append = flag_of(rule, "append")};
}

static struct app_origin options_of(struct config *c, const json_t *o)
{
    return (struct app_origin){
        .sig_iss = text_of(o, "sig_iss"),
        .sig_key = key_of(o, "sig_key"),
        .upstream_key = key_of(o, "upstream_key"),
        .debug = flag_of(o, "debug"),
        .auto_cross_origin = flag_of(o, "auto_cross_origin"),
        .accept_route_header = flag_of(o, "accept_pushpin_route"),
        .accept_forwarded_proto = flag_of(o, "accept_x_forwarded_protocol"),
        .set_forwarded_proto = (enum app_forwarded_proto)WORD_OF(o, "set_x_forwarded_protocol",
                                                                 "proto-only", "true", "false"),
        .forwarded = forwarded_of(o, "x_forwarded_for"),
        .forwarded_trusted = forwarded_of(o, "x_forwarded_for_trusted"),
        .unmarked = texts_of(c, o, "orig_headers_need_mark"),
        .cdn_loop = text_of(o, "cdn_loop"),
        .subscriptions = u32_of(o, "connection_subscription_max"),
        .no_pong = !flag_of(o, "answer_pings"),
        .connect_ms = u32_of(o, "connect_ms"),
        .response_ms = u32_of(o, "response_ms"),
        .pool_idle_ms = u32_of(o, "pool_idle_ms"),
        .requests = u32_of(o, "max_open_requests"),
        .breaker_failures = u32_of(o, "breaker_failures"),
        .breaker_ms = u32_of(o, "breaker_ms"),
    };
}

const struct app_origin *origin_read(struct config *c, const json_t *o)
{
    const json_t *list = json_object_get(o, "routes");
    struct app_origin_route *routes;
    struct app_origin *origin;

    if (!json_is_object(o))
        return NULL;
    origin = config__own(c, sizeof(*origin));
    *origin = options_of(c, o);
    origin->n_routes = json_array_size(list);
    routes = config__own(c, origin->n_routes * sizeof(*routes));
    for (size_t i = 0; i < origin->n_routes; i++)
        routes[i] = route_of(c, json_array_get(list, i));
    origin->routes = routes;
    return origin;
}

/* --- publishing --- */

static struct publish_auth auth_of(struct config *c, const json_t *o)
{
    const json_t *list = json_object_get(o, "keys");
    struct app_key *keys = config__own(c, json_array_size(list) * sizeof(*keys));

    for (size_t i = 0; i < json_array_size(list); i++)
        keys[i] = key_from(json_array_get(list, i));
    return (struct publish_auth){
        .tokens = texts_of(c, o, "tokens"),
        .logins = texts_of(c, o, "logins"),
        .keys = keys,
        .n_keys = json_array_size(list),
        .jwt_iss = text_of(o, "issuer"),
    };
}

static struct zmq_options zmq_of(struct config *c, const json_t *o)
{
    return (struct zmq_options){
        .pull = texts_of(c, o, "pull"),
        .sub = texts_of(c, o, "sub"),
        .sub_connect = flag_of(o, "sub_connect"),
        .command = text_of(o, "command"),
        .stats = texts_of(c, o, "stats"),
        .stats_from = text_of(o, "stats_from"),
        .stats_json = WORD_OF(o, "stats_format", "tnetstring", "json") == 1,
        .no_stats_connections = !flag_of(o, "stats_connection_send"),
        .stats_conn_ms = u32_of(o, "stats_connection_ttl_ms"),
        .stats_sub_ms = u32_of(o, "stats_subscription_ttl_ms"),
        .stats_report_ms = u32_of(o, "stats_report_interval_ms"),
        .ipc_mode = (uint16_t)number_of(o, "ipc_file_mode"),
    };
}

struct grip_options grip_read(struct config *c, const json_t *o)
{
    return (struct grip_options){
        .auth = auth_of(c, o),
        .control_headers = u32_of(o, "max_headers_size"),
        .control_body = u32_of(o, "max_body_size"),
        .control_clients = u32_of(o, "max_connections"),
        .message_rate = u32_of(o, "message_rate"),
        .message_hwm = u32_of(o, "message_hwm"),
        .message_block = u32_of(o, "message_block_size"),
        .message_wait_ms = u32_of(o, "message_wait_ms"),
        .id_cache_ms = u32_of(o, "id_cache_ms"),
        .linger_ms = u32_of(o, "subscription_linger_ms"),
        .no_first = !flag_of(o, "update_on_first_subscription"),
        .history_count = u32_of(o, "history_count"),
        .history_bytes = u32_of(o, "history_bytes"),
        .history_ms = u32_of(o, "history_ms"),
        .history_total = number_of(o, "history_total_bytes"),
        .zmq = zmq_of(c, json_object_get(o, "zmq")),
    };
}

/*
 * Reading the normalised configuration: what is absent is NULL, 0 or false. Text is borrowed from
 * the document, arrays are owned by the config.
 */
#ifndef APP_GATEWAY_JSON_H
#define APP_GATEWAY_JSON_H

#include "app/gateway_config.h"

/* Zeroed memory that lives as long as the config. */
void *config__own(struct config *c, size_t n);

static inline const char *text_of(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static inline uint64_t number_of(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

static inline bool flag_of(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

/* NULL-terminated; NULL for an empty or absent list. */
const char *const *texts_of(struct config *c, const json_t *o, const char *key);

/* The index of the word at o.key, 0 when it is none of them. */
unsigned word_of(const json_t *o, const char *key, const char *const *words, unsigned n);

#define WORD_OF(o, key, ...)                                                                       \
    word_of(o, key, (const char *const[]){__VA_ARGS__},                                            \
            COUNT_OF(((const char *const[]){__VA_ARGS__})))

#endif

/*
 * What is said of a file that is sent: its type, validators, conditional and range requests (RFC
 * 9110 8, 13, 14). Pure.
 */
#ifndef EDGE_FILES_HEAD_H
#define EDGE_FILES_HEAD_H

#include <time.h>

#include "conn/exchange.h"

/* The first value of that field, or empty. */
struct slice files_head_find(const struct exchange_request *rq, struct slice name);
/* Whether an Accept-Encoding of this value names the coding, and does not refuse it (12.5.3). */
bool files_head_accepts(struct slice value, struct slice coding);

struct files_head {
    uint64_t size;           /* of the file */
    struct timespec changed; /* … its last change */
    const char *coding;      /* "br", "gzip" or NULL */
    uint16_t status;         /* 200 may become 206, 304 or 416 */
    uint64_t at, n;          /* the part of the file that is the body */
    char etag[48];
    char date[40];
};

/* What the answer to rq is: fills what stands behind `coding`. */
void files_head_decide(struct files_head *h, const struct exchange_request *rq);
/* Its fields, "name: value\n" each. name: of the file. */
void files_head_put(const struct files_head *h, const char *name, struct buf *b);

#endif

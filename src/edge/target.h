/* What a request names: parts of its target (RFC 9112 3.2) and of its Host. All borrowed. */
#ifndef EDGE_TARGET_H
#define EDGE_TARGET_H

#include "base/bytes.h"

/* A whole URL, "http://host/path"; a query of another form may hold one, too. */
bool target_is_absolute(struct slice target);
/* "/path?query" of either form; "/" for a target without a path. */
struct slice target_path(struct slice target);
/* "host:port" of a whole URL. */
struct slice target_authority(struct slice url);
/* "name" of "name:80", "[::1]" of "[::1]:80"; without the root's dot at the end. */
struct slice target_host_name(struct slice host);

#endif

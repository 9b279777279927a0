/*
 * An application as one edge has it: what its settings make (sockets' options, files, routes of its
 * origin), and what ends with it.
 */
#ifndef EDGE_APP_H
#define EDGE_APP_H

#include "edge/edge_int.h"

/* Whether these settings can be used at all. 0, or -ERR_CONFIG with the note. */
int app_check(struct edge *e, const struct app_config *c, struct err_note *note);

/* Copies c. NULL, with the note: it cannot be used. */
struct app *app_new(struct edge *e, unsigned index, const struct app_config *c,
                    struct err_note *note);
/* Takes settings that were checked. The websockets' options are changed in place: those that are
 * open point here. A folder that has vanished since serves nothing. */
void app_configure(struct app *a, struct settings *take_s);
/* Ends what is open, too. NULL is nothing. */
void app_free(struct app *a);

#endif

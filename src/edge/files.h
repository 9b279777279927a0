/*
 * Files: an application's folder of static assets, as wrangler's `assets`.
 *
 * A request for a path that names a file is answered here, before the worker; everything else is
 * for the worker (or, without one, for not_found). GET and HEAD only; others are the worker's.
 *
 *   html AUTO         /about      → about.html, else about/ when about/index.html is there (307)
 *                     /about/     → about/index.html, else /about when about.html is there (307)
 *                     /about.html → /about (307), /about/index.html → /about/ (307)
 *   html FORCE_SLASH  the same, and about.html answers at /about/
 *   html DROP_SLASH   the same, and about/index.html answers at /about
 *   html NONE         paths are names of files, nothing else
 *
 * Content-Type by extension, ETag (from size and time of change), Last-Modified, conditional and
 * range requests (one range), Cache-Control: public, max-age=0, must-revalidate. A `.br` or `.gz`
 * file beside the file is sent where the client accepts it. Names that begin with a dot are never
 * served, and nothing outside the folder: every path is opened below the folder's descriptor,
 * symbolic links out of it do not resolve.
 */
#ifndef EDGE_FILES_H
#define EDGE_FILES_H

#include "base/err.h"
#include "edge/edge.h"
#include "edge/reply.h"

struct files;
struct loop;

/* NULL with the note when the folder cannot be opened. o is copied. */
struct files *files_open(struct loop *l, const struct app_assets *o, struct err_note *note);
/* Answers in flight go on. NULL is nothing. */
void files_close(struct files *f);

enum files_asker {
    FILES_CLIENT, /* a request from outside, before the worker */
    FILES_FETCH,  /* env.ASSETS.fetch(): always answered */
};

/*
 * True: the request is answered from the folder, the reply is taken. False: the worker's, nothing
 * was touched (never for FILES_FETCH). Without a worker, ask with FILES_FETCH.
 */
bool files_serve(struct files *f, const struct exchange_request *request, struct reply reply,
                 enum files_asker asker);

#endif

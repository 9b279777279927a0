/*
 * `holdfast-worker --config PATH …`: the configuration reader (src/api/config.js), run once in an
 * engine of its own.
 *
 * Prints the normalised configuration as JSON on stdout, or what is wrong with it on stderr. It
 * reads files of whoever started it and runs no code of an application.
 */
#ifndef APP_WORKER_CONFIG_H
#define APP_WORKER_CONFIG_H

/* argv: what stands behind --config. The status to exit with: 0, 2 (the configuration is wrong) or
 * 1 (we are). */
int worker_config(int argc, char **argv);

#endif

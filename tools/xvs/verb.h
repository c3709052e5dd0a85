/* SPDX-License-Identifier: MIT */
/* verb.h: the verbs of the command, and the options that all of them know.
 *
 *     --host, --guest   which side this is        -d, --device N   which device
 *     --run-dir DIR     the daemon's directory    -v, --verbose    -q, --quiet    -h, --help */
#ifndef XVS_VERB_H
#define XVS_VERB_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "side.h"

struct verb {
    const char *name;
    const char *brief;
    const char *help;
    int (*run)(const struct verb *verb, int argc, char **argv);     /* argv[0] is the verb; an exit status */
};

extern const struct verb verb_ls, verb_attach, verb_detach, verb_dump, verb_stats, verb_cat, verb_serve, verb_ping;

#define COMMON_SHORT "hd:vq"
enum { OPTION_HOST = 256, OPTION_GUEST, OPTION_RUN_DIR, OPTION_FIRST };
#define COMMON_LONG                                          \
    { "help", no_argument, NULL, 'h' },                      \
    { "device", required_argument, NULL, 'd' },              \
    { "verbose", no_argument, NULL, 'v' },                   \
    { "quiet", no_argument, NULL, 'q' },                     \
    { "host", no_argument, NULL, OPTION_HOST },              \
    { "guest", no_argument, NULL, OPTION_GUEST },            \
    { "run-dir", required_argument, NULL, OPTION_RUN_DIR },  \
    { NULL, 0, NULL, 0 }

/* What the common options said. */
extern struct side_options common;

/* As getopt_long(), with the common options and errors dealt with: an option of the verb's, -1 after the last one, OPTIONS_STOP
 * when the verb is to end with *status at once.  short_options begins with ':' (or "+:"). */
#define OPTIONS_STOP (-2)
int options_next(int argc, char **argv, const char *short_options, const struct option *options, const char *help,
                 int *status);

/* A port number from the command line; false after a message. */
bool port_argument(const char *text, uint32_t *port);

#endif

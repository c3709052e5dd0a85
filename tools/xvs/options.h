/* SPDX-License-Identifier: MIT */
/* options.h: the options that all verbs know, and what they have in common otherwise.
 *
 *     --host, --guest   which side this is        -d, --device N   which device
 *     --pool SIZE       of a guest's device
 *     --run-dir DIR     the daemon's directory    -v, --verbose    -q, --quiet    -h, --help */
#ifndef XVS_OPTIONS_H
#define XVS_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "records.h"
#include "side.h"

#define COMMON_SHORT "hd:vq"
enum { OPTION_HOST = 256, OPTION_GUEST, OPTION_RUN_DIR, OPTION_POOL, OPTION_SEQPACKET, OPTION_FIRST };
#define COMMON_LONG                                          \
    { "help", no_argument, NULL, 'h' },                      \
    { "device", required_argument, NULL, 'd' },              \
    { "verbose", no_argument, NULL, 'v' },                   \
    { "quiet", no_argument, NULL, 'q' },                     \
    { "host", no_argument, NULL, OPTION_HOST },              \
    { "guest", no_argument, NULL, OPTION_GUEST },            \
    { "run-dir", required_argument, NULL, OPTION_RUN_DIR },  \
    { "pool", required_argument, NULL, OPTION_POOL },        \
    { NULL, 0, NULL, 0 }

/* What the common options said; the sides are main's. */
extern struct side_options common;

/* As getopt_long(), with the common options and errors dealt with: an option of the verb's, -1 after the last one, OPTIONS_STOP
 * when the verb is to end with *status at once.  -h prints help; where that is NULL it is returned like one of the verb's.
 * short_options begins with ':' (or "+:"). */
#define OPTIONS_STOP (-2)
int options_next(int argc, char **argv, const char *short_options, const struct option *options, const char *help,
                 int *status);

/* A port from the command line, by its number or its name (portnames.h, /etc/xvs/ports or $XVS_PORTS); false after a message. */
bool port_argument(const char *text, uint32_t *port);

/* What a message of a connection of messages is (--seqpacket=FORM, OPTION_SEQPACKET of who has it); false after a message. */
bool seqpacket_argument(const char *text, struct records_form *form);

#endif

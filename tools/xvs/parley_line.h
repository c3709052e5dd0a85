/* SPDX-License-Identifier: MIT */
/* parley_line.h: the command line of the verbs that ask a guest's agent something: whom, how long, and how the answer is shown. */
#ifndef XVS_PARLEY_LINE_H
#define XVS_PARLEY_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "verb.h"

struct parley_line {
    const char *guest, *words[2];       /* behind the guest; NULL: not there */
    int64_t patience, retry, timeout;   /* ns; of timeout the caller says the default */
    bool json;
    bool ignores_host;                  /* -i, if it is allowed */
};

enum { PARLEY_LINE_IGNORE_HOST = 1u };  /* options that not all of them have */

/* Takes it, with 'least' to 'most' words behind the guest.  False: *status says how it ended, after a message. */
bool parley_line(const struct verb *verb, int argc, char **argv, struct parley_line *l, int least, int most, unsigned allowed, int *status);

#define PARLEY_LINE_HELP                                                                \
    "  -w, --wait SECONDS    time limit for connecting (default 5)\n"                  \
    "  -r, --retry SECONDS   repeat failed attempts to connect for so long\n"          \
    "  -d, --device N, -v, -q, --host, --guest, --run-dir DIR: see xvs --help\n"       \
    "\n"

#endif

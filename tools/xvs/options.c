/* SPDX-License-Identifier: MIT */
/* options.c: see options.h. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

#include "say.h"

struct side_options common;

static bool common_option(int option, const char *argument, int *status)
{
    uint64_t number;

    switch (option) {
    case 'd':
        if (!parse_number(argument, 1023, &number)) {
            *status = fail_usage("'%s' is no device: a number from 0", argument);
            return false;
        }
        common.device = (unsigned)number;
        common.has_device = true;
        break;
    case 'v':
        common.verbose = true;
        break;
    case 'q':
        say_quiet();
        break;
    case OPTION_HOST:
        common.which = SIDE_HOST;
        break;
    case OPTION_GUEST:
        common.which = SIDE_GUEST;
        break;
    case OPTION_RUN_DIR:
        if (setenv("XVS_RUN_DIR", argument, 1) < 0) {
            *status = fail(EXIT_OTHER, "out of memory");
            return false;
        }
        break;
    }
    return true;
}

int options_next(int argc, char **argv, const char *short_options, const struct option *options, const char *help,
                 int *status)
{
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, short_options, options, NULL)) != -1) {
        switch (option) {
        case ':':
            *status = fail_usage("option '%s' needs a value", argv[optind - 1]);
            return OPTIONS_STOP;
        case '?':
            if (optopt && optopt < 128)
                *status = fail_usage("there is no option '-%c'", optopt);
            else
                *status = fail_usage("there is no option '%s', or it takes no value", argv[optind - 1]);
            return OPTIONS_STOP;
        case 'h':
            *status = EXIT_OK;
            if (!help)
                return option;
            fputs(help, stdout);
            return OPTIONS_STOP;
        case 'd':
        case 'v':
        case 'q':
        case OPTION_HOST:
        case OPTION_GUEST:
        case OPTION_RUN_DIR:
            if (!common_option(option, optarg, status))
                return OPTIONS_STOP;
            break;
        default:
            return option;
        }
    }
    return -1;
}

bool port_argument(const char *text, uint32_t *port)
{
    uint64_t number;

    if (!parse_number(text, UINT32_MAX - 1, &number)) {
        fail_usage("'%s' is no port: a number from 0 to 4294967294", text);
        return false;
    }
    *port = (uint32_t)number;
    return true;
}

/* SPDX-License-Identifier: MIT */
/* options.c: see options.h. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "portnames.h"
#include "say.h"

#define POOL_LEAST (64u << 10)  /* bytes; xvs_open(3) */
#define POOL_MOST  (2u << 20)
#define POOL_PAGE  4096u

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
    case OPTION_POOL:
        if (!parse_size(argument, POOL_MOST, &number) || number < POOL_LEAST || number % POOL_PAGE) {
            *status = fail_usage("'%s' is no size of a pool: 64K to 2M, in steps of 4K", argument);
            return false;
        }
        common.pool = (uint32_t)number;
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
        case OPTION_POOL:
            if (!common_option(option, optarg, status))
                return OPTIONS_STOP;
            break;
        default:
            return option;
        }
    }
    return -1;
}

/* ---- ports ---- */

/* What is in the file, up to a byte 0, which is in it then; NULL with errno. */
static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    ssize_t n;

    if (!file)
        return NULL;
    n = getdelim(&text, &room, '\0', file);
    *len = n > 0 ? (size_t)n : 0;
    if (n < 0 && !feof(file)) {
        int err = errno;

        free(text);
        fclose(file);
        errno = err;
        return NULL;
    }
    fclose(file);
    return text ? text : strdup("");
}

static void hear(void *arg, unsigned line, const char *what)
{
    char *why = arg;

    if (!*why)
        snprintf(why, PORTNAMES_WHY + 20, "%u: %s", line, what);
}

/* By the file's names; one that is wrong somewhere has none. */
static bool find_port(const char *path, const char *name, uint32_t *port)
{
    size_t len = (size_t)(portnames_default_end - portnames_default);
    char *text = read_file(path, &len), why[PORTNAMES_WHY + 20] = "";
    struct portnames ports = { 0 };
    int err = !text && errno != ENOENT ? -errno : 0;
    bool found;

    if (!err)
        err = portnames_read(&ports, text ? text : portnames_default, len, hear, why);
    found = !err && portnames_find(&ports, name, port);
    if (*why)
        fail_usage("'%s' is no number, and names of ports cannot be read: %s:%s", name, path, why);
    else if (err)
        fail_usage("'%s' is no number, and names of ports cannot be read: %s: %s", name, path, errno_words(err));
    else if (!found)
        fail_usage("'%s' is no port: a number from 0 to 4294967294, or a name that is in %s", name, path);
    portnames_free(&ports);
    free(text);
    return found;
}

bool port_argument(const char *text, uint32_t *port)
{
    const char *path = getenv("XVS_PORTS");
    uint64_t number;

    if (portnames_is_name(text))
        return find_port(path && *path ? path : PORTNAMES_FILE, text, port);
    if (!parse_number(text, UINT32_MAX - 1, &number)) {
        fail_usage("'%s' is no port: a number from 0 to 4294967294, or a name that is in " PORTNAMES_FILE, text);
        return false;
    }
    *port = (uint32_t)number;
    return true;
}

bool seqpacket_argument(const char *text, struct records_form *form)
{
    if (records_parse(text, form))
        return true;
    fail_usage("--seqpacket: '%s' is no form of a message: lines, frames, or a number of bytes from 1 to 1M", text);
    return false;
}

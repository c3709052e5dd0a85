/* SPDX-License-Identifier: MIT */
/* metrics.c: xvs metrics, the daemon's counters for a monitoring system. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "openmetrics.h"
#include "say.h"
#include "verb.h"

#define LONGEST 4096            /* bytes of a file's name */

static const char help[] =
    "usage: xvs metrics [OPTION...]\n"
    "Prints the daemon's counters, of each guest and of the daemon, for Prometheus and its like, in dom0.\n"
    "Root is not needed: the group that status_group in xvsd.conf(5) names may ask.  xvs-metrics(7) has each name.\n"
    "\n"
    "  -f, --format FORMAT    openmetrics (the default), or prometheus, the older text format\n"
    "  -t, --textfile FILE    write FILE in place of standard output, whole or not at all, in the older format:\n"
    "                         for the textfile collector of node_exporter.  Without a daemon it says xvs_up 0\n"
    "  -v, -q, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example: each half minute, from a timer\n"
    "  xvs metrics --textfile /var/lib/prometheus/node-exporter/xvs.prom\n"
    "\n"
    "Exit status: 0 done, 3 no daemon, 4 not for this user, 7 FILE cannot be written.\n";

/* Beside it under another name, which the collector does not read, and then in its place. */
static int replace(const char *path, const json_t *answer)
{
    char beside[LONGEST];
    int fd = -1, err = 0;
    FILE *file = NULL;

    if ((size_t)snprintf(beside, sizeof beside, "%s.XXXXXX", path) >= sizeof beside)
        err = ENAMETOOLONG;
    else if ((fd = mkostemp(beside, O_CLOEXEC)) < 0 || fchmod(fd, 0644) || !(file = fdopen(fd, "w")))
        err = errno;
    if (file) {
        metrics_print(file, answer, METRICS_PROMETHEUS);
        if (fflush(file) || fsync(fd) || rename(beside, path))
            err = errno;
        fclose(file);
    } else if (fd >= 0) {
        close(fd);
    }
    if (err && fd >= 0)
        unlink(beside);
    return err ? fail(EXIT_LOCAL, "cannot write %s: %s", path, strerror(err)) : EXIT_OK;
}

static int print(const char *path, enum metrics_format format)
{
    json_t *answer;
    char why[WHY];
    int err = control_ask(json_pack("{s:s}", "verb", "metrics"), &answer, why), status, wrote = EXIT_OK;

    status = err ? fail(control_status(err), "%s", why) : EXIT_OK;
    if (path)
        wrote = replace(path, answer);
    else if (answer)
        metrics_print(stdout, answer, format);
    json_decref(answer);
    return wrote ? wrote : status;
}

static int run(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        { "format", required_argument, NULL, 'f' }, { "textfile", required_argument, NULL, 't' }, COMMON_LONG
    };
    enum metrics_format format = METRICS_OPENMETRICS;
    const char *path = NULL, *format_name = NULL;
    int status = EXIT_OK, option;

    while ((option = options_next(argc, argv, ":f:t:" COMMON_SHORT, options, verb->help, &status)) != -1) {
        if (option == 't')
            path = optarg;
        else if (option == 'f')
            format_name = optarg;
        else
            return status;
    }
    if (format_name && strcmp(format_name, "prometheus") == 0)
        format = METRICS_PROMETHEUS;
    else if (format_name && strcmp(format_name, "openmetrics") != 0)
        return fail_usage("--format: '%s' is neither openmetrics nor prometheus", format_name);
    if (path && format_name && format == METRICS_OPENMETRICS)
        return fail_usage("--textfile: the textfile collector reads the format prometheus alone");
    if (argc != optind)
        return fail_usage("no arguments are needed");
    if (common.which == SIDE_GUEST)
        return fail_usage("this works in dom0 alone");
    return print(path, format);
}

const struct verb verb_metrics = { "metrics", "the daemon's counters for a monitoring system (dom0)", help, run };

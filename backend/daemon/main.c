/* SPDX-License-Identifier: MIT */
/* main.c: options.  See xvsd.h. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "journald.h"
#include "settings.h"
#include "xvsd.h"

static const char usage[] =
    "Usage: xvsd [OPTION]...\n"
    "Gives the guests of this Xen host vsock: each appears to host programs as a UNIX socket.\n"
    "\n"
    "  -c, --config=FILE    read FILE (default " SETTINGS_FILE ", if it exists), and then FILE.d/*.conf\n"
    "  -r, --run-dir=DIR    put sockets into DIR (default $XVS_RUN_DIR, the file's run_dir, or " SETTINGS_RUN ")\n"
    "  -t, --check-config   only check these files, and the policy: tells all errors\n"
    "  -v, --verbose        log everything\n"
    "  -u, --user=NAME      who the worker is, which has to do with guests and programs (default: as we are)\n"
    "  -1, --one-process    keeper and worker in one process, for debugging\n"
    "  -f, --foreground     accepted; xvsd always stays in the foreground\n"
    "  -V, --version        print the version\n"
    "  -h, --help           print this\n"
    "\n"
    "Example: talk to port 1234 of the guest web1 (the socket answers \"OK <port>\" first):\n"
    "    (echo CONNECT 1234; cat) | socat - UNIX-CONNECT:" SETTINGS_RUN "/guest/web1/vsock\n"
    "Signals: SIGHUP reads configuration and policy again, SIGTERM stops.  See xvsd(8), xvsd.conf(5), xvs-policy(5).\n";

/* -1: go on; else the exit status. */
static int read_options(struct options *o, int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' }, { "run-dir", required_argument, NULL, 'r' },
        { "check-config", no_argument, NULL, 't' }, { "verbose", no_argument, NULL, 'v' },
        { "user", required_argument, NULL, 'u' },   { "one-process", no_argument, NULL, '1' }, { "foreground", no_argument, NULL, 'f' },
        { "version", no_argument, NULL, 'V' },      { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:r:u:tv1fVh", options, NULL)) != -1)
        switch (option) {
        case 'c': o->config = optarg; o->config_given = true; break;
        case 'r': o->run_dir = optarg; break;
        case 't': o->check = true; break;
        case 'v': o->verbose = true; break;
        case 'u': o->user = optarg; break;
        case '1': o->one_process = true; break;
        case 'f': break;
        case 'V': puts("xvsd " XVS_VERSION); return 0;
        case 'h': fputs(usage, stdout); return 0;
        default:  fputs("Try 'xvsd --help'.\n", stderr); return 2;
        }
    if (optind < argc) {
        fprintf(stderr, "xvsd: there is no argument \"%s\"; try 'xvsd --help'\n", argv[optind]);
        return 2;
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct options o = { .config = SETTINGS_FILE };
    int status;

    journal_begin(JOURNALD_SOCKET);
    if ((argc == 2 || argc == 4) && !strcmp(argv[1], LABOUR_OPTION))
        return labour_main(argc == 4 ? argv[2] : NULL, argc == 4 ? argv[3] : NULL);
    if (argc == 2 && !strcmp(argv[1], DIALER_OPTION))
        return dialer_main();
    status = read_options(&o, argc, argv);
    return status >= 0 ? status : keeper_main(&o);
}

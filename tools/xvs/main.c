/* SPDX-License-Identifier: MIT */
/* main.c: has the verbs and the sides; finds the verb and calls it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "say.h"
#include "verb.h"

static const struct verb *const verbs[] = {
    &verb_exec, &verb_shell, &verb_cp, &verb_call, &verb_ga, &verb_info, &verb_shutdown, &verb_reboot, &verb_freeze, &verb_vcpus, &verb_memory, &verb_time_sync, &verb_ls, &verb_attach, &verb_detach, &verb_cat, &verb_serve, &verb_ping, &verb_dump, &verb_stats, &verb_metrics, &verb_top, &verb_pcap, &verb_trace, &verb_events, &verb_policy, &verb_reload,
    &verb_why,
};
#define VERBS (sizeof verbs / sizeof *verbs)

static const char help_head[] =
    "usage: xvs [OPTION...] VERB [ARGUMENT...]\n"
    "vsock for Xen: streams between a guest and dom0, and between guests.\n"
    "\n";

static const char help_tail[] =
    "\n"
    "  -h, --help        this text; 'xvs VERB --help' explains one verb\n"
    "  -V, --version     the version\n"
    "      --host        this is dom0: use the daemon (the default where xvsd runs)\n"
    "      --guest       this is a guest: use the device of this domain\n"
    "  -d, --device N    which vsock device of the guest (default 0; attach, detach, dump: see there)\n"
    "  --pool SIZE       in a guest: memory that its device shares with dom0, each way (default 960K)\n"
    "      --run-dir DIR the daemon's directory (default $XVS_RUN_DIR, else /run/xvs)\n"
    "  -v, --verbose     tell what happens;  -q, --quiet: no messages, only the exit status\n"
    "\n"
    "Examples, in dom0; with xvs-agent in the guest:\n"
    "  xvs exec web1 -- uname -a\n"
    "  xvs cp big.iso web1:/srv/\n"
    "and without it, dom0 and then the guest web1:\n"
    "  xvs cat -l 5000 web1 > log.txt          (waits for the guest)\n"
    "  dmesg | xvs cat host 5000\n"
    "\n"
    "Exit status: 0 done, 1 other failure, 2 usage, 3 no daemon, guest or device, 4 nobody listens, 5 the\n"
    "command at the other end failed, 6 connection broken, 7 error on standard input or output, 8 timed out;\n"
    "refused: 9 by the policy, 10 backlog full, 11 no program there, 12 too many, 13 permission denied.\n"
    "Manual page: xvs(1).\n";

static void print_help(void)
{
    fputs(help_head, stdout);
    for (size_t i = 0; i < VERBS; i++)
        printf("  %-10s %s\n", verbs[i]->name, verbs[i]->brief);
    fputs(help_tail, stdout);
}

/* ---- main ---- */

/* What was printed may have met a full disk. */
static int finish(int status)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_OK) {
        int err = errno;

        status = EXIT_LOCAL;
        if (err != EPIPE)
            fail(status, "standard output: %s", strerror(err));
    }
    return status;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = { { "version", no_argument, NULL, 'V' }, COMMON_LONG };
    int status = EXIT_OK, option;

    while ((option = options_next(argc, argv, "+:V" COMMON_SHORT, options, NULL, &status)) != -1) {
        if (option == 'V')
            printf("xvs %s\n", XVS_VERSION);
        if (option == 'h')
            print_help();
        return status;
    }
    if (optind == argc)
        return fail_usage("which verb?");
    argc -= optind;
    argv += optind;
    if (strcmp(argv[0], "help") == 0 && argc == 1) {
        print_help();
        return EXIT_OK;
    }
    for (size_t i = 0; i < VERBS; i++) {
        const struct verb *verb = verbs[i];

        if (strcmp(argv[0], "help") == 0 && strcmp(argv[1], verb->name) == 0) {
            fputs(verb->help, stdout);
            return EXIT_OK;
        }
        if (strcmp(argv[0], verb->name) == 0) {
            say_begin(verb->name);
            optind = 0;         /* glibc: begin anew */
            return verb->run(verb, argc, argv);
        }
    }
    return fail_usage("there is no verb '%s'", strcmp(argv[0], "help") == 0 ? argv[1] : argv[0]);
}

int main(int argc, char **argv)
{
    fill_standard_descriptors();
    common.host = &side_host;
    common.guest = &side_guest;
    common.socket = &side_socket;
    common.broker = &side_broker;
    signal(SIGPIPE, SIG_IGN);
    return finish(run(argc, argv));
}

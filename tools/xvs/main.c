/* SPDX-License-Identifier: MIT */
/* main.c: finds the verb and calls it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "say.h"
#include "verb.h"

static const struct verb *const verbs[] = {
    &verb_ls, &verb_attach, &verb_detach, &verb_cat, &verb_serve, &verb_ping, &verb_dump, &verb_stats,
};
#define VERBS (sizeof verbs / sizeof *verbs)

struct side_options common = { .host = &side_host, .guest = &side_guest };

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
    "      --run-dir DIR the daemon's directory (default $XVS_RUN_DIR, else /run/xvs)\n"
    "  -v, --verbose     tell what happens;  -q, --quiet: no messages, only the exit status\n"
    "\n"
    "Example, dom0 and then the guest web1:\n"
    "  xvs cat -l 5000 web1 > log.txt          (waits for the guest)\n"
    "  dmesg | xvs cat host 5000\n"
    "\n"
    "Exit status: 0 done, 1 other failure, 2 usage, 3 no daemon, guest or device, 4 refused, 5 timed out,\n"
    "6 connection broken, 7 error on standard input or output.  Manual page: xvs(1).\n";

static void print_help(void)
{
    fputs(help_head, stdout);
    for (size_t i = 0; i < VERBS; i++)
        printf("  %-8s %s\n", verbs[i]->name, verbs[i]->brief);
    fputs(help_tail, stdout);
}

/* ---- options ---- */

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
            if (help)
                fputs(help, stdout);
            else
                print_help();
            *status = EXIT_OK;
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

/* ---- main ---- */

/* A descriptor that we open must never be 0, 1 or 2: it would be taken for standard input or output. */
static void fill_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

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
    signal(SIGPIPE, SIG_IGN);
    return finish(run(argc, argv));
}

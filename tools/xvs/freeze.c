/* SPDX-License-Identifier: MIT */
/* freeze.c: xvs freeze, a command of dom0 while a guest's file systems stand still (manage/freeze.h). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "freeze.h"
#include "kept.h"
#include "parley.h"
#include "say.h"
#include "verb.h"

enum { FREEZE_BROKEN = 124, FREEZE_FAILED = 125, FREEZE_CANNOT = 126, FREEZE_ABSENT = 127 };
enum { OPTION_FOR = OPTION_FIRST };

#define SLACK (15 * SECOND)     /* of ours, beyond what the guest allows itself */

static const char help[] =
    "usage: xvs freeze [OPTION...] GUEST -- COMMAND [ARGUMENT...]\n"
    "Has a guest write everything to its disks and write nothing more, runs COMMAND here (which takes a snapshot, say), and\n"
    "thaws the guest's file systems, whatever has happened: also if COMMAND or this command is killed.  COMMAND does not outlive it.\n"
    "\n"
    "      --for SECONDS     needed: the guest thaws by itself then, at most 3600\n"
    "  -w, --wait SECONDS    time limit for connecting (default 5)\n"
    "  -r, --retry SECONDS   repeat failed attempts to connect for so long\n"
    "  -d, --device N, -v, -q, --host, --guest, --run-dir DIR: see xvs --help\n"
    "\n"
    "It needs xvs-agent and the package qemu-guest-agent in the guest.  A first SIGINT, SIGTERM or SIGHUP is passed on to COMMAND,\n"
    "a second one thaws at once, and ends COMMAND: SIGTERM, and 5 s later SIGKILL.\n"
    "\n"
    "Example: xvs freeze --for 30 web1 -- lvcreate -s -n web1-snap -L 5G vg/web1\n"
    "\n"
    "Exit status: COMMAND's; 128 + N if signal N killed it; 124 if the file systems had been thawed before it ended, so what it\n"
    "did is worth nothing; 125 if they were not frozen, and it was not run; 126 it cannot be run, 127 there is none.\n"
    "Manual page: xvs-manage(1).\n";

struct freeze {
    struct parley parley;
    int64_t time;               /* ns */
    pid_t keeper;               /* COMMAND's; 0: it does not run */
    bool asked;                 /* COMMAND was, to end */
    bool broken;                /* the guest has thawed before it was asked to, or has gone */
};

/* ---- the command ---- */

static bool signalled(void *arg, int number)
{
    struct freeze *f = arg;

    if (!f->keeper || f->asked)
        return false;
    f->asked = true;
    kept_pass(f->keeper, number);
    return true;
}

static void child(void *arg)
{
    loop_stop(arg, 0);
}

/* It is said when it is known: COMMAND may take long. */
static void look(struct freeze *f)
{
    struct parley *p = &f->parley;
    char why[LINES_WHY];
    json_t *answer = NULL;
    int err = f->broken ? -ETIMEDOUT : lines_hear(&p->lines, 0, &answer, why);

    if (err == -ETIMEDOUT || err == -EINTR)
        return;
    f->broken = true;
    if (!err)
        say("%s: the time is over, and its file systems are thawed; the command has not ended", p->guest);
    else
        say("%s has gone, and its file systems are not known to be frozen; the command has not ended", p->guest);
    json_decref(answer);
}

/* We are to end at once: the guest first, and then what runs. */
static void abandon(struct freeze *f)
{
    parley_hang_up(&f->parley);
    kept_end(f->keeper);
    while (waitpid(f->keeper, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Its exit status, or ours after a message. */
static int run_command(struct freeze *f, char **argv)
{
    struct loop *l = &f->parley.loop;
    int status = 0, err = kept_start(argv, &f->keeper, FREEZE_CANNOT, FREEZE_ABSENT);

    if (err) {
        f->keeper = 0;
        return fail(FREEZE_CANNOT, "%s: %s", argv[0], strerror(-err));
    }
    l->child = child;
    l->child_arg = l;
    while (waitpid(f->keeper, &status, WNOHANG) == 0) {
        look(f);
        if (waited_run(l)) {
            abandon(f);
            break;
        }
    }
    l->child = NULL;
    f->keeper = 0;
    return kept_status(status);
}

/* ---- the guest ---- */

static int thaw(struct freeze *f, int status)
{
    struct parley *p = &f->parley;
    json_t *answer;

    if (p->loop.caught)
        return status;          /* hanging up does it */
    if (!f->broken && (parley_ask(p, json_pack("{s:s}", "request", "thaw"), clock_ns() + FREEZE_PATIENCE * SECOND + SLACK, "thaw", &answer)))
        return FREEZE_BROKEN;
    if (!f->broken) {
        f->broken = !json_is_true(json_object_get(answer, "held"));
        json_decref(answer);
    }
    if (f->broken)
        return fail(FREEZE_BROKEN, "%s: its file systems were not frozen until the command had ended", p->guest);
    return status;
}

static int freeze(struct freeze *f, char **argv)
{
    struct parley *p = &f->parley;
    json_t *answer;

    if (parley_ask(p, json_pack("{s:s, s:f}", "request", "freeze", "seconds", (double)f->time / SECOND),
                   clock_ns() + FREEZE_PATIENCE * SECOND + SLACK, "freeze", &answer))
        return FREEZE_FAILED;
    if (!json_is_integer(json_object_get(answer, "frozen"))) {
        json_decref(answer);
        return fail(FREEZE_FAILED, "%s does not say that anything is frozen", p->guest);
    }
    if (common.verbose)
        say("%s: %lld file systems are frozen", p->guest, (long long)json_integer_value(json_object_get(answer, "frozen")));
    json_decref(answer);
    p->loop.signalled = signalled;
    p->loop.signalled_arg = f;
    return thaw(f, run_command(f, argv));
}

/* ---- the command line ---- */

/* "30" or "30s". */
static bool take_time(const char *text, int64_t *ns)
{
    size_t len = strlen(text);
    char number[32];

    snprintf(number, sizeof number, "%.*s", (int)(len && text[len - 1] == 's' ? len - 1 : len), text);
    if (len < sizeof number && parse_seconds(number, ns) && *ns > 0 && *ns <= FREEZE_MOST * SECOND)
        return true;
    fail_usage("--for: '%s' is no number of seconds up to %u", text, FREEZE_MOST);
    return false;
}

static int run(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        { "for", required_argument, NULL, OPTION_FOR }, { "wait", required_argument, NULL, 'w' },
        { "retry", required_argument, NULL, 'r' },      COMMON_LONG
    };
    struct freeze f = { .time = 0 };
    int64_t patience = 5 * SECOND, retry = 0;
    int status = EXIT_OK, option;

    while ((option = options_next(argc, argv, ":w:r:" COMMON_SHORT, options, verb->help, &status)) != -1) {
        if (option == OPTIONS_STOP)
            return status ? FREEZE_FAILED : EXIT_OK;
        if (option == OPTION_FOR) {
            if (!take_time(optarg, &f.time))
                return FREEZE_FAILED;
        } else if (!parse_seconds(optarg, option == 'w' ? &patience : &retry)) {
            fail_usage("'%s' is no number of seconds", optarg);
            return FREEZE_FAILED;
        }
    }
    if (argc - optind < 2 || !f.time) {
        fail_usage(!f.time ? "--for SECONDS is needed: when the guest is to thaw by itself" : "a guest and a command are needed");
        return FREEZE_FAILED;
    }
    status = parley_open(&f.parley, argv[optind], "manage", patience, retry);
    return parley_close(&f.parley, status ? FREEZE_FAILED : freeze(&f, argv + optind + 1));
}

const struct verb verb_freeze = { "freeze", "a command while a guest's file systems stand still", help, run };

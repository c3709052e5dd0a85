/* SPDX-License-Identifier: MIT */
/* ga.c: what a guest's qemu-guest-agent can do, by way of xvs-agent: xvs ga, info, shutdown, reboot and time-sync. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "infotext.h"
#include "json.h"
#include "parley.h"
#include "parley_line.h"
#include "say.h"
#include "verb.h"

#define DEPTH 24u               /* of what we send */

#define HELP_COMMON                                                                     \
    PARLEY_LINE_HELP                                                                    \
    "It needs xvs-agent and the package qemu-guest-agent in the guest.\n"              \
    "\n"

#define HELP_STATUS                                                                     \
    "Exit status: 0 done, 1 qemu-guest-agent says no, 3 no guest or device, 4 no agent, or no qemu-guest-agent\n"  \
    "there, 6 connection broken, 8 timed out, 10 somebody else speaks with it; others: xvs(1).\n"                  \
    "Manual page: xvs-manage(1).\n"

static int64_t until(const struct parley_line *l)
{
    return clock_ns() + l->timeout;
}

static int open_line(struct parley *p, struct ga *g, const struct parley_line *l)
{
    return parley_open_ga(p, g, l->guest, l->patience, l->retry, l->patience + l->retry + until(l));
}

static int print(const json_t *value)
{
    size_t flags = JSON_ENCODE_ANY | JSON_PRESERVE_ORDER;

    /* In a terminal nothing is to be obeyed that a guest says. */
    flags |= isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII | JSON_INDENT(2) : JSON_COMPACT;
    json_dumpf(value, stdout, flags);
    putchar('\n');
    return EXIT_OK;
}

/* ---- those that end the guest ---- */

/* They have no answer but an error; that it goes away is the sign that it worked. */
static int end_guest(struct parley *p, struct ga *g, const struct parley_line *l, const char *command, json_t *arguments, const char *what)
{
    int64_t end = until(l);
    json_t *value;
    int err = ga_call(g, command, arguments, end, &value);

    /* Some version may say that it was asked well.  What comes then is its end. */
    while (!err) {
        json_decref(value);
        err = clock_ns() < end ? lines_hear(&p->lines, end, &value, g->why) : -ETIMEDOUT;
    }
    if (err == -ETIMEDOUT)
        return fail(EXIT_TIME, "%s was asked to %s, and its agent is still there %.3g s later", l->guest, what, (double)l->timeout / SECOND);
    if (err != -ECONNRESET && err != -EPIPE)
        return parley_ga_failed(p, g, err, command);
    if (common.verbose)
        say("%s has gone, as it was asked to", l->guest);
    return EXIT_OK;
}

static int run_end(const struct verb *verb, int argc, char **argv)
{
    bool reboots = verb == &verb_reboot;
    struct parley_line l = { .timeout = 60 * SECOND };
    struct parley p;
    struct ga g;
    int status = EXIT_OK;

    if (!parley_line(verb, argc, argv, &l, 0, 0, 0, &status))
        return status;
    if (l.json)
        return fail_usage("there is nothing to be printed, and --json has no use");
    if (!(status = open_line(&p, &g, &l)))
        status = end_guest(&p, &g, &l, "guest-shutdown", json_pack("{s:s}", "mode", reboots ? "reboot" : "powerdown"),
                           reboots ? "reboot" : "shut down");
    return parley_close(&p, status);
}

static const char help_shutdown[] =
    "usage: xvs shutdown [OPTION...] GUEST\n"
    "Has a guest shut itself down, and waits until its agent has gone: that is how it shows that it worked.\n"
    "\n"
    "  -t, --timeout SECONDS how long it may take (default 60)\n"
    HELP_COMMON
    "Example: xvs shutdown web1\n"
    "\n"
    HELP_STATUS;

static const char help_reboot[] =
    "usage: xvs reboot [OPTION...] GUEST\n"
    "Has a guest reboot, and waits until its agent has gone: that is how it shows that it worked.\n"
    "'xvs exec --retry 60 GUEST -- true' waits until it is back.\n"
    "\n"
    "  -t, --timeout SECONDS how long it may take to go (default 60)\n"
    HELP_COMMON
    "Example: xvs reboot web1\n"
    "\n"
    HELP_STATUS;

const struct verb verb_shutdown = { "shutdown", "has a guest shut itself down", help_shutdown, run_end };
const struct verb verb_reboot = { "reboot", "has a guest reboot", help_reboot, run_end };

/* ---- any command ---- */

static bool is_silent(const char *command)
{
    static const char *const silent[] = { "guest-shutdown", "guest-suspend-disk", "guest-suspend-ram", "guest-suspend-hybrid", NULL };
    const char *const *at = silent;

    while (*at && strcmp(*at, command) != 0)
        at++;
    return *at != NULL;
}

static int ask_any(struct parley *p, struct ga *g, const struct parley_line *l, const char *command, json_t *arguments)
{
    json_t *value;
    int status, err;

    if (is_silent(command))
        return end_guest(p, g, l, command, arguments, command);
    if ((err = ga_call(g, command, arguments, until(l), &value)))
        return parley_ga_failed(p, g, err, command);
    status = print(value);
    json_decref(value);
    return status;
}

static int run_ga(const struct verb *verb, int argc, char **argv)
{
    struct parley_line l = { .timeout = 30 * SECOND };
    json_t *arguments = NULL;
    char why[JSON_WHY];
    struct parley p;
    struct ga g;
    int status = EXIT_OK;

    if (!parley_line(verb, argc, argv, &l, 1, 2, 0, &status))
        return status;
    if (l.words[1] && !(arguments = json_bounded(l.words[1], strlen(l.words[1]), DEPTH, why)))
        return fail_usage("the arguments are %s; an object is wanted, such as '{\"path\": \"/etc/hostname\"}'", why);
    if (!(status = open_line(&p, &g, &l)))
        status = ask_any(&p, &g, &l, l.words[0], arguments);
    else
        json_decref(arguments);
    return parley_close(&p, status);
}

static const char help_ga[] =
    "usage: xvs ga [OPTION...] GUEST COMMAND [JSON]\n"
    "One of qemu-guest-agent's own commands, with its arguments as a JSON object; prints what it returns.\n"
    "qemu-ga-ref(7) lists them, as does the guest: xvs ga GUEST guest-info.\n"
    "\n"
    "  -t, --timeout SECONDS time limit for its answer (default 30)\n"
    "  -j, --json            prints JSON, which it does anyway\n"
    HELP_COMMON
    "Example: xvs ga web1 guest-file-open '{\"path\": \"/etc/hostname\", \"mode\": \"r\"}'\n"
    "\n"
    HELP_STATUS;

const struct verb verb_ga = { "ga", "a command of a guest's qemu-guest-agent", help_ga, run_ga };

/* ---- what it is ---- */

static const struct fact {
    const char *name, *command;
} facts[] = {
    { "system", "guest-get-osinfo" },      { "host_name", "guest-get-host-name" },
    { "time_zone", "guest-get-timezone" }, { "vcpus", "guest-get-vcpus" },
    { "interfaces", "guest-network-get-interfaces" }, { "users", "guest-get-users" },
    { "file_systems", "guest-get-fsinfo" }, { "agent", "guest-info" },
};

/* What it does not know, or may not tell, is null. */
static int learn(struct parley *p, struct ga *g, const struct parley_line *l, json_t *info)
{
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        json_t *value;
        int err = ga_call(g, facts[i].command, NULL, until(l), &value);

        if (err == -EREMOTEIO) {
            if (common.verbose)
                say("%s: %s: %s", l->guest, facts[i].command, g->why);
            value = json_null();
        } else if (err) {
            return parley_ga_failed(p, g, err, facts[i].command);
        }
        if (json_object_set_new(info, facts[i].name, value))
            return fail(EXIT_OTHER, "out of memory");
    }
    return EXIT_OK;
}

static int run_info(const struct verb *verb, int argc, char **argv)
{
    struct parley_line l = { .timeout = 30 * SECOND };
    struct parley p;
    struct ga g;
    json_t *info;
    int status = EXIT_OK;

    if (!parley_line(verb, argc, argv, &l, 0, 0, 0, &status))
        return status;
    info = json_pack("{s:s}", "guest", l.guest);
    if (!(status = open_line(&p, &g, &l)) && !(status = learn(&p, &g, &l, info))) {
        if (l.json)
            print(info);
        else
            infotext_print(stdout, l.guest, info);
    }
    json_decref(info);
    return parley_close(&p, status);
}

static const char help_info[] =
    "usage: xvs info [OPTION...] GUEST\n"
    "What a guest is: its system, addresses, users and file systems, as its qemu-guest-agent says.\n"
    "\n"
    "  -j, --json            one JSON object, with what qemu-guest-agent returned\n"
    "  -t, --timeout SECONDS time limit for each of its answers (default 30)\n"
    HELP_COMMON
    "Example: xvs info --json web1 | jq -r '.interfaces[].\"ip-addresses\"[]?.\"ip-address\"'\n"
    "\n"
    HELP_STATUS;

const struct verb verb_info = { "info", "a guest's system, addresses, users and file systems", help_info, run_info };

/* ---- its clock ---- */

static int64_t wall_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

struct reading {
    int64_t ahead, trip;        /* ns: how far its clock is before ours, and how long it took to learn that */
};

static int read_clock(struct ga *g, const struct parley_line *l, struct reading *r)
{
    int64_t before = wall_ns(), began = clock_ns();
    json_t *value;
    int err = ga_call(g, "guest-get-time", NULL, until(l), &value);

    if (err)
        return err;
    r->trip = clock_ns() - began;
    r->ahead = json_integer_value(value) - before - r->trip / 2;
    err = json_is_integer(value) && json_integer_value(value) >= 0 ? 0 : -EPROTO;
    if (err)
        snprintf(g->why, sizeof g->why, "a time that is none");
    json_decref(value);
    return err;
}

static const char *offset_text(char text[48], int64_t ns)
{
    double seconds = (double)(ns < 0 ? -ns : ns) / SECOND;

    snprintf(text, 48, seconds < 1 ? "%.3f ms %s" : "%.3f s %s", seconds < 1 ? seconds * 1000 : seconds, ns < 0 ? "behind" : "ahead");
    return text;
}

static int set_clock(struct parley *p, struct ga *g, const struct parley_line *l)
{
    char was[48], is[48], why[LINES_WHY] = "";
    struct reading before, after;
    json_t *value = NULL;
    int64_t size;
    int err = read_clock(g, l, &before);

    if (err)
        return parley_ga_failed(p, g, err, "guest-get-time");
    err = ga_call(g, "guest-set-time", json_pack("{s:I}", "time", (json_int_t)(wall_ns() + before.trip / 2)), until(l), &value);
    json_decref(value);
    if (err && err != -EREMOTEIO)
        return parley_ga_failed(p, g, err, "guest-set-time");
    /* It sets its hardware's clock, too, and complains where there is none, as in a PV guest.  What counts is what its clock says. */
    if (err)
        snprintf(why, sizeof why, "%s", g->why);
    if ((err = read_clock(g, l, &after)))
        return parley_ga_failed(p, g, err, "guest-get-time");
    size = after.ahead < 0 ? -after.ahead : after.ahead;
    if (size > SECOND / 2 + before.trip + after.trip)
        return fail(EXIT_OTHER, "%s: its clock is still %s%s%s", l->guest, offset_text(is, after.ahead), *why ? ": " : "", why);
    if (*why && common.verbose)
        say("%s: its clock was set; besides: %s", l->guest, why);
    if (l->json)
        printf("{\"guest\":\"%s\",\"was_ns\":%lld,\"is_ns\":%lld,\"round_trip_ns\":%lld}\n", l->guest, (long long)before.ahead,
               (long long)after.ahead, (long long)after.trip);
    else
        printf("%s: was %s, is %s\n", l->guest, offset_text(was, before.ahead), offset_text(is, after.ahead));
    return EXIT_OK;
}

static int run_time(const struct verb *verb, int argc, char **argv)
{
    struct parley_line l = { .timeout = 30 * SECOND };
    struct parley p;
    struct ga g;
    int status = EXIT_OK;

    if (!parley_line(verb, argc, argv, &l, 0, 0, 0, &status))
        return status;
    if (!(status = open_line(&p, &g, &l)))
        status = set_clock(&p, &g, &l);
    return parley_close(&p, status);
}

static const char help_time[] =
    "usage: xvs time-sync [OPTION...] GUEST\n"
    "Sets a guest's clock to ours, after it was paused or restored, and says how far off it was and is.\n"
    "\n"
    "  -j, --json            one JSON object: guest, was_ns, is_ns, round_trip_ns\n"
    "  -t, --timeout SECONDS time limit for each answer (default 30)\n"
    HELP_COMMON
    "Example: xvs time-sync web1\n"
    "\n"
    HELP_STATUS;

const struct verb verb_time_sync = { "time-sync", "sets a guest's clock to ours", help_time, run_time };

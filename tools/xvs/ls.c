/* SPDX-License-Identifier: MIT */
/* ls.c: xvs ls, in dom0 a table of guests and in a guest the state of its device, which it looks at and does not open. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <xvs.h>

#include "control.h"
#include "lstable.h"
#include "say.h"
#include "verb.h"


struct ls {
    bool json;
    int64_t watch;              /* ns, 0: once */
    char **names;               /* guests asked for, or all if there are none */
    int count;
};

/* ---- a guest in the answer ---- */

static const char *text_of(const json_t *guest, const char *key)
{
    const char *text = json_string_value(json_object_get(guest, key));

    return text ? text : "";
}

static uint64_t number_of(const json_t *guest, const char *key, const char *inner)
{
    const json_t *value = json_object_get(guest, key);

    if (inner)
        value = json_object_get(value, inner);
    return (uint64_t)json_integer_value(value);
}

static bool is_named(const json_t *guest, const char *name)
{
    uint64_t number;

    if (strncmp(name, "cid:", 4) == 0)
        return parse_number(name + 4, UINT32_MAX, &number) && number_of(guest, "cid", NULL) == number;
    if (parse_number(name + (*name == ':'), UINT32_MAX, &number))
        return number_of(guest, "domid", NULL) == number;
    return strcmp(text_of(guest, "name"), name) == 0;
}

/* The guests that were asked for; false after a message if one is missing. */
static bool choose(const struct ls *ls, const json_t *all, json_t *chosen)
{
    bool whole = true;
    json_t *guest;
    size_t i;

    for (int n = 0; n < ls->count; n++) {
        size_t before = json_array_size(chosen);

        json_array_foreach(all, i, guest)
            if (is_named(guest, ls->names[n]))
                json_array_append(chosen, guest);
        if (json_array_size(chosen) == before) {
            say("there is no guest %s; see 'xvs ls', or attach it with 'xvs attach %s'", ls->names[n], ls->names[n]);
            whole = false;
        }
    }
    if (!ls->count)
        json_array_extend(chosen, (json_t *)(uintptr_t)all);
    return whole;
}

/* ---- the table ---- */

/* Of the terminal; 0: it is none, and nothing is to be cut. */
static unsigned columns_of_output(void)
{
    struct winsize size;

    return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? size.ws_col : 0;
}

/* ---- dom0 ---- */

static int list_once(const struct ls *ls)
{
    json_t *answer, *guests = json_array(), *all;
    char why[WHY];
    int status = EXIT_OK, err = control_ask(json_pack("{s:s}", "verb", "ls"), &answer, why);

    if (err) {
        json_decref(guests);
        return fail(control_status(err), "%s", why);
    }
    all = json_object_get(answer, "guests");
    if (!json_is_array(all)) {
        status = fail(EXIT_RESET, "xvsd's answer has no list of guests: is it of another version?");
    } else {
        if (!choose(ls, all, guests))
            status = EXIT_ABSENT;
        if (ls->json) {
            json_object_del(answer, "ok");
            json_object_set(answer, "guests", guests);
            json_dumpf(answer, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
            putchar('\n');
        } else {
            lstable_print(stdout, guests, columns_of_output(), colour_on(stdout));
        }
    }
    json_decref(guests);
    json_decref(answer);
    return status;
}

/* ---- a guest ---- */

/* up: owned and connected.  free: a program may open it.  down: there is none, or nothing is at its other end. */
static const char *word_of(const struct xvs_device_info *info)
{
    bool waits_in_vain = info->state == 1 && info->backend_state != 2;

    if (info->is_up)
        return "up";
    return info->is_attached && !info->owner && !info->is_kernels && !waits_in_vain ? "free" : "down";
}

static void print_record(const struct xvs_device_info *info)
{
    json_t *o = json_pack("{s:i, s:s, s:o, s:o, s:s?, s:s}", "device", (int)common.device, "state", word_of(info), "cid",
                          info->cid ? json_integer((json_int_t)info->cid) : json_null(), "owner",
                          info->owner > 0 ? json_integer((json_int_t)info->owner) : json_null(), "reason", info->reason,
                          "version", xvs_version());

    json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(o);
}

static void print_device(const struct xvs_device_info *info)
{
    const char *word = word_of(info), *colour = info->is_up ? "\033[32m" : strcmp(word, "down") == 0 ? "\033[31m" : "\033[33m";

    printf("device %u: ", common.device);
    printf("%s%s%s", colour_on(stdout) ? colour : "", word, colour_on(stdout) ? "\033[0m" : "");
    if (info->cid)
        printf(", CID %llu", (unsigned long long)info->cid);
    fputs(": ", stdout);
    say_clean(stdout, info->reason);
    putchar('\n');
}

static int show_once(const struct ls *ls)
{
    struct xvs_device_info info = { .size = sizeof info };
    struct xvs_options o;
    int err;

    xvs_options_init(&o);
    o.device = common.device;
    if ((err = xvs_look(&o, &info)))
        return fail(exit_status(err), "cannot look at the vsock device of this guest: %s%s", xvs_open_error(),
                    common.which == SIDE_GUESS ? " (in dom0: start xvsd, or name its directory with --run-dir)" : "");
    (ls->json ? print_record : print_device)(&info);
    return strcmp(word_of(&info), "down") == 0 ? EXIT_ABSENT : EXIT_OK;
}

/* ---- again and again ---- */

static int list(const struct ls *ls, int (*once)(const struct ls *))
{
    bool clears = ls->watch && !ls->json && colour_on(stdout);
    int status;

    for (;;) {
        struct timespec pause = { .tv_sec = ls->watch / SECOND, .tv_nsec = ls->watch % SECOND };

        if (clears)
            fputs("\033[H\033[J", stdout);
        status = once(ls);
        if (!ls->watch || fflush(stdout) != 0)
            return status;
        if (!clears && !ls->json)
            putchar('\n');
        nanosleep(&pause, NULL);
    }
}

/* ---- the command line ---- */

static const char help[] =
    "usage: xvs ls [OPTION...] [GUEST...]\n"
    "In dom0: the guests that have a vsock device, or those named (by name, domid, or cid:N).\n"
    "In a guest: its own device, its CID, and whether it is up (a program has it open and is connected with\n"
    "xvsd), free (a program may open it) or down.\n"
    "\n"
    "  -j, --json             one object a line\n"
    "  -w, --watch SECONDS    again and again\n"
    "  -d, --device N, -v, -q, --host, --guest, --run-dir DIR: see xvs --help\n"
    "\n"
    "FROM and TO are the bytes that came from the guest and went to it, NOTIFIED the event-channel notifications\n"
    "both ways.\n"
    "\n"
    "Example: wait until web1 is connected\n"
    "  until xvs ls --json web1 | grep -q '\"state\":\"Connected\"'; do sleep 1; done\n"
    "\n"
    "Exit status: 0 done, 3 no daemon, a guest that was named is missing, or the device is down.\n";

static int run(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' }, { "watch", required_argument, NULL, 'w' }, COMMON_LONG
    };
    struct ls ls = { .json = false };
    int status = EXIT_OK, option;

    while ((option = options_next(argc, argv, ":jw:" COMMON_SHORT, options, verb->help, &status)) != -1) {
        if (option == 'j')
            ls.json = true;
        else if (option != 'w')
            return status;
        else if (!parse_seconds(optarg, &ls.watch) || ls.watch < SECOND / 100)
            return fail_usage("--watch: '%s' is no number of seconds from 0.01", optarg);
    }
    ls.names = argv + optind;
    ls.count = argc - optind;
    if (common.which == SIDE_HOST || (common.which == SIDE_GUESS && is_dom0()))
        return list(&ls, list_once);
    if (ls.count)
        return fail_usage("in a guest there are no guests to name");
    return list(&ls, show_once);
}

const struct verb verb_ls = { "ls", "guests and their state; in a guest, its device", help, run };

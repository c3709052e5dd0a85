/* SPDX-License-Identifier: MIT */
/* daemon.c: the verbs that speak with the daemon alone: attach, detach, dump, stats.  (ls is in ls.c.) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "say.h"
#include "verb.h"

enum { OPTION_CID = OPTION_FIRST, OPTION_ALL };

/* The command line of one of these verbs. */
struct order {
    const char *domain;
    uint64_t cid;
    bool all;
    bool json;
};

/* What there is besides --json: one option of the verb's own, or none. */
static const struct option only_json[] = { { "json", no_argument, NULL, 'j' }, COMMON_LONG };
static const struct option with_cid[] = {
    { "cid", required_argument, NULL, OPTION_CID }, { "json", no_argument, NULL, 'j' }, COMMON_LONG
};
static const struct option with_all[] = {
    { "all", no_argument, NULL, OPTION_ALL }, { "json", no_argument, NULL, 'j' }, COMMON_LONG
};

static int parse(const struct verb *verb, int argc, char **argv, bool wants_domain, const struct option *options,
                 struct order *o)
{
    int status = EXIT_OK, option;

    *o = (struct order){ 0 };
    while ((option = options_next(argc, argv, ":j" COMMON_SHORT, options, verb->help, &status)) != -1) {
        if (option == OPTIONS_STOP)
            return status;
        if (option == 'j')
            o->json = true;
        else if (option == OPTION_ALL)
            o->all = true;
        else if (!parse_number(optarg, UINT32_MAX - 1, &o->cid) || o->cid < 3)
            return fail_usage("--cid: '%s' is no CID of a guest: a number from 3 to 4294967294", optarg);
    }
    if (o->all && common.has_device)
        return fail_usage("--device is one and --all is all: give one of the two");
    if (argc - optind != (wants_domain ? 1 : 0))
        return fail_usage(wants_domain ? "GUEST is needed, and nothing else" : "no arguments are needed");
    o->domain = wants_domain ? argv[optind] : NULL;
    if (common.which == SIDE_GUEST)
        return fail_usage("this works in dom0 alone");
    return -1;
}

/* ---- attach, detach ---- */

/* ", device 0, CID 77" of what was attached; ", device 0" or ", devices 0 1" of what was detached. */
static void print_change(const json_t *answer)
{
    const json_t *guest = json_object_get(answer, "guest"), *devices = json_object_get(answer, "devices"), *number;
    size_t i;

    if (guest)
        printf(", device %lld, CID %lld", (long long)json_integer_value(json_object_get(guest, "device")),
               (long long)json_integer_value(json_object_get(guest, "cid")));
    if (json_array_size(devices))
        printf(json_array_size(devices) > 1 ? ", devices" : ", device");
    json_array_foreach(devices, i, number)
        printf(" %lld", (long long)json_integer_value(number));
    putchar('\n');
}

static int change(const struct verb *verb, int argc, char **argv, bool attaches)
{
    json_t *request, *answer;
    struct order o;
    int status = parse(verb, argc, argv, true, attaches ? with_cid : with_all, &o);

    if (status >= 0)
        return status;
    if (!(request = json_pack("{s:s, s:s}", "verb", verb->name, "domain", o.domain)))
        return fail_usage("'%s' is no name of a guest: it is not UTF-8", o.domain);
    if (common.has_device)
        json_object_set_new(request, "device", json_integer(common.device));
    if (o.cid)
        json_object_set_new(request, "cid", json_integer((json_int_t)o.cid));
    if (o.all)
        json_object_set_new(request, "all", json_true());
    if ((status = ask(request, &answer)))
        return status;
    if (o.json) {
        print_json(answer);
    } else {
        say_clean(stdout, o.domain);
        printf(": %s", attaches ? "attached" : "detached");
        print_change(answer);
    }
    json_decref(answer);
    return EXIT_OK;
}

static int run_attach(const struct verb *verb, int argc, char **argv)
{
    return change(verb, argc, argv, true);
}

static int run_detach(const struct verb *verb, int argc, char **argv)
{
    return change(verb, argc, argv, false);
}

/* ---- dump, stats ---- */

static void print_value(const json_t *value, int depth);

static void print_pair(const char *key, const json_t *value, int depth)
{
    printf("%*s", 2 * depth, "");
    say_clean(stdout, key);
    putchar(':');
    if ((json_is_object(value) && json_object_size(value)) || (json_is_array(value) && json_array_size(value))) {
        putchar('\n');
        print_value(value, depth + 1);
    } else if (json_is_object(value) || json_is_array(value)) {
        puts(" none");
    } else {
        putchar(' ');
        print_value(value, 0);
    }
}

/* Text, line by line. */
static void print_text(const char *text, int depth)
{
    while (*text) {
        const char *end = strchrnul(text, '\n');
        char *line = strndup(text, (size_t)(end - text));

        printf("%*s", 2 * depth, "");
        if (line)
            say_clean(stdout, line);
        putchar('\n');
        free(line);
        text = *end ? end + 1 : end;
    }
}

/* For people: keys and values, one a line, indented as they are nested (the parser bounds how deep that is). */
static void print_value(const json_t *value, int depth)
{
    const char *key;
    json_t *item;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
            print_pair(key, item, depth);
        break;
    case JSON_ARRAY:
        json_array_foreach(value, i, item) {
            char number[24];

            if (json_is_object(item) || json_is_array(item)) {
                snprintf(number, sizeof number, "%zu", i);
                print_pair(number, item, depth);
            } else {
                print_value(item, depth);
            }
        }
        break;
    case JSON_STRING:
        if (*json_string_value(value))
            print_text(json_string_value(value), depth);
        else
            putchar('\n');
        break;
    case JSON_INTEGER:
        printf("%*s%lld\n", 2 * depth, "", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        printf("%*s%g\n", 2 * depth, "", json_real_value(value));
        break;
    default:
        printf("%*s%s\n", 2 * depth, "", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
    }
}

/* Of the guests in a dump, those with the device that was named. */
static void keep_device(json_t *answer)
{
    json_t *guests = json_object_get(answer, "guests");

    for (size_t i = json_array_size(guests); common.has_device && i-- > 0;)
        if (json_integer_value(json_object_get(json_array_get(guests, i), "device")) != (json_int_t)common.device)
            json_array_remove(guests, i);
}

static int show(const struct verb *verb, int argc, char **argv, bool wants_domain)
{
    json_t *request, *answer;
    struct order o;
    int status = parse(verb, argc, argv, wants_domain, only_json, &o);

    if (status >= 0)
        return status;
    request = wants_domain ? json_pack("{s:s, s:s}", "verb", verb->name, "domain", o.domain)
                           : json_pack("{s:s}", "verb", verb->name);
    if (!request)
        return fail_usage("'%s' is no name of a guest: it is not UTF-8", o.domain);
    if ((status = ask(request, &answer)))
        return status;
    if (wants_domain) {
        keep_device(answer);
        if (!json_array_size(json_object_get(answer, "guests")))
            status = fail(EXIT_ABSENT, "%s has no such device; attach it with 'xvs attach %s'", o.domain, o.domain);
    }
    if (o.json) {
        print_json(answer);
    } else {
        json_object_del(answer, "ok");
        print_value(answer, 0);
    }
    json_decref(answer);
    return status;
}

static int run_dump(const struct verb *verb, int argc, char **argv)
{
    return show(verb, argc, argv, true);
}

static int run_stats(const struct verb *verb, int argc, char **argv)
{
    return show(verb, argc, argv, false);
}

/* ---- the command lines ---- */

static const char help_attach[] =
    "usage: xvs attach [OPTION...] GUEST\n"
    "Gives the guest GUEST (a name or domid) a vsock device, in dom0.\n"
    "\n"
    "      --cid N            its context id, from 3 (default: chosen by xvsd, and kept)\n"
    "  -d, --device N         which device (default: the first that is free)\n"
    "  -j, --json             print the daemon's answer\n"
    "  -v, -q, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example:\n"
    "  xvs attach --cid 42 web1\n"
    "\n"
    "Exit status: 0 done, 1 the daemon said no (and why), 3 no daemon.\n";

static const char help_detach[] =
    "usage: xvs detach [OPTION...] GUEST\n"
    "Takes the vsock device of GUEST (a name or domid) away, in dom0.  Its connections end with a reset.\n"
    "A guest with several devices keeps them all until it is said which one is meant.\n"
    "\n"
    "  -d, --device N         which device (default: the only one that it has)\n"
    "      --all              all that it has\n"
    "  -j, --json             print the daemon's answer\n"
    "  -v, -q, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example:\n"
    "  xvs detach web1\n"
    "\n"
    "Exit status: 0 done, 1 the daemon said no (no such device, or several), 3 no daemon.\n";

static const char help_dump[] =
    "usage: xvs dump [OPTION...] GUEST\n"
    "Prints all that the daemon knows of a guest's device, its rings and its connections.\n"
    "\n"
    "  -d, --device N         only this device (default: all)\n"
    "  -j, --json             as JSON\n"
    "  -v, -q, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example: what is a stalled connection waiting for?\n"
    "  xvs dump web1\n"
    "\n"
    "Exit status: 0 done, 1 the daemon said no (and why), 3 no daemon, or no such device.\n";

static const char help_stats[] =
    "usage: xvs stats [OPTION...]\n"
    "Prints the daemon's counters.\n"
    "\n"
    "  -j, --json             as JSON\n"
    "  -v, -q, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example:\n"
    "  xvs stats --json | jq .\n"
    "\n"
    "Exit status: 0 done, 3 no daemon.\n";

const struct verb verb_attach = { "attach", "give a guest a device (dom0)", help_attach, run_attach };
const struct verb verb_detach = { "detach", "take it away (dom0)", help_detach, run_detach };
const struct verb verb_dump = { "dump", "everything about one guest's device (dom0)", help_dump, run_dump };
const struct verb verb_stats = { "stats", "the daemon's counters (dom0)", help_stats, run_stats };

/* SPDX-License-Identifier: MIT */
/* policy.c: xvs policy, who may reach whom by what the daemon has in force, and xvs reload. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "policy_source.h"
#include "say.h"
#include "verb.h"

#define UNIX_USER  "@unix/user:"
#define UNIX_GROUP "@unix/group:"

/* ---- whose program ---- */

/* As the kernel would tell the daemon: the user and all groups, the first one of them included; -1 for none. */
static void add_ids(json_t *request, uid_t user, gid_t first, const gid_t *groups, int count)
{
    json_t *list = json_array();

    if (first != (gid_t)-1)
        json_array_append_new(list, json_integer(first));
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_integer(groups[i]));
    json_object_set_new(request, "groups", list);
    if (user != (uid_t)-1)
        json_object_set_new(request, "user", json_integer(user));
}

static int add_caller(json_t *request)
{
    int count = getgroups(0, NULL);
    gid_t *groups = calloc((size_t)(count < 0 ? 0 : count) + 1, sizeof *groups);

    if (count < 0 || !groups || (count = getgroups(count, groups)) < 0) {
        free(groups);
        return fail(EXIT_OTHER, "cannot find out your own groups: %s", strerror(errno));
    }
    add_ids(request, geteuid(), getegid(), groups, count);
    free(groups);
    return EXIT_OK;
}

static int add_user(json_t *request, const char *name)
{
    const struct passwd *pw = getpwnam(name);
    int count = 64, room;
    gid_t *groups = NULL;
    uint64_t number;

    if (!pw && parse_number(name, UINT32_MAX - 1, &number))
        pw = getpwuid((uid_t)number);
    else if (!pw)
        return fail_usage("there is no user '%s'", name);
    if (!pw) {                  /* a number that no user has, who is in no group that is known */
        add_ids(request, (uid_t)number, (gid_t)-1, NULL, 0);
        return EXIT_OK;
    }
    do {
        free(groups);
        room = count;
        if (!(groups = calloc((size_t)room, sizeof *groups)))
            return fail(EXIT_OTHER, "out of memory");
    } while (getgrouplist(pw->pw_name, pw->pw_gid, groups, &count) < 0 && count > room);
    add_ids(request, pw->pw_uid, pw->pw_gid, groups, count < room ? count : room);
    free(groups);
    return EXIT_OK;
}

static int add_group(json_t *request, const char *name)
{
    const struct group *gr = getgrnam(name);
    uint64_t number;

    if (!gr && !parse_number(name, UINT32_MAX - 1, &number))
        return fail_usage("there is no group '%s'", name);
    add_ids(request, (uid_t)-1, gr ? gr->gr_gid : (gid_t)number, NULL, 0);
    return EXIT_OK;
}

int policy_source(json_t *request, const char *source)
{
    bool user = strncmp(source, UNIX_USER, strlen(UNIX_USER)) == 0, group = strncmp(source, UNIX_GROUP, strlen(UNIX_GROUP)) == 0;

    if (json_object_set_new(request, "source", json_string(user || group ? "@unix" : source)) < 0)
        return fail_usage("'%s' is no source", source);
    if (user)
        return add_user(request, source + strlen(UNIX_USER));
    if (group)
        return add_group(request, source + strlen(UNIX_GROUP));
    return strcmp(source, "@unix") == 0 ? add_caller(request) : EXIT_OK;
}

/* ---- the daemon's answer ---- */

static void print_line(const json_t *line)
{
    const char *file = json_string_value(json_object_get(line, "file")), *text = json_string_value(json_object_get(line, "text"));

    say_clean(stdout, file ? file : "?");
    printf(":%lld: ", (long long)json_integer_value(json_object_get(line, "line")));
    say_clean(stdout, text ? text : "");
    putchar('\n');
}

static int show(bool json)
{
    json_t *answer, *line;
    size_t i;
    int status = ask(json_pack("{s:s}", "verb", "policy"), &answer);

    if (status)
        return status;
    if (json)
        print_json(answer);
    else
        json_array_foreach(json_object_get(answer, "lines"), i, line)
            print_line(line);
    json_decref(answer);
    return EXIT_OK;
}

static int check(bool json, const char *source, const char *destination, const char *port_text)
{
    json_t *request = json_pack("{s:s}", "verb", "policy"), *answer;
    uint32_t port;
    int status;

    if (!port_argument(port_text, &port) || (status = policy_source(request, source))) {
        status = EXIT_USAGE;
    } else if (json_object_set_new(request, "destination", json_string(destination)) < 0) {
        status = fail_usage("'%s' is no destination", destination);
    } else {
        json_object_set_new(request, "port", json_integer(port));
        status = ask(json_incref(request), &answer);
    }
    json_decref(request);
    if (status)
        return status;
    status = json_is_true(json_object_get(answer, "allowed")) ? EXIT_OK : EXIT_REFUSED;
    if (json)
        print_json(answer);
    else if (json_object_get(answer, "file"))
        print_line(answer);
    else
        puts("no line of the policy decides: denied");
    json_decref(answer);
    return status;
}

/* ---- the command lines ---- */

static const char help_policy[] =
    "usage: xvs policy [--json]\n"
    "       xvs policy check [--json] SOURCE DESTINATION PORT\n"
    "Prints who may reach whom, in dom0: the lines of the policy that xvsd has in force, in their order; or with\n"
    "check the one line that decides about a connection.\n"
    "\n"
    "SOURCE and DESTINATION are a guest (its name, :DOMID or uuid:UUID; it need not be there), @unix (a program of\n"
    "this host by a UNIX socket) or @vsock (by AF_VSOCK).  As SOURCE @unix is a program of whoever asks, with his\n"
    "groups; @unix/user:NAME and @unix/group:NAME are somebody else's.\n"
    "\n"
    "  -j, --json             one object\n"
    "  -v, -q, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example: may web1 reach the database in db1, and why?\n"
    "  xvs policy check web1 db1 5432\n"
    "\n"
    "Exit status: 0 done, and allowed; 3 no daemon; 4 it is denied.\n";

static const char help_reload[] =
    "usage: xvs reload\n"
    "Has xvsd read its settings and its policy again, in dom0.  If there is an error in them, nothing changes.\n"
    "\n"
    "  -v, -q, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example:\n"
    "  xvs reload && xvs policy check web1 db1 22\n"
    "\n"
    "Exit status: 0 done, 1 there is an error in them (and where), 3 no daemon.\n";

static int run_policy(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, COMMON_LONG };
    int status = EXIT_OK, option;
    bool json = false;

    while ((option = options_next(argc, argv, ":j" COMMON_SHORT, options, verb->help, &status)) != -1) {
        if (option != 'j')
            return status;
        json = true;
    }
    if (common.which == SIDE_GUEST)
        return fail_usage("this works in dom0 alone");
    argc -= optind;
    argv += optind;
    if (!argc)
        return show(json);
    if (argc != 4 || strcmp(argv[0], "check") != 0)
        return fail_usage("it is 'xvs policy', or 'xvs policy check SOURCE DESTINATION PORT'");
    return check(json, argv[1], argv[2], argv[3]);
}

static int run_reload(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = { COMMON_LONG };
    int status = EXIT_OK;
    json_t *answer;

    if (options_next(argc, argv, ":" COMMON_SHORT, options, verb->help, &status) != -1)
        return status;
    if (optind < argc)
        return fail_usage("no arguments are needed");
    if (common.which == SIDE_GUEST)
        return fail_usage("this works in dom0 alone");
    if ((status = ask(json_pack("{s:s}", "verb", "reload"), &answer)))
        return status;
    json_decref(answer);
    return EXIT_OK;
}

const struct verb verb_policy = { "policy", "who may reach whom (dom0)", help_policy, run_policy };
const struct verb verb_reload = { "reload", "have settings and policy read again (dom0)", help_reload, run_reload };

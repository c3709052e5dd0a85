/* SPDX-License-Identifier: MIT */
/* why.c: xvs why, which finds out what there is to know of a guest and a port; what that means, chain.h says. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain.h"
#include "find.h"
#include "policy_source.h"
#include "say.h"
#include "turned.h"
#include "verb.h"

struct why {
    struct chain_facts facts;
    json_t *ls, *dump, *to_guest, *to_host;     /* the daemon's answers, which the facts' texts are parts of */
    char asked[WHY], guest_line[WHY], host_line[WHY];
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* ---- what the daemon says ---- */

static void look_at_device(struct why *w, const json_t *record)
{
    struct chain_facts *f = &w->facts;

    f->has_device = true;
    f->device = (unsigned)json_integer_value(json_object_get(record, "device"));
    f->cid = (uint64_t)json_integer_value(json_object_get(record, "cid"));
    f->use = text_of(record, "use");
    f->says = text_of(record, "says");
}

static uint32_t port_of(const json_t *stream, const char *end)
{
    return (uint32_t)json_integer_value(json_object_get(json_object_get(stream, end), "port"));
}

/* Streams by the port, whoever has called whom; without a port, all of the device's. */
static void look_at_streams(struct why *w)
{
    struct chain_facts *f = &w->facts;
    json_t *guest, *stream;
    size_t i, k;

    json_array_foreach(json_object_get(w->dump, "guests"), i, guest) {
        if ((unsigned)json_integer_value(json_object_get(guest, "device")) != f->device)
            continue;
        json_array_foreach(json_object_get(guest, "streams"), k, stream) {
            const char *says = text_of(stream, "says");

            if (f->has_port && port_of(stream, "local") != f->port && port_of(stream, "peer") != f->port)
                continue;
            f->streams++;
            if (!*says)
                continue;
            f->standing++;
            f->stands = f->stands ? f->stands : says;
        }
    }
}

/* Takes the domain's name for the policy.  May the one call that port of the other? */
static enum chain_policy ask_policy(struct why *w, const char *source, const char *destination, json_t **answer, char line[WHY],
                                    const char **decides)
{
    json_t *request = json_pack("{s:s, s:s, s:I}", "verb", "policy", "destination", destination, "port", (json_int_t)w->facts.port);
    char asked[WHY];

    if (!request || policy_source(request, source)) {
        json_decref(request);
        return CHAIN_NOT_ASKED;
    }
    if (control_ask(request, answer, asked))
        return CHAIN_NOT_ASKED;
    if (json_object_get(*answer, "file")) {
        snprintf(line, WHY, "%s:%lld: %s", text_of(*answer, "file"), (long long)json_integer_value(json_object_get(*answer, "line")),
                 text_of(*answer, "text"));
        *decides = line;
    }
    return json_is_true(json_object_get(*answer, "allowed")) ? CHAIN_ALLOWS : CHAIN_DENIES;
}

static void ask_daemon(struct why *w)
{
    struct chain_facts *f = &w->facts;
    const json_t *record;
    char domain[24], asked[WHY];

    f->daemon_err = control_ask(json_pack("{s:s}", "verb", "ls"), &w->ls, w->asked);
    f->daemon_why = w->asked;
    if (f->daemon_err || !(record = find_record(w->ls, f->guest, common.device)))
        return;
    look_at_device(w, record);
    snprintf(domain, sizeof domain, ":%lld", (long long)json_integer_value(json_object_get(record, "domid")));
    if (!control_ask(json_pack("{s:s, s:s}", "verb", "dump", "domain", domain), &w->dump, asked))
        look_at_streams(w);
    if (!f->has_port)
        return;
    f->to_guest = ask_policy(w, "@unix", domain, &w->to_guest, w->guest_line, &f->to_guest_line);
    f->to_host = ask_policy(w, domain, "@unix", &w->to_host, w->host_line, &f->to_host_line);
}

/* ---- what the run directory says ---- */

static bool listens_in(int dirfd, uint32_t port)
{
    char name[24];
    struct stat st;

    snprintf(name, sizeof name, "vsock_%u", port);
    return !fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(st.st_mode);
}

static void look_at_directory(struct why *w)
{
    struct chain_facts *f = &w->facts;
    char why[WHY];
    int dirfd = find_guest(f->guest, common.device, why), any = find_any(why);

    f->socket_err = dirfd < 0 ? dirfd : turned_ask(dirfd, f->port, &f->refusal);
    if (f->socket_err == 1) {
        f->socket_err = 0;
        f->was_refused = true;
    }
    f->listens_here = (dirfd >= 0 && listens_in(dirfd, f->port)) || (any >= 0 && listens_in(any, f->port));
    if (dirfd >= 0)
        close(dirfd);
    if (any >= 0)
        close(any);
}

/* ---- telling ---- */

static int status_of(const struct why *w, const struct chain_link *broken)
{
    static const struct { const char *name; int status; } statuses[] = {
        { "device", EXIT_ABSENT }, { "program", EXIT_IDLE }, { "policy", EXIT_POLICY }, { "listener", EXIT_REFUSED }, { "credit", EXIT_OTHER }
    };

    if (!broken)
        return EXIT_OK;
    if (!strcmp(broken->name, "daemon"))
        return control_status(w->facts.daemon_err);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (!strcmp(broken->name, statuses[i].name))
            return statuses[i].status;
    return exit_status(w->facts.socket_err);
}

static void print_links(const struct chain_link *links, size_t count)
{
    const char *colours[] = { [CHAIN_GOOD] = "\033[32m", [CHAIN_UNKNOWN] = "\033[33m", [CHAIN_BROKEN] = "\033[31m" };
    bool colour = colour_on(stdout);

    for (size_t i = 0; i < count; i++) {
        const struct chain_link *l = &links[i];

        printf("%s%-8s%s %-9s ", colour ? colours[l->verdict] : "", chain_word(l->verdict), colour ? "\033[0m" : "", l->name);
        say_clean(stdout, l->says);
        putchar('\n');
        if (*l->advice) {
            printf("%18s -> ", "");
            say_clean(stdout, l->advice);
            putchar('\n');
        }
    }
}

static void print_object(const struct why *w, const struct chain_link *links, size_t count, const struct chain_link *broken)
{
    json_t *list = json_array(), *o;

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", links[i].name, "verdict", chain_word(links[i].verdict), "says",
                                              links[i].says, "advice", links[i].advice));
    o = json_pack("{s:s, s:o, s:s?, s:o}", "guest", w->facts.guest, "port",
                  w->facts.has_port ? json_integer(w->facts.port) : json_null(), "broken", broken ? broken->name : NULL, "links", list);
    json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(o);
}

static const char help[] =
    "usage: xvs why [OPTION...] GUEST [PORT]\n"
    "Why is a guest not reached, or not at that port?  Goes through all that must hold, in dom0: the daemon, the\n"
    "device, the program in the guest, the sockets, the policy, who listens, streams that stand still; says where it\n"
    "breaks, and what to do.\n"
    "\n"
    "  -d, --device N         which device of the guest (default 0)\n"
    "  -j, --json             one object\n"
    "  -v, -q, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example:\n"
    "  xvs why web1 5000\n"
    "\n"
    "Exit status: 0 nothing is broken as far as can be seen; else as 'xvs cat' would end: 3 no daemon or guest,\n"
    "4 nobody listens, 9 the policy, 11 no program in the guest, 13 no right to ask; 1 streams stand still.\n";

static int run(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, COMMON_LONG };
    struct why w = { .facts.has_port = false };
    struct chain_link links[CHAIN_LINKS];
    const struct chain_link *broken;
    int status = EXIT_OK, option;
    bool json = false;
    size_t count;

    while ((option = options_next(argc, argv, ":j" COMMON_SHORT, options, verb->help, &status)) != -1) {
        if (option == OPTIONS_STOP)
            return status;
        json = true;
    }
    if (argc - optind < 1 || argc - optind > 2)
        return fail_usage("GUEST is needed, and perhaps PORT");
    if (common.which == SIDE_GUEST)
        return fail_usage("this works in dom0 alone");
    w.facts.guest = argv[optind];
    w.facts.has_port = argc - optind == 2;
    if (w.facts.has_port && !port_argument(argv[optind + 1], &w.facts.port))
        return EXIT_USAGE;
    ask_daemon(&w);
    if (w.facts.has_device)
        look_at_directory(&w);
    count = chain_explain(&w.facts, links);
    broken = chain_broken(links, count);
    if (json)
        print_object(&w, links, count, broken);
    else
        print_links(links, count);
    status = status_of(&w, broken);
    json_decref(w.ls);
    json_decref(w.dump);
    json_decref(w.to_guest);
    json_decref(w.to_host);
    return status;
}

const struct verb verb_why = { "why", "where a connection breaks, and what to do (dom0)", help, run };

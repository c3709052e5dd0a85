/* SPDX-License-Identifier: MIT */
/* vcpus.c: xvs vcpus and xvs memory: Xen's toolstack gives and takes, the guest puts on line and off, and what either has now is told. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "parley.h"
#include "parley_line.h"
#include "say.h"
#include "verb.h"
#include "xl.h"

#define STEP (SECOND / 10)

struct asking {
    struct parley_line line;
    unsigned domid;
    struct parley parley;
};

static int open_line(struct asking *l)
{
    int status = xl_domid(l->line.guest, &l->domid);

    return status ? status : parley_open(&l->parley, l->line.guest, "manage", l->line.patience, l->line.retry);
}

static int ask_guest(struct asking *l, json_t *request, const char *what, json_t **answer)
{
    return parley_ask(&l->parley, request, clock_ns() + l->line.timeout, what, answer);
}

static long long number_of(const json_t *answer, const char *name)
{
    const json_t *value = json_object_get(answer, name);

    return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
}

/* ---- processors ---- */

struct vcpus {
    long long online, present;  /* in the guest */
    unsigned given, most;       /* by Xen */
};

static int take_answer(const struct asking *l, const json_t *answer, struct vcpus *v)
{
    v->online = number_of(answer, "online");
    v->present = number_of(answer, "present");
    return v->online < 0 || v->present < 0 ? fail(EXIT_RESET, "%s does not say how many processors it has", l->line.guest) : EXIT_OK;
}

/* Asks the guest for that many, or only to tell. */
static int ask_vcpus(struct asking *l, unsigned wanted, struct vcpus *v)
{
    json_t *answer, *request = wanted ? json_pack("{s:s, s:i}", "request", "set-cpus", "online", (int)wanted) : json_pack("{s:s}", "request", "cpus");
    int status = ask_guest(l, request, wanted ? "set-cpus" : "cpus", &answer);
    const char *problem;

    if (status)
        return status;
    if ((problem = json_string_value(json_object_get(answer, "problem"))))
        say("%s: %s", l->line.guest, problem);
    status = take_answer(l, answer, v);
    json_decref(answer);
    return status;
}

/* More: Xen gives them, and then the guest puts them on line.  Fewer: the other way round, so the guest loses none in use. */
static int set_vcpus(struct asking *l, unsigned wanted, struct vcpus *v)
{
    struct loop *loop = &l->parley.loop;
    int status;

    if (wanted > v->most)
        return fail(EXIT_OTHER, "%s may have %u processors at most: maxvcpus in its domain's configuration", l->line.guest, v->most);
    if (wanted >= v->online)
        return (status = xl_set_vcpus(loop, l->domid, wanted, l->line.ignores_host)) ? status : ask_vcpus(l, wanted, v);
    if ((status = ask_vcpus(l, wanted, v)))
        return status;
    return v->online > wanted ? EXIT_OK : xl_set_vcpus(loop, l->domid, wanted, l->line.ignores_host);
}

static int vcpus(struct asking *l, unsigned wanted)
{
    struct vcpus v = { 0 };
    int status;

    if ((status = xl_vcpus(&l->parley.loop, l->domid, &v.given, &v.most)) || (status = ask_vcpus(l, 0, &v)) ||
        (wanted && ((status = set_vcpus(l, wanted, &v)) || (status = ask_vcpus(l, 0, &v)) ||
                    (status = xl_vcpus(&l->parley.loop, l->domid, &v.given, &v.most)))))
        return status;
    if (l->line.json)
        printf("{\"guest\":{\"online\":%lld,\"present\":%lld},\"xen\":{\"online\":%u,\"most\":%u}}\n", v.online, v.present, v.given, v.most);
    else
        printf("guest  %lld on line of %lld\nxen    %u running of %u\n", v.online, v.present, v.given, v.most);
    return wanted && (v.online != wanted || v.given != wanted) ? fail(EXIT_OTHER, "%s has not come to %u processors", l->line.guest, wanted) : EXIT_OK;
}

static int run_vcpus(const struct verb *verb, int argc, char **argv)
{
    struct asking l = { .line.timeout = 30 * SECOND };
    uint64_t wanted = 0;
    int status = EXIT_OK;

    if (!parley_line(verb, argc, argv, &l.line, 0, 1, PARLEY_LINE_IGNORE_HOST, &status))
        return status;
    if (l.line.words[0] && (!parse_number(l.line.words[0], 4096, &wanted) || !wanted))
        return fail_usage("'%s' is no number of processors", l.line.words[0]);
    if (!(status = open_line(&l)))
        status = vcpus(&l, (unsigned)wanted);
    return parley_close(&l.parley, status);
}

#define HELP_OPTIONS                                                                    \
    "  -j, --json            one JSON object\n"                                        \
    PARLEY_LINE_HELP                                                                    \
    "It needs xvs-agent in the guest, and xl here.\n"                                  \
    "\n"

#define HELP_STATUS                                                                     \
    "Exit status: 0 done, 1 xl or the guest says no, or it has not come to that, 3 no guest, 4 no agent, 6 connection\n" \
    "broken, 8 timed out; others: xvs(1).  Manual page: xvs-manage(1).\n"

static const char help_vcpus[] =
    "usage: xvs vcpus [OPTION...] GUEST [N]\n"
    "How many processors a guest has, on its side and on Xen's; with N: has xl give or take them, and the guest put them on\n"
    "line or off.\n"
    "\n"
    "  -i, --ignore-host     more than this machine has, too\n"
    "  -t, --timeout SECONDS time limit for each answer of the guest (default 30)\n"
    HELP_OPTIONS
    "Example: xvs vcpus web1 2\n"
    "\n"
    HELP_STATUS;

const struct verb verb_vcpus = { "vcpus", "a guest's processors, shown or set", help_vcpus, run_vcpus };

/* ---- memory ---- */

struct memory {
    long long total, available; /* bytes, in the guest */
    uint64_t given;             /* MiB, by Xen */
};

static int ask_memory(struct asking *l, struct memory *m)
{
    json_t *answer;
    int status = ask_guest(l, json_pack("{s:s}", "request", "memory"), "memory", &answer);

    if (status)
        return status;
    m->total = number_of(answer, "total");
    m->available = number_of(answer, "available");
    json_decref(answer);
    return m->total < 0 || m->available < 0 ? fail(EXIT_RESET, "%s does not say how much memory it has", l->line.guest) : EXIT_OK;
}

static void step_due(struct timer *t)
{
    loop_stop(&container_of(t, struct parley, limit)->loop, 0);
}

static bool is_near(uint64_t mib, uint64_t wanted)
{
    return mib <= wanted + 1 && mib + 1 >= wanted;
}

/* The guest's balloon moves it, in its own time. */
static int set_memory(struct asking *l, uint64_t wanted, struct memory *m)
{
    struct parley *p = &l->parley;
    int64_t until = clock_ns() + l->line.timeout;
    int status = xl_set_memory(&p->loop, l->domid, wanted);

    while (!status && !(status = xl_memory(&p->loop, l->domid, &m->given)) && !is_near(m->given, wanted) && clock_ns() < until) {
        timer_set(&p->loop, &p->limit, clock_ns() + STEP, step_due);
        if (waited_run(&p->loop))
            status = EXIT_OTHER;
        timer_drop(&p->limit);
    }
    return status;
}

static int memory(struct asking *l, uint64_t wanted)
{
    char total[SIZE_TEXT], available[SIZE_TEXT];
    struct memory m = { 0 };
    int status = wanted ? set_memory(l, wanted, &m) : EXIT_OK;

    if (status || (status = xl_memory(&l->parley.loop, l->domid, &m.given)) || (status = ask_memory(l, &m)))
        return status;
    if (l->line.json)
        printf("{\"guest\":{\"total\":%lld,\"available\":%lld},\"xen\":{\"given\":%llu}}\n", m.total, m.available,
               (unsigned long long)m.given << 20);
    else
        printf("guest  %s, %s of it available\nxen    %lluM given\n", size_text(total, (uint64_t)m.total),
               size_text(available, (uint64_t)m.available), (unsigned long long)m.given);
    return wanted && !is_near(m.given, wanted) ? fail(EXIT_TIME, "%s has not come to %llu MiB in %.3g s", l->line.guest, (unsigned long long)wanted,
                                                      (double)l->line.timeout / SECOND) : EXIT_OK;
}

static int run_memory(const struct verb *verb, int argc, char **argv)
{
    struct asking l = { .line.timeout = 30 * SECOND };
    uint64_t wanted = 0;
    int status = EXIT_OK;

    if (!parley_line(verb, argc, argv, &l.line, 0, 1, 0, &status))
        return status;
    if (l.line.words[0] && (!parse_size(l.line.words[0], UINT64_C(1) << 44, &wanted) || wanted < (1u << 20)))
        return fail_usage("'%s' is no size of memory, such as 512M or 2G", l.line.words[0]);
    if (!(status = open_line(&l)))
        status = memory(&l, wanted >> 20);
    return parley_close(&l.parley, status);
}

static const char help_memory[] =
    "usage: xvs memory [OPTION...] GUEST [SIZE]\n"
    "How much memory a guest has, on its side and on Xen's; with SIZE (512M, 2G): has xl set it, and waits until the guest's\n"
    "balloon has got there.\n"
    "\n"
    "  -t, --timeout SECONDS how long that may take, and each answer of the guest (default 30)\n"
    HELP_OPTIONS
    "Example: xvs memory web1 1G\n"
    "\n"
    HELP_STATUS;

const struct verb verb_memory = { "memory", "a guest's memory, shown or set", help_memory, run_memory };

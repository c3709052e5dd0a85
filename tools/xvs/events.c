/* SPDX-License-Identifier: MIT */
/* events.c: xvs events, what happens at the daemon, as it happens. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "eventline.h"
#include "interrupt.h"
#include "say.h"
#include "verb.h"

#define LINE_MOST 65536u        /* bytes of an event */

struct events {
    json_t *guests;             /* names; none: all */
    uint64_t most, count;       /* events; most 0: any */
    bool json;
    int fd;                     /* the daemon's */
    size_t len;
    char line[LINE_MOST];
};

/* False if it is none. */
static bool show(struct events *e, const char *line, size_t len)
{
    json_t *event = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    bool good = eventline_is_event(event);

    if (good && e->json) {
        json_dumpf(event, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else if (good) {
        eventline_print(stdout, event, colour_on(stdout));
    }
    json_decref(event);
    e->count++;
    return good;
}

static bool is_enough(const struct events *e)
{
    return e->most && e->count == e->most;
}

/* 0, or a negative errno: nothing more is to come. */
static int read_some(struct events *e)
{
    ssize_t n = recv(e->fd, e->line + e->len, sizeof e->line - e->len, MSG_DONTWAIT);
    char *newline;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return n ? -errno : -ECONNRESET;
    e->len += (size_t)n;
    while (!is_enough(e) && (newline = memchr(e->line, '\n', e->len))) {
        size_t used = (size_t)(newline - e->line) + 1;

        if (!show(e, e->line, used - 1))
            return -EPROTO;
        memmove(e->line, e->line + used, e->len - used);
        e->len -= used;
    }
    return e->len == sizeof e->line ? -EPROTO : 0;
}

/* EXIT_OK, or a status after a message. */
static int follow(struct events *e)
{
    struct pollfd p[2] = { { .fd = e->fd, .events = POLLIN }, { .fd = STDOUT_FILENO, .events = 0 } };
    sigset_t none;
    int err = 0;

    sigemptyset(&none);
    for (;;) {
        /* Whoever reads our output sees all that has happened, before we wait for more. */
        if (fflush(stdout))
            return errno == EPIPE ? EXIT_LOCAL : fail(EXIT_LOCAL, "standard output: %s", strerror(errno));
        if (err)
            return fail(EXIT_RESET, err == -EPROTO ? "the daemon's events make no sense" : "the daemon has gone");
        if (is_interrupted() || is_enough(e))
            return EXIT_OK;
        if (ppoll(p, 2, NULL, &none) > 0) {
            if (p[1].revents & POLLERR)
                return EXIT_LOCAL;
            err = read_some(e);
        }
    }
}

static int events(struct events *e)
{
    json_t *request = json_pack("{s:s}", "verb", "events"), *answer;
    char why[WHY];
    int err;

    if (json_array_size(e->guests))
        json_object_set(request, "guests", e->guests);
    if ((err = control_begin(request, &e->fd, &answer, why)))
        return fail(control_status(err), "%s", why);
    json_decref(answer);
    interrupts_catch();
    return follow(e);
}

static const char help[] =
    "usage: xvs events [OPTION...] [GUEST...]\n"
    "Prints what happens to all guests, or to these (a name or domid each, there or still to come), as it happens, in\n"
    "dom0: devices attached and detached, programs that come and go, connections opened, refused, reset and ended,\n"
    "storms.  It ends when it is interrupted.  Events are lost, and counted, rather than that a guest waits.\n"
    "\n"
    "  -j, --json             an object a line\n"
    "  -c, --count N          end after so many events\n"
    "  -v, -q, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example: who is refused, and why?\n"
    "  xvs events --json | jq -r 'select(.event == \"refuse\") | \"\\(.guest): \\(.reason)\"'\n"
    "\n"
    "Exit status: 0 interrupted, or N events; 1 the daemon said no (and why), 3 no daemon, 6 the daemon went,\n"
    "7 error on the output, or its reader has ended, 13 not for this user.\n";

static int parse(struct events *e, const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { "count", required_argument, NULL, 'c' }, COMMON_LONG };
    int status = EXIT_OK, option;

    while ((option = options_next(argc, argv, ":jc:" COMMON_SHORT, options, verb->help, &status)) != -1) {
        if (option == OPTIONS_STOP)
            return status;
        if (option == 'j')
            e->json = true;
        else if (option == 'c' && (!parse_number(optarg, UINT64_MAX, &e->most) || !e->most))
            return fail_usage("--count: '%s' is no number from 1", optarg);
    }
    if (common.which == SIDE_GUEST)
        return fail_usage("this works in dom0 alone");
    for (int i = optind; i < argc; i++) {
        json_t *guest = json_string(argv[i]);

        if (!guest)
            return fail_usage("'%s' is no name of a guest: it is not UTF-8", argv[i]);
        json_array_append_new(e->guests, guest);
    }
    return -1;
}

static int run(const struct verb *verb, int argc, char **argv)
{
    static struct events e = { .fd = -1 };
    int status;

    e.guests = json_array();
    status = parse(&e, verb, argc, argv);
    if (status < 0)
        status = events(&e);
    if (e.fd >= 0)
        close(e.fd);
    json_decref(e.guests);
    return status;
}

const struct verb verb_events = { "events", "what happens to guests, as it happens (dom0)", help, run };

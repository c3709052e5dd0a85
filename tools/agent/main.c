/* SPDX-License-Identifier: MIT */
/* main.c: xvs-agent(8): the options, the warden, and the parts put together. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "brokered.h"
#include "files.h"
#include "forwards.h"
#include "freeze.h"
#include "functions.h"
#include "reception.h"
#include "say.h"
#include "warden.h"

#define CONF "/etc/xvs/agent.conf"
#define DIR  "/etc/xvs/services.d"

struct whole {
    struct agent agent;
    struct side side;
    struct reception reception;
    struct forwards forwards;
    struct broker *broker;
    const char *conf;
};

static const char help[] =
    "usage: xvs-agent [OPTION...]\n"
    "The agent of a Xen guest: runs commands, copies files and answers for services, for programs in dom0 that\n"
    "call vsock port 1 of this guest (xvs exec, xvs cp, xvs call).\n"
    "\n"
    "  -c, --config FILE     settings (default " CONF ")\n"
    "  -s, --services DIR    services by name (default " DIR ")\n"
    "  -d, --device N        which vsock device of this guest (default 0)\n"
    "      --run-dir DIR     for the device's lock (default $XVS_RUN_DIR, else /run/xvs)\n"
    "      --check-config    only see whether the settings are good\n"
    "  -q, --quiet           no messages\n"
    "  -h, --help;  -V, --version\n"
    "\n"
    "Example: in the guest, and then in dom0\n"
    "  systemctl enable --now xvs-agent\n"
    "  xvs exec web1 -- uname -a\n"
    "\n"
    "Manual pages: xvs-agent(8), agent.conf(5).\n";

static void room(struct agent *a)
{
    struct whole *w = container_of(a, struct whole, agent);

    reception_room(&w->reception);
}

/* SIGHUP reads the settings anew; sessions go on.  What is wrong changes nothing. */
static bool signalled(void *arg, int number)
{
    struct whole *w = arg;
    struct conf conf;
    char why[CONF_WHY];

    if (number != SIGHUP)
        return false;
    if (conf_read(w->conf, &conf, why)) {
        say("%s; the settings stay as they were", why);
    } else {
        conf_free(&w->agent.conf);
        w->agent.conf = conf;
        broker_apply(w->broker, &conf.broker);      /* gives ports back that are forwarded now */
        forwards_apply(&w->forwards);
        say("the settings were read anew");
    }
    return true;
}

/* Of this guest's ports: those that are not for its other programs. */
static bool keeps_port(void *arg, uint32_t port)
{
    const struct whole *w = arg;

    return port == TCPMUX_PORT || conf_forward(&w->agent.conf, port);
}

/* The side is open, or another: who may use it besides is for the settings to say. */
static void side_opened(struct side *s)
{
    struct whole *w = s->options.arg;

    broker_apply(w->broker, &w->agent.conf.broker);
}

static void side_closes(struct side *s)
{
    struct whole *w = s->options.arg;

    broker_apply(w->broker, &(struct broker_settings){ .off = true });
}

#define GRACE (2 * SECOND)       /* for commands that are to end, when the agent is */

struct farewell {
    struct timer timer;
    struct loop *loop;
};

static void grace_over(struct timer *t)
{
    loop_stop(container_of(t, struct farewell, timer)->loop, 0);
}

static void nobody_is_left(struct children *c)
{
    loop_stop(c->loop, 0);
}

static void stop_all(struct agent *a, bool now)
{
    struct list *link, *next;

    for (link = a->sessions.next; link != &a->sessions; link = next) {
        struct session_link *s = container_of(link, struct session_link, link);

        next = link->next;
        s->stop(s, now);
    }
}

/* Everybody is told that it is over, and has some time for that, unless a second signal comes.  The rest is the warden's. */
static void farewell(struct agent *a)
{
    struct farewell f = { .loop = &a->loop };

    stop_all(a, false);
    children_hang_up(&a->children);
    if (!list_is_empty(&a->children.all)) {
        a->children.none = nobody_is_left;
        a->loop.stopping = false;
        timer_set(&a->loop, &f.timer, clock_ns() + GRACE, grace_over);
        loop_run(&a->loop);
        timer_drop(&f.timer);
    }
    stop_all(a, true);
}

static int serve(struct whole *w, const char *self, const char *dir, const struct side_options *side)
{
    struct agent *a = &w->agent;
    int status, err;

    if ((err = warden_begin()))
        return fail(EXIT_OTHER, "cannot begin: %s", errno_words(err));
    if ((err = freeze_mend()))  /* whoever begins us again has it tried again */
        return fail(EXIT_OTHER, "cannot thaw what a former agent has left frozen: %s", errno_words(err));
    if ((err = loop_begin(&a->loop)))
        return fail(EXIT_OTHER, "cannot begin: %s", errno_words(err));
    files_raise(&a->files);
    a->self = self;
    a->room = room;
    a->loop.signalled = signalled;
    a->loop.signalled_arg = w;
    warden_release();
    list_init(&a->sessions);
    children_begin(&a->children, &a->loop);
    leaving_begin(&a->leaving, &a->loop);
    side_init(&w->side, &a->loop, side);
    w->side.options.opened = side_opened;
    w->side.options.closes = side_closes;
    w->side.options.arg = w;
    if (!(w->broker = broker_new(&a->loop, &w->side, keeps_port, w)))
        return loop_end(&a->loop, fail(EXIT_OTHER, "cannot begin: %s", errno_words(-ENOMEM)));
    w->reception.agent = a;
    w->reception.side = &w->side;
    w->reception.dir = dir;
    forwards_begin(&w->forwards, a, &w->side);
    if (!(status = reception_open(&w->reception))) {
        forwards_apply(&w->forwards);
        warden_ready();         /* it has the device, or waits for it: a guest may be without one for ever */
        status = loop_run(&a->loop);
    }
    broker_free(w->broker);
    forwards_end(&w->forwards);
    reception_close(&w->reception);
    farewell(a);
    leaving_end(&a->leaving);
    side_close(&w->side);
    children_end(&a->children, !warden_lives());
    conf_free(&a->conf);
    return loop_end(&a->loop, status);
}

static int run_function(const char *name, const char *argument)
{
    const struct function *f = function_find(name);

    warden_release();
    return f ? f->run(STDIN_FILENO, STDOUT_FILENO, argument) : fail(EXIT_USAGE, "there is no service '%s' in this program", name);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },   { "services", required_argument, NULL, 's' },
        { "device", required_argument, NULL, 'd' },   { "run-dir", required_argument, NULL, 'r' },
        { "check-config", no_argument, NULL, 'C' },   { "service", required_argument, NULL, 'S' },
        { "quiet", no_argument, NULL, 'q' },          { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },        { NULL, 0, NULL, 0 }
    };
    static struct whole w;
    struct side_options side = { .guest = &side_guest, .socket = &side_socket, .host = &side_guest, .which = SIDE_GUEST, .verbose = true };
    const char *dir = DIR, *function = NULL;
    char why[CONF_WHY];
    bool check = false;
    uint64_t number;
    int option;

    warden_hold();
    fill_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    say_program("xvs-agent");
    w.conf = CONF;
    while ((option = getopt_long(argc, argv, "c:s:d:qhV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            w.conf = optarg;
            break;
        case 's':
            dir = optarg;
            break;
        case 'd':
            if (!parse_number(optarg, 1023, &number))
                return fail_usage("--device: '%s' is no number of a device", optarg);
            side.device = (unsigned)number;
            side.has_device = true;
            break;
        case 'r':
            setenv("XVS_RUN_DIR", optarg, 1);
            break;
        case 'C':
            check = true;
            break;
        case 'S':
            function = optarg;
            break;
        case 'q':
            say_quiet();
            side.verbose = false;
            break;
        case 'h':
            fputs(help, stdout);
            return EXIT_OK;
        case 'V':
            printf("xvs-agent %s\n", XVS_VERSION);
            return EXIT_OK;
        default:
            return EXIT_USAGE;
        }
    }
    if (function)
        return run_function(function, argv[optind]);
    if (optind < argc)
        return fail_usage("there is no argument '%s'", argv[optind]);
    if (conf_read(w.conf, &w.agent.conf, why))
        return fail(EXIT_USAGE, "%s", why);
    if (check)
        return EXIT_OK;
    return serve(&w, "/proc/self/exe", dir, &side);
}

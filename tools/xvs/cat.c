/* SPDX-License-Identifier: MIT */
/* cat.c: xvs cat and xvs call, standard input and output as a stream: to a port, or to a service of a guest's agent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pump.h"
#include "reason.h"
#include "records.h"
#include "say.h"
#include "service.h"
#include "verb.h"

#define STEP_TERMINAL (SECOND / 2)
#define STEP_FILE     (10 * SECOND)

struct cat {
    struct loop loop;
    struct side side;
    struct dial dial;
    struct service_call call;   /* in place of dial */
    struct listening listening;
    struct end *stdio, *peer;   /* peer: NULL while nobody is there */
    struct pump pump;
    struct timer idle_timer, progress_timer;
    int64_t idle, patience, retry;      /* ns; idle 0: for ever */
    int64_t began;
    bool listens, keeps, probes, holds, progress;
    bool messages;              /* the connection is of type SEQPACKET; standard input and output have messages of this form */
    struct records_form form;
};

static struct cat *cat_of_pump(struct pump *p)
{
    return container_of(p, struct cat, pump);
}

/* ---- progress ---- */

static void show_progress(struct cat *c, bool last)
{
    char sent[SIZE_TEXT], received[SIZE_TEXT], rate[SIZE_TEXT];
    uint64_t out = c->pump.flow[0].bytes, in = c->pump.flow[1].bytes;
    double seconds = (double)(clock_ns() - c->began) / SECOND;
    bool terminal = isatty(STDERR_FILENO);

    fprintf(stderr, "%s%.0f s: %s sent, %s received, %s/s%s", terminal ? "\r\033[K" : "", seconds,
            size_text(sent, out), size_text(received, in),
            size_text(rate, seconds > 0 ? (uint64_t)((double)(out + in) / seconds) : 0), last || !terminal ? "\n" : "");
}

static void progress_due(struct timer *t)
{
    struct cat *c = container_of(t, struct cat, progress_timer);

    show_progress(c, false);
    timer_set(&c->loop, t, clock_ns() + (isatty(STDERR_FILENO) ? STEP_TERMINAL : STEP_FILE), progress_due);
}

/* ---- a conversation ---- */

static void take_caller(struct cat *c);

#define SO_FAR 96

/* "; 5 bytes had come and 0 had been sent": of a copy that is not whole. */
static const char *so_far(char text[SO_FAR], const struct cat *c)
{
    snprintf(text, SO_FAR, "; %llu bytes had come and %llu had been sent", (unsigned long long)c->pump.flow[1].bytes,
             (unsigned long long)c->pump.flow[0].bytes);
    return text;
}

/* The conversation is over: its exit status, with a message if it is not 0. */
static int judge(struct cat *c, int err)
{
    const struct flow *out = &c->pump.flow[0], *in = &c->pump.flow[1];
    const char *why = c->peer->ops->why ? c->peer->ops->why(c->peer) : NULL;
    struct reason reason = end_reason(c->peer);
    char far[SO_FAR];

    if (err && c->pump.culprit == c->stdio) {
        /* Whoever read our output went away, as head(1) does: that is no news to anybody. */
        if (err == -EPIPE)
            return EXIT_LOCAL;
        return fail(EXIT_LOCAL, "standard %s: %s", c->pump.reading ? "input" : "output", end_why(c->stdio, err));
    }
    so_far(far, c);
    if (err == -EMSGSIZE && !c->pump.reading)
        return fail(EXIT_LOCAL, "a message of %zu bytes is larger than the other end can take, and was not sent%s", c->pump.message, far);
    if (err && reason_has_detail(reason))
        return fail(EXIT_FAILED, "the command at the other end %s %u%s",
                    reason.code == VSOCKIF_REASON_STATUS ? "ended with status" : "was killed by signal", reason.detail, far);
    if (err && why)
        return fail(EXIT_RESET, "not everything has arrived: %s%s", why, far);
    if (err == -ECONNRESET && out->ended && in->ended)
        return fail(EXIT_RESET, "not everything has arrived: the peer has not read it, or the device went down%s", far);
    if (err == -ECONNRESET)
        return fail(EXIT_RESET, "the connection was reset by the peer, or the device went down%s", far);
    if (err)
        return fail(exit_status(err), "the connection broke: %s%s", strerror(-err), far);
    if (out->lost)
        return fail(EXIT_RESET, "the peer stopped reading before the end of standard input%s", far);
    return EXIT_OK;
}

static void hang_up(struct cat *c, bool reset)
{
    timer_drop(&c->idle_timer);
    timer_drop(&c->progress_timer);
    if (c->progress)
        show_progress(c, true);
    c->peer->ops->close(c->peer, reset);
    c->peer = NULL;
}

static void over(struct pump *p, int err)
{
    struct cat *c = cat_of_pump(p);
    int status = judge(c, err);

    hang_up(c, status != EXIT_OK);
    if (!c->keeps || (err && p->culprit == c->stdio))
        loop_stop(&c->loop, status);
    else
        take_caller(c);
}

static void idle_due(struct timer *t)
{
    struct cat *c = container_of(t, struct cat, idle_timer);
    int64_t end = c->pump.moved + c->idle;
    int status;

    if (clock_ns() < end) {
        timer_set(&c->loop, t, end, idle_due);
        return;
    }
    pump_drop(&c->pump);
    status = fail(EXIT_TIME, "not a byte for %.3g s", (double)c->idle / SECOND);
    hang_up(c, true);
    if (!c->keeps)
        loop_stop(&c->loop, status);
    else
        take_caller(c);
}

static void converse(struct cat *c, struct end *peer)
{
    c->peer = peer;
    c->began = clock_ns();
    memset(&c->pump, 0, sizeof c->pump);
    c->pump.flow[0].hold = c->holds;
    c->pump.flow[1].vital = true;
    pump_start(&c->pump, &c->loop, c->stdio, peer, over);
    if (c->idle)
        timer_set(&c->loop, &c->idle_timer, c->began + c->idle, idle_due);
    if (c->progress)
        timer_set(&c->loop, &c->progress_timer, c->began + STEP_TERMINAL, progress_due);
}

/* ---- beginning one ---- */

static void dialled(struct dial *d, int err, struct end *end)
{
    struct cat *c = d->arg;

    if (err) {
        loop_stop(&c->loop, fail_as(err, d->why));
        return;
    }
    if (common.verbose)
        say("connected to %s port %u", d->peer, d->port);
    if (c->probes) {
        end->ops->close(end, false);
        loop_stop(&c->loop, EXIT_OK);
        return;
    }
    converse(c, end);
}

static void called(struct service_call *s, int err, struct end *end)
{
    struct cat *c = s->arg;

    if (err)
        loop_stop(&c->loop, fail_as(err, s->why));
    else
        converse(c, end);
}

static void take_caller(struct cat *c)
{
    struct caller caller;
    struct end *end;

    /* One at a time: the next waits in the backlog. */
    if (c->peer || listening_accept(&c->listening, &end, &caller))
        return;
    if (common.verbose && caller.has_port)
        say("connection from CID %llu port %u", (unsigned long long)caller.cid, caller.port);
    else if (common.verbose)
        say("connection from %s", c->listening.peer);
    if (!c->keeps)
        listening_close(&c->listening);
    converse(c, end);
}

static void ready(struct listening *l)
{
    take_caller(l->arg);
}

static int begin(struct cat *c, const char *peer, uint32_t port)
{
    if (c->listens) {
        c->listening = (struct listening){ .side = &c->side, .peer = peer, .port = port, .retry = c->retry, .vouches = true,
                                           .messages = c->messages, .ready = ready, .arg = c };
        return listening_open(&c->listening);
    }
    c->dial = (struct dial){ .side = &c->side, .peer = peer, .port = port, .patience = c->patience,
                             .retry = c->retry, .vouches = !c->probes, .messages = c->messages, .done = dialled, .arg = c };
    dial_start(&c->dial);
    return EXIT_OK;
}

/* ---- the command line ---- */

static const char help[] =
    "usage: xvs cat [OPTION...] PEER PORT\n"
    "       xvs cat -l [OPTION...] PORT [GUEST | any]\n"
    "Connects standard input and output with a stream.  The end of standard input is passed on as a\n"
    "half-close, and what the peer still has to say is waited for.\n"
    "\n"
    "PEER is in dom0 a guest (its name, domid, or cid:N); in a guest it is host, local, or a CID.\n"
    "\n"
    "  -l, --listen            wait for one connection; in dom0 for one from GUEST, or any\n"
    "  -k, --keep              with -l: after a connection wait for the next\n"
    "  -w, --wait SECONDS      time limit for connecting (default 5)\n"
    "  -r, --retry SECONDS     repeat failed attempts for so long: for whatever is still starting\n"
    "  -i, --idle-timeout SECONDS  give up when not a byte has moved for so long\n"
    "  -n, --no-shutdown       do not pass on the end of standard input\n"
    "  -z, --zero              only see whether somebody listens\n"
    "  -p, --progress          show how much has moved\n"
    "  --seqpacket[=FORM]      a connection of messages.  FORM is what a message of standard input is: lines\n"
    "                          (default), a number of bytes, or frames, of which each begins with its length,\n"
    "                          4 bytes in the order of networks, in both directions\n"
    "  -d, --device N, -v, -q, --host, --guest, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example: copy a file out of guest web1, which runs 'xvs cat -l 5000 < dump'\n"
    "  xvs cat --retry 30 web1 5000 < /dev/null > dump\n"
    "\n"
    "Exit status: 0 both directions ended in order, 3 no guest or device, 4 nobody listens, 5 the command at\n"
    "the other end failed, 6 connection broken, 7 error on standard input or output, 8 timed out, 9 to 13\n"
    "refused otherwise: xvs(1).\n";

static bool seconds_argument(const char *text, int64_t *ns)
{
    if (parse_seconds(text, ns))
        return true;
    fail_usage("'%s' is no number of seconds", text);
    return false;
}

/* Peer and port count where no service is called. */
static int run_cat(struct cat *c, const char *peer, uint32_t port)
{
    int status, err;

    if ((err = loop_begin(&c->loop)))
        return fail(EXIT_OTHER, "cannot begin: %s", errno_words(err));
    c->stdio = fdend_stdio(&c->loop, c->keeps);
    if (c->messages)
        c->stdio = records_end(c->stdio, &c->form);
    if (!c->stdio)
        return loop_end(&c->loop, fail(EXIT_OTHER, "out of memory"));
    side_init(&c->side, &c->loop, &common);
    c->call.dial.side = c->call.service ? &c->side : NULL;
    if (c->call.service)
        service_start(&c->call);
    status = c->call.service ? EXIT_OK : begin(c, peer, port);
    if (!status)
        status = loop_run(&c->loop);
    if (c->peer) {
        pump_drop(&c->pump);
        c->peer->ops->close(c->peer, true);
    }
    if (c->dial.side)
        dial_drop(&c->dial);
    service_drop(&c->call);
    listening_close(&c->listening);
    side_close(&c->side);
    c->stdio->ops->close(c->stdio, false);
    return loop_end(&c->loop, status);
}

static int run(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        { "listen", no_argument, NULL, 'l' },
        { "keep", no_argument, NULL, 'k' },
        { "wait", required_argument, NULL, 'w' },
        { "retry", required_argument, NULL, 'r' },
        { "idle-timeout", required_argument, NULL, 'i' },
        { "no-shutdown", no_argument, NULL, 'n' },
        { "zero", no_argument, NULL, 'z' },
        { "progress", no_argument, NULL, 'p' },
        { "seqpacket", optional_argument, NULL, OPTION_SEQPACKET },
        COMMON_LONG
    };
    struct cat c = { .patience = 5 * SECOND };
    int status = EXIT_OK, option, args;
    uint32_t port;

    while ((option = options_next(argc, argv, ":lkw:r:i:nzp" COMMON_SHORT, options, verb->help, &status)) != -1) {
        switch (option) {
        case 'l':
            c.listens = true;
            break;
        case 'k':
            c.keeps = true;
            break;
        case 'w':
        case 'r':
        case 'i':
            if (!seconds_argument(optarg, option == 'w' ? &c.patience : option == 'r' ? &c.retry : &c.idle))
                return EXIT_USAGE;
            break;
        case 'n':
            c.holds = true;
            break;
        case 'z':
            c.probes = true;
            break;
        case 'p':
            c.progress = true;
            break;
        case OPTION_SEQPACKET:
            c.messages = true;
            if (!seqpacket_argument(optarg ? optarg : "lines", &c.form))
                return EXIT_USAGE;
            break;
        default:
            return status;
        }
    }
    args = argc - optind;
    argv += optind;
    if (c.listens ? args < 1 || args > 2 : args != 2)
        return fail_usage(c.listens ? "-l wants PORT, and in dom0 GUEST" : "PEER and PORT are needed");
    if (c.keeps && !c.listens)
        return fail_usage("-k needs -l");
    if (c.probes && c.listens)
        return fail_usage("-z and -l exclude each other");
    if (!port_argument(argv[c.listens ? 0 : 1], &port))
        return EXIT_USAGE;
    return run_cat(&c, c.listens ? args == 2 ? argv[1] : NULL : argv[0], port);
}

const struct verb verb_cat = { "cat", "standard input and output as a stream", help, run };

/* ---- a service ---- */

static const char help_call[] =
    "usage: xvs call [OPTION...] GUEST SERVICE[+ARGUMENT]\n"
    "Connects standard input and output with a service of a guest where xvs-agent runs.  HELP lists the\n"
    "services; /etc/xvs/services.d of the guest has those that are not built in.\n"
    "\n"
    "  -w, --wait SECONDS      time limit for connecting (default 5)\n"
    "  -r, --retry SECONDS     repeat failed attempts to connect for so long\n"
    "  -i, --idle-timeout SECONDS  give up when not a byte has moved for so long\n"
    "  -d, --device N, -v, -q, --host, --guest, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example: xvs call web1 backup+daily <key >dump\n"
    "\n"
    "Exit status: 0 both directions ended in order, 3 no guest or device, 4 the agent refused, or there is none,\n"
    "5 the service failed, 6 connection broken, 7 error on standard input or output, 8 timed out, 9 to 13\n"
    "refused otherwise: xvs(1).\n";

static int run_call(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        { "wait", required_argument, NULL, 'w' }, { "retry", required_argument, NULL, 'r' },
        { "idle-timeout", required_argument, NULL, 'i' }, COMMON_LONG
    };
    struct cat c = { .patience = 5 * SECOND };
    int status = EXIT_OK, option;

    while ((option = options_next(argc, argv, ":w:r:i:" COMMON_SHORT, options, verb->help, &status)) != -1) {
        if (option == OPTIONS_STOP)
            return status;
        if (!seconds_argument(optarg, option == 'w' ? &c.patience : option == 'r' ? &c.retry : &c.idle))
            return EXIT_USAGE;
    }
    if (argc - optind != 2)
        return fail_usage("GUEST and SERVICE are needed; xvs call GUEST HELP lists what there is");
    /* HELP has nothing to read, and would be waited for. */
    if (strcmp(argv[optind + 1], SERVICE_HELP) == 0 && !freopen("/dev/null", "r", stdin))
        return fail(EXIT_LOCAL, "/dev/null: %s", strerror(errno));
    c.call = (struct service_call){ .dial = { .peer = argv[optind], .patience = c.patience, .retry = c.retry, .vouches = true },
                                    .service = argv[optind + 1], .done = called, .arg = &c };
    return run_cat(&c, NULL, 0);
}

const struct verb verb_call = { "call", "standard input and output as a service of a guest", help_call, run_call };

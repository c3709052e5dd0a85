/* SPDX-License-Identifier: MIT */
/* ping.c: xvs ping, round trips over one stream, and with -l the echo that answers them.
 *
 * A ping is size bytes: a mark, its number, and a pattern.  A stream keeps order, so replies are matched by position; each
 * byte is compared, so an answer from anything that is no echo, or a byte lost on the way, is noticed at once. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "histogram.h"
#include "pump.h"
#include "say.h"
#include "verb.h"

#define PORT_ECHO   7u
#define SIZE_MIN    8u
#define SIZE_MAX_   (1u << 20)
#define ON_THE_WAY  64u         /* pings sent and not answered */
#define MARK        0x70737678u /* "xvsp" */
#define CONNECTIONS 1024u

/* ---- calling ---- */

struct ping {
    struct loop loop;
    struct side side;
    struct dial dial;
    struct end *end;
    struct task task;
    struct timer next, late;
    uint32_t size;
    uint64_t count;             /* 0: until a signal */
    int64_t interval, patience; /* ns */
    bool flood, json, silent;

    uint8_t *out;               /* the ping that is being sent */
    size_t out_at;              /* bytes of it that have gone */
    size_t in_at;               /* bytes of the next reply that have come */
    bool due;                   /* the next may be begun */
    uint64_t sent, received;
    int64_t sent_at[ON_THE_WAY];
    int64_t began;
    struct histogram times;     /* ns */
};

static void stop(struct ping *p, int status)
{
    timer_drop(&p->next);
    timer_drop(&p->late);
    loop_stop(&p->loop, status);
}

static void header(uint8_t at[SIZE_MIN], uint64_t number)
{
    uint32_t words[2] = { MARK, (uint32_t)number };

    memcpy(at, words, sizeof words);
}

static void next_due(struct timer *t);
static void wake(void *arg);

/* -EAGAIN when nothing more can be sent for now, 0 when one more ping has gone. */
static int send_some(struct ping *p)
{
    struct iovec iov;
    ssize_t n;

    if (p->out_at == 0) {
        if (!p->due || (p->count && p->sent == p->count) || p->sent - p->received == ON_THE_WAY)
            return -EAGAIN;
        header(p->out, p->sent);
        p->sent_at[p->sent % ON_THE_WAY] = clock_ns();
    }
    iov = (struct iovec){ p->out + p->out_at, p->size - p->out_at };
    if ((n = p->end->ops->write(p->end, &iov, 1)) < 0)
        return (int)n;
    p->out_at += (size_t)n;
    if (p->out_at < p->size)
        return 0;
    p->out_at = 0;
    p->due = false;
    p->sent++;
    if (!p->flood && (!p->count || p->sent < p->count))
        timer_set(&p->loop, &p->next, p->sent_at[(p->sent - 1) % ON_THE_WAY] + p->interval, next_due);
    return 0;
}

static bool is_right(const struct ping *p, const uint8_t *data, size_t len)
{
    uint8_t head[SIZE_MIN];
    size_t at = p->in_at, n;

    header(head, p->received);
    if (at < SIZE_MIN) {
        n = len < SIZE_MIN - at ? len : SIZE_MIN - at;
        if (memcmp(data, head + at, n) != 0)
            return false;
        data += n;
        len -= n;
        at += n;
    }
    return memcmp(data, p->out + at, len) == 0;
}

static void reply_whole(struct ping *p)
{
    int64_t now = clock_ns(), took = now - p->sent_at[p->received % ON_THE_WAY];

    histogram_add(&p->times, (uint64_t)took);
    if (!p->silent) {
        printf("%u bytes from ", p->size);
        say_clean(stdout, p->dial.peer);
        printf(" port %u: seq=%llu time=%.3f ms\n", p->dial.port, (unsigned long long)p->received + 1,
               (double)took / 1e6);
        fflush(stdout);
    }
    p->in_at = 0;
    p->received++;
    if (p->flood)
        p->due = true;
}

/* A piece of what has come: -EPROTO if it is not what we sent. */
static int take(struct ping *p, const uint8_t *data, size_t len)
{
    while (len) {
        size_t n = p->size - p->in_at < len ? p->size - p->in_at : len;
        bool begun = p->received < p->sent || p->in_at + n <= p->out_at;

        if (!begun || !is_right(p, data, n))
            return -EPROTO;
        p->in_at += n;
        data += n;
        len -= n;
        if (p->in_at == p->size)
            reply_whole(p);
    }
    return 0;
}

static int receive_some(struct ping *p)
{
    struct iovec iov[16];
    int count = p->end->ops->peek(p->end, iov, 16), err;

    if (count <= 0)
        return count ? count : -ECONNRESET;
    for (int i = 0; i < count; i++) {
        if ((err = take(p, iov[i].iov_base, iov[i].iov_len)))
            return err;
        p->end->ops->done(p->end, iov[i].iov_len);
        /* done() may move what the other pieces point to, in an end with one buffer; such an end gives one piece. */
    }
    return 0;
}

static void too_late(struct timer *t)
{
    struct ping *p = container_of(t, struct ping, late);
    int64_t end = p->sent_at[p->received % ON_THE_WAY] + p->patience;

    if (p->received == p->sent && !p->out_at)
        end = clock_ns() + p->patience;
    if (clock_ns() < end)
        timer_set(&p->loop, t, end, too_late);
    else
        stop(p, fail(EXIT_TIME, "no reply to seq %llu for %.3g s", (unsigned long long)p->received + 1,
                     (double)p->patience / SECOND));
}

static void run_ping(struct task *t)
{
    struct ping *p = container_of(t, struct ping, task);
    int in = 0, out = 0;

    /* In turns: a reply may allow the next ping; a full stream must not keep us from reading. */
    for (int i = 0; i < 64 && (in != -EAGAIN || out != -EAGAIN); i++) {
        if ((out = send_some(p)) < 0 && out != -EAGAIN)
            break;
        if ((in = receive_some(p)) < 0 && in != -EAGAIN)
            break;
    }
    if (p->count && p->received == p->count)
        stop(p, EXIT_OK);
    else if (in == -EPROTO)
        stop(p, fail(EXIT_RESET, "the reply to seq %llu is not what was sent: is there an echo at port %u?",
                     (unsigned long long)p->received + 1, p->dial.port));
    else if (in < 0 && in != -EAGAIN)
        stop(p, fail(EXIT_RESET, "the peer ended the connection"));
    else if (out < 0 && out != -EAGAIN)
        stop(p, fail(EXIT_RESET, "the connection broke: %s", strerror(-out)));
    else if (in != -EAGAIN || out != -EAGAIN)
        wake(p);
}

static void wake(void *arg)
{
    struct ping *p = arg;

    task_start(&p->loop, &p->task, run_ping);
}

static void next_due(struct timer *t)
{
    struct ping *p = container_of(t, struct ping, next);

    p->due = true;
    wake(p);
}

static void dialled(struct dial *d, int err, struct end *end)
{
    struct ping *p = d->arg;

    if (err) {
        stop(p, fail_as(err, d->why));
        return;
    }
    if (!p->silent) {
        printf("PING ");
        say_clean(stdout, d->peer);
        printf(" port %u: %u bytes each, connected in %.3f ms\n", d->port, p->size, (double)(clock_ns() - p->began) / 1e6);
        fflush(stdout);
    }
    p->began = clock_ns();
    p->end = end;
    p->due = true;
    end_on_wake(end, wake, p);
    timer_set(&p->loop, &p->late, p->began + p->patience, too_late);
    wake(p);
}

/* ---- what it amounts to ---- */

static double us(uint64_t ns)
{
    return (double)ns / 1000;
}

static void report_json(const struct ping *p, double seconds, int status)
{
    const struct histogram *h = &p->times;
    json_t *o = json_pack("{s:s?, s:I, s:I, s:I, s:I, s:f, s:i}", "peer", p->dial.peer, "port", (json_int_t)p->dial.port,
                          "size", (json_int_t)p->size, "sent", (json_int_t)p->sent, "received",
                          (json_int_t)p->received, "seconds", seconds, "status", status);

    if (h->count)
        json_object_set_new(o, "rtt_us", json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
            "min", us(h->min), "avg", histogram_mean(h) / 1000, "max", us(h->max), "mdev", histogram_deviation(h) / 1000,
            "p50", us(histogram_quantile(h, 0.5)), "p90", us(histogram_quantile(h, 0.9)),
            "p99", us(histogram_quantile(h, 0.99)), "p999", us(histogram_quantile(h, 0.999))));
    json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(o);
}

static void report(const struct ping *p, double seconds)
{
    const struct histogram *h = &p->times;

    printf("--- ");
    say_clean(stdout, p->dial.peer);
    printf(" port %u ---\n%llu sent, %llu received, %.3f s", p->dial.port, (unsigned long long)p->sent,
           (unsigned long long)p->received, seconds);
    if (p->flood && seconds > 0)
        printf(", %.0f/s", (double)p->received / seconds);
    if (h->count)
        printf("\nround trip min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n"
               "percentiles 50/90/99/99.9  = %.3f/%.3f/%.3f/%.3f ms", us(h->min) / 1000, histogram_mean(h) / 1e6,
               us(h->max) / 1000, histogram_deviation(h) / 1e6, us(histogram_quantile(h, 0.5)) / 1000,
               us(histogram_quantile(h, 0.9)) / 1000, us(histogram_quantile(h, 0.99)) / 1000,
               us(histogram_quantile(h, 0.999)) / 1000);
    putchar('\n');
}

static int ping(struct ping *p)
{
    int status, caught, err;
    double seconds;

    if (!(p->out = malloc(p->size)))
        return fail(EXIT_OTHER, "out of memory");
    for (uint32_t i = 0; i < p->size; i++)
        p->out[i] = (uint8_t)(i * 7 + 1);
    if ((err = loop_begin(&p->loop)))
        return fail(EXIT_OTHER, "cannot begin: %s", errno_words(err));
    side_init(&p->side, &p->loop, &common);
    p->dial.side = &p->side;
    p->dial.done = dialled;
    p->dial.arg = p;
    p->began = clock_ns();
    dial_start(&p->dial);
    status = loop_run(&p->loop);
    seconds = (double)(clock_ns() - p->began) / SECOND;
    caught = p->loop.caught;
    if (caught == SIGINT && p->end) {
        /* The way to end it: no error, if there was an answer. */
        p->loop.caught = 0;
        status = p->received ? EXIT_OK : EXIT_TIME;
    }
    task_drop(&p->task);
    dial_drop(&p->dial);
    if (p->json)
        report_json(p, seconds, status);
    else if (p->end)
        report(p, seconds);
    if (p->end)
        p->end->ops->close(p->end, status != EXIT_OK);
    side_close(&p->side);
    free(p->out);
    return loop_end(&p->loop, status);
}

/* ---- answering ---- */

struct echo {
    struct loop loop;
    struct side side;
    struct listening listening;
    unsigned count;
};

struct echoed {
    struct echo *echo;
    struct end *end;
    struct pump pump;
};

static void answer(struct listening *l);

static void over(struct pump *p, int err)
{
    struct echoed *e = container_of(p, struct echoed, pump);
    struct echo *echo = e->echo;

    e->end->ops->close(e->end, err != 0);
    free(e);
    echo->count--;
    answer(&echo->listening);
}

static void answer(struct listening *l)
{
    struct echo *echo = l->arg;

    while (echo->count < CONNECTIONS) {
        struct caller caller;
        struct end *end;
        struct echoed *e;

        if (listening_accept(l, &end, &caller))
            return;
        if (!(e = calloc(1, sizeof *e))) {
            end->ops->close(end, true);
            continue;
        }
        if (common.verbose && caller.has_port)
            say("connection from CID %llu port %u", (unsigned long long)caller.cid, caller.port);
        e->echo = echo;
        e->end = end;
        echo->count++;
        pump_start(&e->pump, &echo->loop, end, end, over);
    }
}

static int echo(const char *peer, uint32_t port, int64_t retry)
{
    struct echo e = { .count = 0 };
    struct rlimit given;
    int status;

    files_raise(&given);
    if ((status = loop_begin(&e.loop)))
        return fail(EXIT_OTHER, "cannot begin: %s", errno_words(status));
    side_init(&e.side, &e.loop, &common);
    e.listening = (struct listening){ .side = &e.side, .peer = peer, .port = port, .retry = retry, .ready = answer, .arg = &e };
    if (!(status = listening_open(&e.listening)))
        status = loop_run(&e.loop);
    listening_close(&e.listening);
    side_close(&e.side);
    return loop_end(&e.loop, status);
}

/* ---- the command line ---- */

static const char help[] =
    "usage: xvs ping [OPTION...] [PEER [PORT]]\n"
    "       xvs ping -l [OPTION...] [PORT [GUEST]]\n"
    "Measures round trips over one stream to an echo at PORT (default 7); with -l it is that echo.\n"
    "PEER is in dom0 a guest; in a guest it is host (the default), local, or a CID.\n"
    "\n"
    "  -l, --listen            be the echo, until a signal; in dom0 for GUEST\n"
    "  -c, --count N           end after N round trips (default: at a signal)\n"
    "  -i, --interval SECONDS  between two pings (default 1)\n"
    "  -s, --size BYTES        of a ping, 8 to 1M (default 64)\n"
    "  -f, --flood             the next ping as soon as a reply has come; only the summary is printed\n"
    "  -w, --wait SECONDS      time limit for connecting, and for each reply (default 5)\n"
    "  -r, --retry SECONDS     repeat failed attempts to connect for so long\n"
    "  -j, --json              print one JSON object at the end and nothing else\n"
    "  -d, --device N, -v, -q, --host, --guest, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example: the guest answers, and dom0 asks ten thousand times\n"
    "  xvs ping -l                                           in the guest\n"
    "  xvs ping -f -c 10000 web1                             in dom0\n"
    "\n"
    "Exit status: 0 every ping was answered, 3 no guest or device, 4 nobody listens, 5 no answer in time,\n"
    "6 connection broken, or the answer is no echo.\n";

static int run(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        { "listen", no_argument, NULL, 'l' },
        { "count", required_argument, NULL, 'c' },
        { "interval", required_argument, NULL, 'i' },
        { "size", required_argument, NULL, 's' },
        { "flood", no_argument, NULL, 'f' },
        { "wait", required_argument, NULL, 'w' },
        { "retry", required_argument, NULL, 'r' },
        { "json", no_argument, NULL, 'j' },
        COMMON_LONG
    };
    static struct ping p;       /* the histogram is large */
    bool listens = false;
    int status = EXIT_OK, option, args;
    uint32_t port = PORT_ECHO;
    uint64_t number;
    int64_t *seconds;

    p.size = 64;
    p.interval = SECOND;
    p.patience = 5 * SECOND;
    while ((option = options_next(argc, argv, ":lc:i:s:fw:r:j" COMMON_SHORT, options, verb->help, &status)) != -1) {
        switch (option) {
        case 'l':
            listens = true;
            break;
        case 'c':
            if (!parse_number(optarg, INT64_MAX, &p.count) || !p.count)
                return fail_usage("--count: '%s' is no number from 1", optarg);
            break;
        case 's':
            if (!parse_size(optarg, SIZE_MAX_, &number) || number < SIZE_MIN)
                return fail_usage("--size: '%s' is no number from %u to 1M", optarg, SIZE_MIN);
            p.size = (uint32_t)number;
            break;
        case 'f':
            p.flood = true;
            break;
        case 'j':
            p.json = true;
            break;
        case 'i':
        case 'w':
        case 'r':
            seconds = option == 'i' ? &p.interval : option == 'w' ? &p.patience : &p.dial.retry;
            if (!parse_seconds(optarg, seconds))
                return fail_usage("'%s' is no number of seconds", optarg);
            break;
        default:
            return status;
        }
    }
    args = argc - optind;
    argv += optind;
    if (args > 2)
        return fail_usage("too many arguments");
    if (listens)
        return args > 0 && !port_argument(argv[0], &port) ? EXIT_USAGE : echo(args == 2 ? argv[1] : NULL, port, p.dial.retry);
    if (args == 2 && !port_argument(argv[1], &port))
        return EXIT_USAGE;
    p.silent = p.flood || p.json;
    p.dial.peer = args ? argv[0] : NULL;
    p.dial.port = port;
    p.dial.patience = p.patience;
    return ping(&p);
}

const struct verb verb_ping = { "ping", "round-trip times, and the echo that answers (-l)", help, run };

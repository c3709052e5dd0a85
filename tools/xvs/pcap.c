/* SPDX-License-Identifier: MIT */
/* pcap.c: xvs pcap and xvs trace, a guest's packets as they come: into a file for other programs, and as lines for people. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "interrupt.h"
#include "pcapng.h"
#include "say.h"
#include "tapread.h"
#include "traceline.h"
#include "verb.h"

#define LAST_WAIT_MS 3000       /* for the daemon's last record, once we have said that it is enough */

struct capture {
    const char *guest;
    const char *path;           /* NULL: standard output */
    uint32_t snap;
    json_t *ports;
    uint64_t most;              /* packets; 0: any */
    bool lines;                 /* for people */
    int fd;                     /* the daemon's */
    FILE *out;
    struct pcapng pcapng;
    struct tapread read;
    uint64_t count, dropped;    /* packets that were written, …that are missing so far */
    bool stopping, ended;
};

/* ---- what comes ---- */

/* The daemon sends what it has, and then the last record. */
static void stop(struct capture *c)
{
    if (!c->stopping)
        shutdown(c->fd, SHUT_WR);
    c->stopping = true;
}

static void take(struct capture *c, const struct tapif_record *r, const uint8_t *data)
{
    if (r->kind == TAPIF_END) {
        c->ended = true;
        c->dropped = c->most && c->count == c->most ? c->dropped : r->dropped;  /* what came later was not asked for */
        if (!c->lines)
            pcapng_end(&c->pcapng, r);
        return;
    }
    if (c->most && c->count == c->most)
        return;
    if (c->lines && r->dropped > c->dropped)
        traceline_print_dropped(c->out, r, r->dropped - c->dropped);
    c->dropped = r->dropped;
    if (c->lines)
        traceline_print(c->out, c->guest, r, data);
    else
        pcapng_packet(&c->pcapng, r, data);
    if (++c->count == c->most)
        stop(c);
}

/* False when there will be no more; *err says why not. */
static bool read_some(struct capture *c, int *err)
{
    const struct tapif_record *r;
    const uint8_t *data;
    size_t room;
    void *to = tapread_room(&c->read, &room);
    ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0) {
        *err = n ? -errno : -ECONNRESET;
        return false;
    }
    tapread_added(&c->read, (size_t)n);
    while (!c->ended && (*err = tapread_next(&c->read, &r, &data)) > 0)
        take(c, r, data);
    return !*err && !c->ended;
}

/* EXIT_OK, or a status after a message. */
static int follow(struct capture *c)
{
    struct pollfd p[2] = { { .fd = c->fd, .events = POLLIN }, { .fd = fileno(c->out), .events = 0 } };
    sigset_t none;
    int err = 0;

    sigemptyset(&none);
    for (;;) {
        const struct timespec last = { LAST_WAIT_MS / 1000, LAST_WAIT_MS % 1000 * 1000000L };
        int n;

        /* Whoever reads our output sees all that there is, before we wait for more. */
        if (fflush(c->out) || p[1].revents & POLLERR)
            return errno == EPIPE || p[1].revents & POLLERR ? EXIT_LOCAL : fail(EXIT_LOCAL, "%s: %s", c->path ? c->path : "standard output", strerror(errno));
        if (is_interrupted())
            stop(c);
        n = ppoll(p, 2, c->stopping ? &last : NULL, &none);
        if (n == 0)
            return fail(EXIT_TIME, "the daemon has not said in time that this was all");
        if (n > 0 && p[0].revents && !read_some(c, &err))
            break;
    }
    if (err > 0 || c->ended)
        err = 0;
    if (err)
        return fail(EXIT_RESET, "the capture has broken off: %s", err == -EPROTO ? "the daemon's records make no sense" : "the daemon has gone");
    if (fflush(c->out))
        return errno == EPIPE ? EXIT_LOCAL : fail(EXIT_LOCAL, "%s: %s", c->path ? c->path : "standard output", strerror(errno));
    return EXIT_OK;
}

/* ---- beginning ---- */

static void say_filter(const struct capture *c, char *text, size_t size)
{
    const json_t *port;
    size_t i, at = 0;

    *text = '\0';
    json_array_foreach(c->ports, i, port)
        if (at < size)
            at += (size_t)snprintf(text + at, size - at, "%sport %lld", i ? " or " : "", (long long)json_integer_value(port));
}

static int open_output(struct capture *c)
{
    int fd;

    if (!c->path) {
        c->out = stdout;
        return EXIT_OK;
    }
    /* What streams carry is a secret: root's alone. */
    fd = open(c->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0 || !(c->out = fdopen(fd, "w")))
        return fail(EXIT_LOCAL, "cannot write %s: %s", c->path, strerror(errno));
    return EXIT_OK;
}

static json_t *request_of(const struct capture *c)
{
    json_t *request = json_pack("{s:s, s:s, s:I}", "verb", "capture", "domain", c->guest, "snap", (json_int_t)c->snap);

    if (request && common.has_device)
        json_object_set_new(request, "device", json_integer(common.device));
    if (request && json_array_size(c->ports))
        json_object_set(request, "ports", c->ports);
    return request;
}

static int capture(struct capture *c)
{
    char why[WHY], filter[400], name[300];
    json_t *request = request_of(c), *answer;
    int status, err;

    if (!request)
        return fail_usage("'%s' is no name of a guest: it is not UTF-8", c->guest);
    if ((err = control_begin(request, &c->fd, &answer, why)))
        return fail(control_status(err), "%s", why);
    json_decref(answer);
    if (!(c->read.bytes = malloc(TAPREAD_BYTES)))
        return fail(EXIT_OTHER, "out of memory");
    if ((status = open_output(c)))
        return status;
    say_filter(c, filter, sizeof filter);
    snprintf(name, sizeof name, "%s:%u", c->guest, common.device);
    if (!c->lines)
        pcapng_begin(&c->pcapng, c->out, name, filter, c->snap);
    interrupts_catch();
    status = follow(c);
    if (c->ended)
        say("%llu packets", (unsigned long long)c->count);
    if (c->dropped)
        say("%llu were dropped, since nobody took them in time: capture less of each (--snap), or fewer (--port)", (unsigned long long)c->dropped);
    return status;
}

static int finish(struct capture *c, int status)
{
    if (c->out && c->out != stdout && fclose(c->out) && !status)
        status = fail(EXIT_LOCAL, "%s: %s", c->path, strerror(errno));
    if (c->fd >= 0)
        close(c->fd);
    free(c->read.bytes);
    json_decref(c->ports);
    return status;
}

/* ---- the command lines ---- */

static bool parse_snap(const char *text, uint32_t *snap)
{
    uint64_t number;

    if (strcmp(text, "all") == 0) {
        *snap = TAPIF_SNAP_MOST;
        return true;
    }
    if (!parse_size(text, TAPIF_SNAP_MOST, &number)) {
        fail_usage("--snap: '%s' is neither all nor a number of bytes up to 1M", text);
        return false;
    }
    *snap = (uint32_t)number;
    return true;
}

static bool add_port(struct capture *c, const char *text)
{
    uint32_t port;

    if (!port_argument(text, &port))
        return false;
    if (json_array_size(c->ports) == TAPIF_PORTS) {
        fail_usage("--port: at most %u of them", TAPIF_PORTS);
        return false;
    }
    json_array_append_new(c->ports, json_integer(port));
    return true;
}

static int parse(struct capture *c, const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        { "write", required_argument, NULL, 'w' }, { "snap", required_argument, NULL, 's' }, { "port", required_argument, NULL, 'p' },
        { "count", required_argument, NULL, 'c' }, COMMON_LONG
    };
    static const struct option of_trace[] = {
        { "snap", required_argument, NULL, 's' }, { "port", required_argument, NULL, 'p' }, { "count", required_argument, NULL, 'c' },
        COMMON_LONG
    };
    int status = EXIT_OK, option;

    while ((option = options_next(argc, argv, c->lines ? ":s:p:c:" COMMON_SHORT : ":w:s:p:c:" COMMON_SHORT, c->lines ? of_trace : options,
                                  verb->help, &status)) != -1) {
        if (option == OPTIONS_STOP)
            return status;
        if (option == 'w')
            c->path = strcmp(optarg, "-") ? optarg : NULL;
        else if (option == 's' && !parse_snap(optarg, &c->snap))
            return EXIT_USAGE;
        else if (option == 'p' && !add_port(c, optarg))
            return EXIT_USAGE;
        else if (option == 'c' && (!parse_number(optarg, UINT64_MAX, &c->most) || !c->most))
            return fail_usage("--count: '%s' is no number from 1", optarg);
    }
    if (argc - optind != 1)
        return fail_usage("GUEST is needed, and nothing else");
    c->guest = argv[optind];
    if (common.which == SIDE_GUEST)
        return fail_usage("this works in dom0 alone");
    if (!c->lines && !c->path && isatty(STDOUT_FILENO))
        return fail_usage("standard output is a terminal: give -w FILE, or a pipe into 'tshark -r -'; 'xvs trace' is for people");
    return -1;
}

static int run_either(const struct verb *verb, int argc, char **argv, bool lines)
{
    struct capture c = { .lines = lines, .fd = -1, .ports = json_array() };
    int status = parse(&c, verb, argc, argv);

    if (status < 0)
        status = capture(&c);
    return finish(&c, status);
}

static int run_pcap(const struct verb *verb, int argc, char **argv)
{
    return run_either(verb, argc, argv, false);
}

static int run_trace(const struct verb *verb, int argc, char **argv)
{
    return run_either(verb, argc, argv, true);
}

static const char help_pcap[] =
    "usage: xvs pcap [OPTION...] GUEST\n"
    "Captures the packets of GUEST (a name or domid) as they come, in dom0, for tshark and wireshark, until it is\n"
    "interrupted, its reader ends or the device is gone.  Packets are dropped rather than that a guest waits.\n"
    "\n"
    "  -w, --write FILE       write there, not to standard output\n"
    "  -s, --snap N           and N bytes of each packet's data, or all (default 0: headers alone)\n"
    "  -p, --port N           only packets from or to this port; several times: any of them\n"
    "  -c, --count N          end after so many packets\n"
    "  -d, --device N         which device (default 0)\n"
    "  -v, -q, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example:\n"
    "  xvs pcap -s all -p 5000 web1 | tshark -r -\n"
    "\n"
    "Exit status: 0 done, 1 the daemon said no (and why), 3 no daemon, 4 not for this user, 6 the daemon went,\n"
    "7 error on the output, or its reader has ended.\n";

static const char help_trace[] =
    "usage: xvs trace [OPTION...] GUEST\n"
    "Prints a line for each packet of GUEST (a name or domid) as it comes, in dom0.\n"
    "\n"
    "  -s, --snap N           and N bytes of each packet's data, or all (default 0)\n"
    "  -p, --port N           only packets from or to this port; several times: any of them\n"
    "  -c, --count N          end after so many packets\n"
    "  -d, --device N         which device (default 0)\n"
    "  -v, -q, --run-dir DIR: see xvs --help\n"
    "\n"
    "Example: who calls web1's port 22?\n"
    "  xvs trace -p 22 web1 | grep REQUEST\n"
    "\n"
    "Exit status: as of xvs pcap.\n";

const struct verb verb_pcap = { "pcap", "capture a guest's packets, for wireshark (dom0)", help_pcap, run_pcap };
const struct verb verb_trace = { "trace", "a line for each packet of a guest (dom0)", help_trace, run_trace };

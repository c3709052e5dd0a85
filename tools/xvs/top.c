/* SPDX-License-Identifier: MIT */
/* top.c: xvs top, guests and streams by what they do at this moment. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control.h"
#include "say.h"
#include "screen.h"
#include "topdraw.h"
#include "verb.h"

#define ESCAPE_MS 50            /* after Esc, for the rest of a sequence */

struct look {
    json_t *metrics, *dumps;
    uint64_t at;
};

struct top {
    struct top_view view;
    struct look before, now;
    struct top_rows rows;
    bool batch;
    uint64_t most;              /* screens; 0: any */
    char why[WHY];
    int err;                    /* of the last look */
};

/* ---- looks ---- */

static void free_look(struct look *l)
{
    json_decref(l->metrics);
    json_decref(l->dumps);
    *l = (struct look){ NULL, NULL, 0 };
}

static void add_dump(json_t *dumps, json_int_t domid)
{
    char why[WHY];
    json_t *answer;

    /* One that has just gone is no trouble. */
    if (!control_ask(json_pack("{s:s, s:I}", "verb", "dump", "domain", domid), &answer, why))
        json_array_append_new(dumps, answer);
}

/* The devices of a domain come together. */
static json_t *dump_all(const json_t *metrics)
{
    json_t *dumps = json_array(), *guest;
    json_int_t last = -1;
    size_t i;

    json_array_foreach(json_object_get(metrics, "guests"), i, guest) {
        json_int_t domid = json_integer_value(json_object_get(guest, "domid"));

        if (domid != last && json_integer_value(json_object_get(guest, "connections")))
            add_dump(dumps, domid);
        last = domid;
    }
    return dumps;
}

/* Of one domain's devices the one that is looked at. */
static json_t *dump_one(const struct top_view *v)
{
    json_t *dumps = json_array(), *guests, *guest;

    add_dump(dumps, v->domid);
    guests = json_object_get(json_array_get(dumps, 0), "guests");
    for (size_t i = json_array_size(guests); i-- > 0;) {
        guest = json_array_get(guests, i);
        if (json_integer_value(json_object_get(guest, "device")) != (json_int_t)v->device)
            json_array_remove(guests, i);
    }
    return dumps;
}

static void look(struct top *t)
{
    struct look fresh = { .at = (uint64_t)clock_ns() };

    if ((t->err = control_ask(json_pack("{s:s}", "verb", "metrics"), &fresh.metrics, t->why)))
        return;
    if (t->view.page == TOP_GUEST)
        fresh.dumps = dump_one(&t->view);
    else if (t->view.page == TOP_STREAMS)
        fresh.dumps = dump_all(fresh.metrics);
    free_look(&t->before);
    t->before = t->now;
    t->now = fresh;
}

/* ---- screens ---- */

static struct top_look view_of(const struct look *l)
{
    return (struct top_look){ l->metrics, l->dumps, l->at };
}

static void put_in_order(struct top *t)
{
    const struct top_look before = view_of(&t->before), now = view_of(&t->now);
    bool streams = t->view.page == TOP_GUEST || t->view.page == TOP_STREAMS;

    top_rows_free(&t->rows);
    if (streams ? top_streams(&t->rows, &before, &now) : top_guests(&t->rows, &before, &now))
        return;
    top_sort(&t->rows, t->view.by, t->view.reversed);
}

static void draw(struct top *t, FILE *to)
{
    const struct top_look before = view_of(&t->before), now = view_of(&t->now);
    time_t seconds = time(NULL);
    struct tm tm;

    if (localtime_r(&seconds, &tm))
        strftime(t->view.clock, sizeof t->view.clock, "%H:%M:%S", &tm);
    t->view.trouble = t->err ? t->why : NULL;
    put_in_order(t);
    top_draw(to, &t->view, &t->rows, &before, &now);
}

static void show(struct top *t)
{
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return;
    screen_size(&t->view.rows, &t->view.columns);
    draw(t, f);
    if (!fclose(f))
        screen_draw(text, size);
    free(text);
}

/* True if something else has to be asked for. */
static bool press(struct top *t, const char *bytes, size_t len)
{
    enum top_page page = t->view.page;
    size_t at = 0, used;

    while (at < len && !t->view.quits) {
        int key = top_key(bytes + at, len - at, &used);

        top_press(&t->view, key, &t->rows);
        if (!used)
            break;              /* Esc, or a sequence that did not come whole */
        at += used;
    }
    return t->view.page != page && t->view.page != TOP_HELP;
}

/* All that a key sent: after Esc the rest may take a moment. */
static size_t read_rest(char *bytes, size_t len, size_t most)
{
    size_t used, more;

    top_key(bytes, len, &used);
    if (!used && len < most && screen_wait(ESCAPE_MS, bytes + len, most - len, &more) == SCREEN_KEYS)
        len += more;
    return len;
}

static void interact(struct top *t)
{
    int64_t due = clock_ns();
    uint64_t n = 0;

    while (!t->view.quits && (!t->most || n < t->most)) {
        char bytes[64];
        size_t len;
        int64_t left = due - clock_ns();

        if (left <= 0 && !t->view.paused)
            look(t);
        if (left <= 0) {
            n += t->before.metrics != NULL || t->err;
            due = clock_ns() + (int64_t)(t->view.delay * SECOND);
        }
        show(t);
        left = due - clock_ns();
        switch (screen_wait(left > 0 ? (int)(left / 1000000) + 1 : 0, bytes, sizeof bytes, &len)) {
        case SCREEN_END:
            return;
        case SCREEN_KEYS:
            if (press(t, bytes, read_rest(bytes, len, sizeof bytes)))
                due = 0;
            break;
        default:
            break;
        }
    }
}

/* ---- without a terminal ---- */

static unsigned width_of_output(void)
{
    const char *columns = getenv("COLUMNS");
    uint64_t n;

    return columns && parse_number(columns, 1000, &n) && n >= 20 ? (unsigned)n : 132;
}

/* Each screen tells of the time since the one before: the first comes when there is one. */
static int print(struct top *t)
{
    const struct timespec pause = { (time_t)t->view.delay, (long)((t->view.delay - (double)(time_t)t->view.delay) * 1e9) };

    t->view.columns = width_of_output();
    look(t);
    for (uint64_t n = 0; !t->err && (!t->most || n < t->most); n++) {
        if (n)
            putchar('\n');
        nanosleep(&pause, NULL);
        look(t);
        if (t->err)
            break;
        draw(t, stdout);
        if (fflush(stdout))
            return EXIT_OK;     /* main() says why */
    }
    return t->err ? fail(control_status(t->err), "%s", t->why) : EXIT_OK;
}

/* ---- the command line ---- */

static const char help[] =
    "usage: xvs top [OPTION...] [GUEST]\n"
    "Shows guests by what they do at this moment, bytes a second first, and with a key a guest's streams, in dom0.\n"
    "Root is not needed: the group that status_group in xvsd.conf(5) names may look on.\n"
    "\n"
    "  -D, --delay SECONDS    between two screens (default 2)\n"
    "  -n, --count N          end after so many screens\n"
    "  -o, --order COLUMN     name, domid, conns, from, to, both, packets, new, refused, stalls, drops or held\n"
    "  -S, --streams          the streams of all guests, or with GUEST of that one\n"
    "  -b, --batch            text, for a file or a pipe, as wide as $COLUMNS says or 132 columns\n"
    "  -v, -q, --run-dir DIR: see xvs --help\n"
    "\n"
    "Keys: ? shows them all.  b f t p c w r s x h n d: the order; Enter: a guest's streams; a: all streams;\n"
    "Esc: back; Space: stand still; q: end.\n"
    "\n"
    "Example: the busiest streams of ten seconds\n"
    "  xvs top --batch --count 1 --delay 10 --streams | head -n 20\n"
    "\n"
    "Exit status: 0 done, 3 no daemon or no such guest, 4 not for this user.\n";

static bool parse_order(const char *text, enum top_value *by)
{
    static const struct { const char *name; enum top_value by; } names[] = {
        { "name", TOP_VALUES }, { "domid", TOP_DOMID }, { "conns", TOP_CONNECTIONS }, { "from", TOP_FROM }, { "to", TOP_TO },
        { "both", TOP_BOTH }, { "packets", TOP_PACKETS }, { "new", TOP_NEW }, { "refused", TOP_REFUSED }, { "stalls", TOP_STALLS },
        { "drops", TOP_DROPS }, { "held", TOP_HELD }
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i].name) == 0) {
            *by = names[i].by;
            return true;
        }
    fail_usage("--order: '%s' is no column; xvs top --help names them", text);
    return false;
}

static int find_guest(struct top *t, const char *name)
{
    json_t *guests, *guest;
    uint64_t number;
    size_t i;

    look(t);
    if (t->err)
        return fail(control_status(t->err), "%s", t->why);
    guests = json_object_get(t->now.metrics, "guests");
    json_array_foreach(guests, i, guest) {
        const char *is = json_string_value(json_object_get(guest, "name"));
        json_int_t domid = json_integer_value(json_object_get(guest, "domid"));

        if (json_integer_value(json_object_get(guest, "device")) != (json_int_t)common.device ||
            !((is && !strcmp(is, name)) || (parse_number(name + (*name == ':'), UINT32_MAX, &number) && (json_int_t)number == domid)))
            continue;
        t->view.domid = (uint32_t)domid;
        t->view.device = common.device;
        t->view.page = TOP_GUEST;
        snprintf(t->view.name, sizeof t->view.name, "%s", is ? is : "");
        free_look(&t->now);
        return EXIT_OK;
    }
    return fail(EXIT_ABSENT, "there is no guest %s with a device %u; see 'xvs ls'", name, common.device);
}

static int watch(struct top *t)
{
    int err;

    if (t->batch)
        return print(t);
    t->view.colour = colour_on(stdout);
    if ((err = screen_open()))
        return fail_usage(err == -ENOTTY ? "standard input or output is no terminal: use --batch" : "the terminal cannot be used: use --batch");
    interact(t);
    screen_close();
    return t->err ? fail(control_status(t->err), "%s", t->why) : EXIT_OK;
}

static int run(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        { "delay", required_argument, NULL, 'D' }, { "count", required_argument, NULL, 'n' }, { "order", required_argument, NULL, 'o' },
        { "streams", no_argument, NULL, 'S' }, { "batch", no_argument, NULL, 'b' }, COMMON_LONG
    };
    struct top t = { .view = { .by = TOP_BOTH, .delay = 2 } };
    int status = EXIT_OK, option;
    int64_t delay;

    while ((option = options_next(argc, argv, ":D:n:o:Sb" COMMON_SHORT, options, verb->help, &status)) != -1) {
        if (option == OPTIONS_STOP)
            return status;
        if (option == 'D' && (!parse_seconds(optarg, &delay) || delay < SECOND / 100))
            return fail_usage("--delay: '%s' is no number of seconds from 0.01", optarg);
        if (option == 'n' && (!parse_number(optarg, UINT64_MAX, &t.most) || !t.most))
            return fail_usage("--count: '%s' is no number from 1", optarg);
        if (option == 'o' && !parse_order(optarg, &t.view.by))
            return EXIT_USAGE;
        t.view.delay = option == 'D' ? (double)delay / SECOND : t.view.delay;
        t.batch |= option == 'b';
        t.view.page = option == 'S' ? TOP_STREAMS : t.view.page;
    }
    if (argc - optind > 1)
        return fail_usage("at most one GUEST");
    if (common.which == SIDE_GUEST)
        return fail_usage("this works in dom0 alone");
    if (argc - optind == 1)
        status = find_guest(&t, argv[optind]);
    if (!status)
        status = watch(&t);
    free_look(&t.before);
    free_look(&t.now);
    top_rows_free(&t.rows);
    return status;
}

const struct verb verb_top = { "top", "guests and streams by what they do now (dom0)", help, run };

/* SPDX-License-Identifier: MIT */
/* openmetrics.c: see openmetrics.h.  What the lines look like is in "a sample"; what there is, in the table. */
#include "openmetrics.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum type { GAUGE, COUNTER, INFO, HISTOGRAM };

/* One line of a metric: a label of its own ("" for none), and where in the answer its number is. */
struct sample {
    const char *label, *value;
    const char *key, *inner;    /* inner: NULL, the number is key's own */
};

struct metric {
    const char *name;           /* with its unit, and without _total or _info */
    enum type type;
    const char *unit;           /* NULL: none */
    const char *help;
    struct sample samples[3];   /* the first with key NULL: none of them */
    const char *each;           /* NULL, or the label whose values are the keys of the objects there */
    unsigned divisor;           /* of the number in the answer; 0: 1 */
};

#define NUMBER(key) { { "", "", key, NULL } }
#define BOTH_WAYS(outer_from, inner_from, outer_to, inner_to) \
    { { "direction", "from_guest", outer_from, inner_from }, { "direction", "to_guest", outer_to, inner_to } }

static const struct metric of_daemon[] = {
    { "xvs_daemon_uptime_seconds", GAUGE, "seconds", "Time since the daemon's worker was started.", NUMBER("uptime_ms"), NULL, 1000 },
    { "xvs_daemon_guests", GAUGE, NULL, "Devices of guests.", NUMBER("guests"), NULL, 0 },
    { "xvs_daemon_connected_guests", GAUGE, NULL, "Devices that a guest's program has open and that are connected.", NUMBER("connected"), NULL, 0 },
    { "xvs_daemon_connections", GAUGE, NULL, "Connections of all guests.", NUMBER("connections"), NULL, 0 },
    { "xvs_daemon_loop_turns", COUNTER, NULL, "Rounds of the daemon's loop.", NUMBER("rounds"), NULL, 0 },
    { "xvs_daemon_wakeups", COUNTER, NULL, "Rounds that something had come for.", NUMBER("wakeups"), NULL, 0 },
    { "xvs_daemon_descriptors", GAUGE, NULL, "Open file descriptors.", NUMBER("fds"), NULL, 0 },
    { "xvs_daemon_resident_bytes", GAUGE, "bytes", "Memory of the daemon's worker, with the guests' pages that it has touched.", NUMBER("resident_bytes"), NULL, 0 },
    { "xvs_daemon_mapped_bytes", GAUGE, "bytes", "Guests' own pages that are mapped.", NUMBER("mapped_bytes"), NULL, 0 },
    { "xvs_daemon_table_bytes", GAUGE, "bytes", "Memory of the tables of connections.", NUMBER("table_bytes"), NULL, 0 },
    { "xvs_daemon_spilled_bytes", GAUGE, "bytes", "Memory for what guests have sent and nobody has read.", NUMBER("spilled_bytes"), NULL, 0 },
    { "xvs_daemon_socket_bytes", GAUGE, "bytes", "The same in sockets, in the kernel's memory, at most.", NUMBER("socket_bytes"), NULL, 0 },
    { "xvs_daemon_farewells", GAUGE, NULL, "Streams of guests that are gone, not yet read to their end.", NUMBER("farewells"), NULL, 0 },
};

static const struct metric of_guest[] = {
    { "xvs_guest_connected", GAUGE, NULL, "1 if a guest's program has the device open and is connected, 0 if not.", NUMBER("connected"), NULL, 0 },
    { "xvs_guest_connections", GAUGE, NULL, "Connections now.", NUMBER("connections"), NULL, 0 },
    { "xvs_guest_descriptors", GAUGE, NULL, "File descriptors of the daemon's that its connections hold.", NUMBER("files"), NULL, 0 },
    { "xvs_guest_bytes", COUNTER, "bytes", "Bytes of data.", BOTH_WAYS("from_guest", "bytes", "to_guest", "bytes"), NULL, 0 },
    { "xvs_guest_packets", COUNTER, NULL, "Packets, with and without data.", BOTH_WAYS("from_guest", "packets", "to_guest", "packets"), NULL, 0 },
    { "xvs_guest_notifications", COUNTER, NULL, "Notifications by event channel.", BOTH_WAYS("notifications", "from_guest", "notifications", "to_guest"), NULL, 0 },
    { "xvs_guest_connect_seconds", HISTOGRAM, "seconds", "From the call for a connection until both ends had agreed to it.", BOTH_WAYS("connects", "from_guest", "connects", "to_guest"), NULL, 1000000 },
    { "xvs_guest_refusals", COUNTER, NULL, "Calls of the guest's and calls to it that were refused.", BOTH_WAYS("refused", "from_guest", "refused", "to_guest"), "reason", 0 },
    { "xvs_guest_handshakes", COUNTER, NULL, "Times that the device was connected.", NUMBER("handshakes"), NULL, 0 },
    { "xvs_guest_violations", COUNTER, NULL, "Times that the guest broke a rule and its device was closed.", NUMBER("violations"), NULL, 0 },
    { "xvs_guest_storms", COUNTER, NULL, "Times that the guest sent so many notifications without work that it is heard less often.", NUMBER("storms"), NULL, 0 },
    { "xvs_guest_spills", COUNTER, NULL, "Times that data nobody read was moved out of the guest's pool.", NUMBER("spills"), NULL, 0 },
    { "xvs_guest_stalls", COUNTER, NULL, "Times that a stream from the guest stood still since its reader took no more.", NUMBER("stalls"), NULL, 0 },
    { "xvs_guest_credit_waits", COUNTER, NULL, "Times that a stream to the guest stood still since its program took no more.", NUMBER("credit_waits"), NULL, 0 },
    { "xvs_guest_buffer_waits", COUNTER, NULL, "Times that a stream to the guest waited for an empty buffer of the guest's.", NUMBER("buffer_waits"), NULL, 0 },
    { "xvs_guest_drops", COUNTER, NULL, "Streams that ended although not all that the guest had sent had been read.", NUMBER("drops"), NULL, 0 },
    { "xvs_guest_held_bytes", GAUGE, "bytes", "Data that waits for its reader: in the guest's pool, in the daemon, in sockets.",
      { { "where", "pool", "held", "pool" }, { "where", "daemon", "held", "daemon" }, { "where", "sockets", "held", "sockets" } }, NULL, 0 },
};
#define COUNT(table) (sizeof (table) / sizeof *(table))

/* ---- a sample ---- */

struct printer {
    FILE *to;
    enum metrics_format format;
    const json_t *bounds;       /* of histograms, in microseconds */
};

/* What ends a label, and what would play with a terminal: a guest's name is anybody's. */
static void print_escaped(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            fprintf(to, "\\%c", *text);
        else if (*text == '\n')
            fputs("\\n", to);
        else
            putc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
    }
}

/* *before: "{" or ",", whichever is due. */
static void print_label(FILE *to, const char **before, const char *name, const char *value)
{
    if (!*name)
        return;
    fprintf(to, "%s%s=\"", *before, name);
    print_escaped(to, value);
    putc('"', to);
    *before = ",";
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static void print_number_label(FILE *to, const char **before, const json_t *object, const char *key)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)json_integer_value(json_object_get(object, key)));
    print_label(to, before, key, text);
}

/* What tells one guest from all others: a name may be several's for a while. */
static void print_guest(FILE *to, const char **before, const json_t *guest)
{
    if (!guest)
        return;
    print_label(to, before, "guest", text_of(guest, "name"));
    print_number_label(to, before, guest, "domid");
    print_number_label(to, before, guest, "device");
}

static void print_name(const struct printer *p, const struct metric *m, const char *suffix, const json_t *guest, const char *label,
                       const char *value, const char *more, const char *more_value)
{
    const char *before = "{";

    fprintf(p->to, "%s%s", m->name, suffix);
    print_guest(p->to, &before, guest);
    print_label(p->to, &before, label, value);
    print_label(p->to, &before, more, more_value);
    fputs(*before == ',' ? "} " : " ", p->to);
}

/* An exact decimal number: divisor is 1 or a power of ten up to 10^6. */
static void number_text(char text[40], uint64_t number, unsigned divisor)
{
    int digits = divisor == 1000 ? 3 : divisor == 1000000 ? 6 : 0;
    size_t len;

    if (!digits) {
        snprintf(text, 40, "%llu", (unsigned long long)number);
        return;
    }
    len = (size_t)snprintf(text, 40, "%llu.%0*llu", (unsigned long long)(number / divisor), digits, (unsigned long long)(number % divisor));
    while (text[len - 1] == '0' && text[len - 2] != '.')
        text[--len] = '\0';
}

static void print_number(const struct printer *p, const json_t *value, unsigned divisor)
{
    char text[40];

    if (json_is_boolean(value))
        snprintf(text, sizeof text, "%d", (int)json_is_true(value));
    else
        number_text(text, (uint64_t)json_integer_value(value), divisor);
    fprintf(p->to, "%s\n", text);
}

/* ---- a histogram ---- */

/* Whatever the answer holds, what is printed is one: the last step has no bound, and counts never fall. */
static void print_histogram(const struct printer *p, const struct metric *m, const json_t *guest, const struct sample *s, const json_t *value)
{
    const json_t *steps = json_object_get(value, "steps"), *step;
    uint64_t sum = 0;
    size_t i, last = json_array_size(steps) - 1;

    if (!json_array_size(steps) || json_array_size(p->bounds) != last)
        return;
    json_array_foreach(steps, i, step) {
        char bound[40] = "+Inf";

        sum += (uint64_t)json_integer_value(step);
        if (i < last)
            number_text(bound, (uint64_t)json_integer_value(json_array_get(p->bounds, i)), m->divisor);
        print_name(p, m, "_bucket", guest, s->label, s->value, "le", bound);
        fprintf(p->to, "%llu\n", (unsigned long long)sum);
    }
    print_name(p, m, "_sum", guest, s->label, s->value, "", "");
    print_number(p, json_object_get(value, "sum_us"), m->divisor);
    print_name(p, m, "_count", guest, s->label, s->value, "", "");
    fprintf(p->to, "%llu\n", (unsigned long long)sum);
}

/* ---- a metric ---- */

static const char *suffix_of(const struct metric *m)
{
    return m->type == COUNTER ? "_total" : m->type == INFO ? "_info" : "";
}

static void print_head(const struct printer *p, const struct metric *m)
{
    static const char *const names[] = { [GAUGE] = "gauge", [COUNTER] = "counter", [INFO] = "info", [HISTOGRAM] = "histogram" };
    bool old = p->format == METRICS_PROMETHEUS;
    const char *suffix = old ? suffix_of(m) : "";

    fprintf(p->to, "# HELP %s%s %s\n", m->name, suffix, m->help);
    fprintf(p->to, "# TYPE %s%s %s\n", m->name, suffix, old && m->type == INFO ? "gauge" : names[m->type]);
    if (m->unit && !old)
        fprintf(p->to, "# UNIT %s %s\n", m->name, m->unit);
}

/* from: the guest, or with guest NULL the daemon. */
static void print_samples(const struct printer *p, const struct metric *m, const json_t *from, const json_t *guest)
{
    const char *key;
    json_t *each;

    for (size_t i = 0; i < COUNT(m->samples) && m->samples[i].key; i++) {
        const struct sample *s = &m->samples[i];
        const json_t *value = json_object_get(from, s->key);

        if (s->inner)
            value = json_object_get(value, s->inner);
        if (m->each) {
            json_object_foreach((json_t *)(uintptr_t)value, key, each) {
                print_name(p, m, suffix_of(m), guest, s->label, s->value, m->each, key);
                print_number(p, each, 1);
            }
        } else if (m->type == HISTOGRAM) {
            print_histogram(p, m, guest, s, value);
        } else if (json_is_boolean(value) || (json_is_integer(value) && json_integer_value(value) >= 0)) {
            print_name(p, m, suffix_of(m), guest, s->label, s->value, "", "");
            print_number(p, value, m->divisor ? m->divisor : 1);
        }
    }
}

/* What does not fit the table: texts, and whether there is a daemon. */
static void print_up(const struct printer *p, const json_t *answer)
{
    static const struct metric up = { .name = "xvs_up", .type = GAUGE, .help = "1 if the daemon answers, 0 if not." };
    static const struct metric build = { .name = "xvs_build", .type = INFO, .help = "The daemon's version; always 1." };
    const json_t *daemon = json_object_get(answer, "daemon");

    print_head(p, &up);
    fprintf(p->to, "xvs_up %d\n", answer != NULL);
    if (!daemon)
        return;
    print_head(p, &build);
    print_name(p, &build, "_info", NULL, "version", text_of(daemon, "version"), "", "");
    fputs("1\n", p->to);
}

static void print_infos(const struct printer *p, const json_t *guests)
{
    static const struct metric info = { .name = "xvs_guest", .type = INFO, .help = "Who a guest is, and the state of its device; always 1." };
    json_t *guest;
    size_t i;

    print_head(p, &info);
    json_array_foreach(guests, i, guest) {
        const char *before = "{";

        fputs("xvs_guest_info", p->to);
        print_guest(p->to, &before, guest);
        print_number_label(p->to, &before, guest, "cid");
        print_label(p->to, &before, "uuid", text_of(guest, "uuid"));
        print_label(p->to, &before, "state", text_of(guest, "state"));
        fputs("} 1\n", p->to);
    }
}

void metrics_print(FILE *to, const json_t *answer, enum metrics_format format)
{
    const struct printer p = { to, format, json_object_get(answer, "connect_bounds_us") };
    const json_t *guests = json_object_get(answer, "guests");
    json_t *guest;
    size_t n;

    print_up(&p, answer);
    for (size_t i = 0; answer && i < COUNT(of_daemon); i++) {
        print_head(&p, &of_daemon[i]);
        print_samples(&p, &of_daemon[i], json_object_get(answer, "daemon"), NULL);
    }
    if (json_array_size(guests))
        print_infos(&p, guests);
    for (size_t i = 0; json_array_size(guests) && i < COUNT(of_guest); i++) {
        print_head(&p, &of_guest[i]);
        json_array_foreach(guests, n, guest)
            print_samples(&p, &of_guest[i], guest, guest);
    }
    if (format == METRICS_OPENMETRICS)
        fputs("# EOF\n", to);
}

/* SPDX-License-Identifier: MIT */
/* journal.c: see journal.h.  A line is written with one call, so that lines of several processes do not mix. */
#include "journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "journald.h"

#define LINE 1024

static enum journal_level max_level = JOURNAL_INFO;

/* Where lines go. */
static struct {
    bool to_journald;           /* standard error is its stream */
    int fd;                     /* its socket, -1 for none */
    unsigned lost;              /* lines that nobody took */
} out = { .fd = -1 };

/* What is said of a line besides its text. */
struct facts {
    enum journal_level level;
    enum event_kind kind;
    const char *reason;         /* NULL for none */
    const struct journal_guest *about;  /* likewise */
};

void journal_begin(const char *path)
{
    struct stat st;

    if (out.fd >= 0)
        close(out.fd);
    out.fd = -1;
    out.to_journald = journald_is_ours(getenv("JOURNAL_STREAM"), STDERR_FILENO);
    if (out.to_journald && !fstat(STDERR_FILENO, &st) && S_ISSOCK(st.st_mode))
        out.fd = journald_connect(path);
}

void journal_set_level(enum journal_level level)
{
    max_level = level;
}

bool journal_shows(enum journal_level level)
{
    return level <= max_level;
}

/* ---- to journald's socket ---- */

static void add_text(struct journald_entry *e, const char *name, const char *value)
{
    journald_add(e, name, value, strlen(value));
}

static void add_number(struct journald_entry *e, const char *name, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    add_text(e, name, text);
}

static void add_guest(struct journald_entry *e, const struct journal_guest *g)
{
    add_text(e, "XVS_GUEST", g->name);
    add_number(e, "XVS_DOMID", g->domid);
    if (g->device)
        add_number(e, "XVS_DEVICE", g->device);
    if (g->cid)
        add_number(e, "XVS_CID", g->cid);
}

/* What has no fields has nothing to gain here, and something to lose: journald finds out whose an entry is when it reads it, so the last
 * words of a process that cannot begin would be in no unit's log.  A stream is its unit's. */
static bool has_fields(const struct facts *f)
{
    return f->kind || (f->about && *f->about->name);
}

static bool send_entry(const struct facts *f, const char *message, size_t len)
{
    static struct journald_entry e;

    if (out.fd < 0 || !has_fields(f))
        return false;
    journald_begin(&e);
    journald_add(&e, "MESSAGE", message, len);
    add_number(&e, "PRIORITY", f->level);
    add_text(&e, "SYSLOG_IDENTIFIER", "xvsd");
    if (*event_id(f->kind))
        add_text(&e, "MESSAGE_ID", event_id(f->kind));
    if (*event_word(f->kind))
        add_text(&e, "XVS_EVENT", event_word(f->kind));
    if (f->reason)
        add_text(&e, "XVS_REASON", f->reason);
    if (f->about && *f->about->name)
        add_guest(&e, f->about);
    return journald_send(out.fd, &e);
}

/* ---- to standard error ---- */

/* What goes before the text: a priority for journald, the time of day for everyone else. */
static int prefix(char *line, size_t size, enum journal_level level)
{
    struct timespec ts;
    struct tm tm;
    size_t n;

    if (out.to_journald)
        return snprintf(line, size, "<%d>", level);
    clock_gettime(CLOCK_REALTIME, &ts);
    localtime_r(&ts.tv_sec, &tm);
    n = strftime(line, size, "%Y-%m-%d %H:%M:%S", &tm);
    return (int)n + snprintf(line + n, size - n, ".%03ld xvsd: ", ts.tv_nsec / 1000000);
}

/* False if it could not be told at once.  A person's terminal or file may take its time. */
static bool write_line(const char *line, size_t len)
{
    ssize_t n = out.to_journald ? send(STDERR_FILENO, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;

    if (!out.to_journald || (n < 0 && errno == ENOTSOCK))
        n = write(STDERR_FILENO, line, len);
    return n >= 0 || errno != EAGAIN;           /* else there is nobody to tell */
}

static void say_lost(void)
{
    char line[120];
    int n = prefix(line, sizeof line, JOURNAL_WARNING);

    n += snprintf(line + n, sizeof line - (size_t)n, "%u lines are lost: journald took none of them in time\n", out.lost);
    if (write_line(line, (size_t)n))
        out.lost = 0;
}

/* ---- a line ---- */

static void put(const struct facts *f, const char *format, va_list args)
{
    char line[LINE];
    size_t n = (size_t)prefix(line, sizeof line, f->level), start = n;

    if (f->about && *f->about->who)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s: ", f->about->who);
    n += (size_t)vsnprintf(line + n, sizeof line - n, format, args);
    if (n > sizeof line - 2)
        n = sizeof line - 2;
    for (size_t i = start; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = ' ';
    if (out.lost)
        say_lost();
    if (send_entry(f, line + start, n - start))
        return;
    line[n++] = '\n';
    out.lost += !write_line(line, n);
}

void journal(enum journal_level level, const char *format, ...)
{
    va_list args;

    if (!journal_shows(level))
        return;
    va_start(args, format);
    put(&(struct facts){ .level = level }, format, args);
    va_end(args);
}

void journal_guest_name(struct journal_guest *g, const char *name, uint32_t domid, uint32_t number)
{
    if (number)
        snprintf(g->who, sizeof g->who, "guest %.60s (domid %u, device %u)", name, domid, number);
    else
        snprintf(g->who, sizeof g->who, "guest %.60s (domid %u)", name, domid);
    snprintf(g->name, sizeof g->name, "%s", name);
    g->domid = domid;
    g->device = number;
}

void journal_guest_as(struct journal_guest *g, const struct journal_guest *other)
{
    memcpy(g->who, other->who, sizeof g->who);
    memcpy(g->name, other->name, sizeof g->name);
    g->domid = other->domid;
    g->device = other->device;
    g->cid = other->cid;
}

void journal_nobody_init(struct journal_guest *g)
{
    memset(g, 0, sizeof *g);
    g->tokens = JOURNAL_BURST;
    g->since = clock_now_ms();
}

void journal_guest_init(struct journal_guest *g, const char *name, uint32_t domid, uint32_t number)
{
    journal_nobody_init(g);
    journal_guest_name(g, name, domid, number);
}

static bool take_token(struct journal_guest *g)
{
    uint64_t now = clock_now_ms(), due = (now - g->since) / JOURNAL_REFILL_MS;

    if (due) {
        g->tokens = g->tokens + due > JOURNAL_BURST ? JOURNAL_BURST : g->tokens + (uint32_t)due;
        g->since += due * JOURNAL_REFILL_MS;
    }
    if (!g->tokens)
        return false;
    g->tokens--;
    return true;
}

/* To be followed by put(), if it may be said. */
static bool may_be_said(struct journal_guest *g, enum journal_level level)
{
    if (!journal_shows(level))
        return false;
    if (!g || take_token(g))
        return true;
    g->left_out++;
    return false;
}

__attribute__((format(printf, 2, 3)))
static void say(const struct facts *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(f, format, args);
    va_end(args);
}

static void say_left_out(struct journal_guest *g)
{
    struct facts f = { .level = JOURNAL_WARNING, .kind = EVENT_LEFT_OUT, .about = g };

    if (!g || !g->left_out)
        return;
    if (journal_shows(JOURNAL_WARNING))
        say(&f, *g->who ? "%u lines about this guest were left out" : "%u lines like the last were left out", g->left_out);
    g->left_out = 0;
}

void journal_guest_end(struct journal_guest *g)
{
    say_left_out(g);
}

void journal_guest(struct journal_guest *g, enum journal_level level, const char *format, ...)
{
    va_list args;

    g->errors += level <= JOURNAL_WARNING;
    if (!may_be_said(g, level))
        return;
    say_left_out(g);
    va_start(args, format);
    put(&(struct facts){ .level = level, .about = g }, format, args);
    va_end(args);
}

void journal_event(struct journal_guest *g, enum event_kind kind, const char *reason, const char *format, ...)
{
    enum journal_level level = event_level(kind);
    va_list args;

    if (g)
        g->errors += level <= JOURNAL_WARNING;
    if (!may_be_said(g, level))
        return;
    say_left_out(g);
    va_start(args, format);
    put(&(struct facts){ .level = level, .kind = kind, .reason = reason, .about = g }, format, args);
    va_end(args);
}

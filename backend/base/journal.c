/* SPDX-License-Identifier: MIT */
/* journal.c: see journal.h.  A line is written with one write(), so that lines of several processes do not mix. */
#include "journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE 1024

static enum journal_level max_level = JOURNAL_INFO;

void journal_set_level(enum journal_level level)
{
    max_level = level;
}

bool journal_shows(enum journal_level level)
{
    return level <= max_level;
}

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* What goes before the text: a priority for journald, the time of day for everyone else. */
static int prefix(char *line, size_t size, enum journal_level level)
{
    static int to_journald = -1;
    struct timespec ts;
    struct tm tm;
    size_t n;

    if (to_journald < 0)
        to_journald = getenv("JOURNAL_STREAM") != NULL;
    if (to_journald)
        return snprintf(line, size, "<%d>", level);
    clock_gettime(CLOCK_REALTIME, &ts);
    localtime_r(&ts.tv_sec, &tm);
    n = strftime(line, size, "%Y-%m-%d %H:%M:%S", &tm);
    return (int)n + snprintf(line + n, size - n, ".%03ld xvsd: ", ts.tv_nsec / 1000000);
}

static void put(enum journal_level level, const char *who, const char *format, va_list args)
{
    char line[LINE];
    size_t n = (size_t)prefix(line, sizeof line, level), start = n;

    if (who && *who)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s: ", who);
    n += (size_t)vsnprintf(line + n, sizeof line - n, format, args);
    if (n > sizeof line - 2)
        n = sizeof line - 2;
    for (size_t i = start; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = ' ';
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0)
        return;                 /* there is nobody to tell */
}

void journal(enum journal_level level, const char *format, ...)
{
    va_list args;

    if (!journal_shows(level))
        return;
    va_start(args, format);
    put(level, NULL, format, args);
    va_end(args);
}

void journal_guest_name(struct journal_guest *g, const char *name, uint32_t domid, uint32_t number)
{
    if (number)
        snprintf(g->who, sizeof g->who, "guest %.60s (domid %u, device %u)", name, domid, number);
    else
        snprintf(g->who, sizeof g->who, "guest %.60s (domid %u)", name, domid);
}

void journal_nobody_init(struct journal_guest *g)
{
    memset(g, 0, sizeof *g);
    g->tokens = JOURNAL_BURST;
    g->since = now_ms();
}

void journal_guest_init(struct journal_guest *g, const char *name, uint32_t domid, uint32_t number)
{
    journal_nobody_init(g);
    journal_guest_name(g, name, domid, number);
}

static bool take_token(struct journal_guest *g)
{
    uint64_t now = now_ms(), due = (now - g->since) / JOURNAL_REFILL_MS;

    if (due) {
        g->tokens = g->tokens + due > JOURNAL_BURST ? JOURNAL_BURST : g->tokens + (uint32_t)due;
        g->since += due * JOURNAL_REFILL_MS;
    }
    if (!g->tokens)
        return false;
    g->tokens--;
    return true;
}

static void say_left_out(struct journal_guest *g)
{
    if (!g->left_out)
        return;
    journal(JOURNAL_WARNING, *g->who ? "%s: %u lines about this guest were left out" : "%s%u lines like the last were left out",
            g->who, g->left_out);
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
    if (!journal_shows(level))
        return;
    if (!take_token(g)) {
        g->left_out++;
        return;
    }
    say_left_out(g);
    va_start(args, format);
    put(level, g->who, format, args);
    va_end(args);
}

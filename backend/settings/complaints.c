/* SPDX-License-Identifier: MIT */
/* complaints.c: see complaints.h. */
#include "complaints.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plural.h"

/* Without memory the first one is left, and the number. */
static void keep(struct complaints *c, const char *line)
{
    size_t len = strlen(line);
    char *more = c->count < COMPLAINTS_MOST ? realloc(c->lines, c->len + len + 2) : NULL;

    if (!more)
        return;
    c->lines = more;
    memcpy(more + c->len, line, len);
    memcpy(more + c->len + len, "\n", 2);
    c->len += len + 1;
}

bool complain(struct complaints *c, const char *format, ...)
{
    char line[COMPLAINT];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (!c->count)
        memcpy(c->first, line, sizeof line);
    keep(c, line);
    c->count++;
    return false;
}

void complaints_tell(const struct complaints *c, void (*say)(const char *line, void *arg), void *arg)
{
    char line[COMPLAINT];
    unsigned told = 0;

    if (!c->lines && c->count)
        say(c->first, arg), told++;
    for (const char *at = c->lines; at && *at; at = strchr(at, '\n') + 1, told++) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
        say(line, arg);
    }
    if (told == c->count)
        return;
    snprintf(line, sizeof line, "and %u error%s more", c->count - told, plural(c->count - told));
    say(line, arg);
}

void complaints_sum(const struct complaints *c, char *why)
{
    if (c->count > 1)
        snprintf(why, COMPLAINT, "%.440s (and %u error%s more: xvsd -t shows them)", c->first, c->count - 1, plural(c->count - 1));
    else
        snprintf(why, COMPLAINT, "%s", c->first);
}

void complaints_free(struct complaints *c)
{
    free(c->lines);
    *c = (struct complaints){ 0 };
}

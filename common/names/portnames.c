/* SPDX-License-Identifier: MIT */
/* portnames.c: see portnames.h. */
#include "portnames.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Relative to the folder in which all is compiled (the Makefile says so, too). */
__asm__(".pushsection .rodata\n"
        ".globl portnames_default, portnames_default_end\n"
        "portnames_default: .incbin \"dist/ports\"\n"
        "portnames_default_end: .byte 0\n"
        ".popsection\n");

struct reading {
    struct portnames *ports;
    unsigned line;
    void (*wrong)(void *arg, unsigned line, const char *what);
    void *arg;
};

__attribute__((format(printf, 2, 3)))
static int wrong(struct reading *r, const char *format, ...)
{
    char what[PORTNAMES_WHY];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    r->wrong(r->arg, r->line, what);
    return -EINVAL;
}

bool portnames_is_name(const char *text)
{
    size_t len = strlen(text);

    return len >= 1 && len < PORTNAMES_NAME && strchr(LETTERS, *text) && strspn(text, LETTERS "0123456789_.+-") == len;
}

static bool read_number(const char *text, uint32_t *number)
{
    uint64_t value = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || (value = value * 10 + (uint64_t)(*text - '0')) > PORTNAMES_LAST)
            return false;
    }
    *number = (uint32_t)value;
    return true;
}

static int add(struct reading *r, const char *name, uint32_t number)
{
    struct portnames *p = r->ports;
    struct portnames_entry *more;
    uint32_t other;

    if (!portnames_is_name(name))
        return wrong(r, "\"%.40s\" is no name of a port: a letter, and then letters, digits and _.+-, at most %d of them", name, PORTNAMES_NAME - 1);
    if (portnames_find(p, name, &other))
        return other == number ? 0 : wrong(r, "%s is port %u already", name, other);
    if (p->count == PORTNAMES_MOST)
        return wrong(r, "these are more than %u names", PORTNAMES_MOST);
    /* Room is made for twice as many each time. */
    if (!(p->count & (p->count - 1))) {
        if (!(more = reallocarray(p->entry, p->count ? 2 * p->count : 1, sizeof *more)))
            return -ENOMEM;
        p->entry = more;
    }
    more = &p->entry[p->count++];
    more->number = number;
    strcpy(more->name, name);
    return 0;
}

static int read_line(struct reading *r, char *line)
{
    char *name, *rest, *word;
    uint32_t number;
    int err;

    line[strcspn(line, "#")] = '\0';
    if (!(name = strtok_r(line, BLANKS, &rest)))
        return 0;
    if (!(word = strtok_r(NULL, BLANKS, &rest)))
        return wrong(r, "%.40s: its number is missing, as in \"ssh 22\"", name);
    if (!read_number(word, &number))
        return wrong(r, "%.40s %.40s: a port is a number from 0 to %u and nothing else", name, word, PORTNAMES_LAST);
    err = add(r, name, number);
    while (err != -ENOMEM && (word = strtok_r(NULL, BLANKS, &rest))) {
        int one = add(r, word, number);

        err = one ? one : err;
    }
    return err;
}

int portnames_read(struct portnames *p, const char *text, size_t len, void (*hear)(void *arg, unsigned line, const char *what), void *arg)
{
    struct reading r = { .ports = p, .wrong = hear, .arg = arg };
    const char *end = text + len, *newline;
    int first = 0;

    *p = (struct portnames){ 0 };
    for (r.line = 1; text < end; text = newline + 1, r.line++) {
        char line[512];
        int err;

        if (!(newline = memchr(text, '\n', (size_t)(end - text))))
            newline = end;
        if ((size_t)(newline - text) >= sizeof line) {
            err = wrong(&r, "the line is longer than %zu bytes", sizeof line - 1);
        } else if (memchr(text, '\0', (size_t)(newline - text))) {
            err = wrong(&r, "there is a byte 0 in the line: is this a text?");
        } else {
            memcpy(line, text, (size_t)(newline - text));
            line[newline - text] = '\0';
            err = read_line(&r, line);
        }
        first = first ? first : err;
        if (err == -ENOMEM)
            return err;
    }
    return first;
}

bool portnames_find(const struct portnames *p, const char *name, uint32_t *number)
{
    for (size_t i = 0; p && i < p->count; i++)
        if (!strcmp(p->entry[i].name, name)) {
            *number = p->entry[i].number;
            return true;
        }
    return false;
}

void portnames_free(struct portnames *p)
{
    free(p->entry);
    *p = (struct portnames){ 0 };
}

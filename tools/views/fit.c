/* SPDX-License-Identifier: MIT */
/* fit.c: see fit.h. */
#include "fit.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

unsigned fit_columns(const char *text)
{
    unsigned n = 0;

    for (; *text; text++)
        n += begins_character(*text);
    return n;
}

/* The first n characters. */
static void print_first(FILE *to, const char *text, unsigned n)
{
    const char *end = text;
    char *copy;

    for (; *end && (n || !begins_character(*end)); end++)
        n -= begins_character(*end);
    if (!(copy = strndup(text, (size_t)(end - text))))
        return;
    say_clean(to, copy);
    free(copy);
}

void fit_print(FILE *to, const char *text, unsigned width, bool pads)
{
    unsigned n = fit_columns(text);

    if (n > width && width) {
        print_first(to, text, width - 1);
        fputs("\xe2\x80\xa6", to);
    } else if (width) {
        say_clean(to, text);
    }
    if (pads && n < width)
        fprintf(to, "%*s", (int)(width - n), "");
}

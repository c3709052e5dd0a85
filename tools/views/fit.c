/* SPDX-License-Identifier: MIT */
/* fit.c: see fit.h.  What a character takes is what libc's wcwidth() says for UTF-8, whatever the user's locale is: the names of domains are
 * bytes of xenstore, and a terminal that shows them knows UTF-8. */
#include "fit.h"

#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "say.h"

/* The end of the character at text, and the columns that it takes.  A byte that is no UTF-8 is a character of one column, as terminals
 * show it; so is all that libc knows no width of. */
static const char *step(const char *text, unsigned *columns)
{
    mbstate_t state = { 0 };
    wchar_t c;
    size_t n = mbrtowc(&c, text, strnlen(text, MB_LEN_MAX), &state);
    int width = n < (size_t)-2 ? wcwidth(c) : 1;

    *columns = width < 0 ? 1 : (unsigned)width;
    return text + (n && n < (size_t)-2 ? n : 1);
}

/* Of cleaned text: what fits into so many columns, and how many it then takes. */
static const char *measure(const char *text, unsigned most, unsigned *columns)
{
    static locale_t utf8;
    locale_t before;

    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    before = uselocale(utf8);           /* none: as it is, where what is no ASCII counts by its bytes */
    *columns = 0;
    while (*text) {
        unsigned width;
        const char *next = step(text, &width);

        if (width > most - *columns)
            break;
        *columns += width;
        text = next;
    }
    uselocale(before);
    return text;
}

static char *cleaned(const char *text)
{
    char *copy = strdup(text);

    if (copy)
        clean(copy);
    return copy;
}

unsigned fit_columns(const char *text)
{
    char *copy = cleaned(text);
    unsigned columns = 0;

    if (copy)
        measure(copy, UINT_MAX, &columns);
    free(copy);
    return columns;
}

void fit_print(FILE *to, const char *text, unsigned width, bool pads)
{
    char *copy = cleaned(text);
    unsigned columns = 0;

    if (copy && *measure(copy, width, &columns)) {
        const char *end = measure(copy, width ? width - 1 : 0, &columns);

        fwrite(copy, 1, (size_t)(end - copy), to);
        fputs(width ? "\xe2\x80\xa6" : "", to);
        columns += width > 0;
    } else if (copy) {
        fputs(copy, to);
    }
    if (pads && columns < width)
        fprintf(to, "%*s", (int)(width - columns), "");
    free(copy);
}

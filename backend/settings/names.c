/* SPDX-License-Identifier: MIT */
/* names.c: see names.h.  No isalnum() and the like: what they say depends on the locale. */
#include "names.h"

#include <stdio.h>
#include <string.h>

#define GOOD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-"

bool names_is_good(const char *name)
{
    size_t len = strnlen(name, NAMES_MAX + 1);

    return len >= 1 && len <= NAMES_MAX && *name != '.' && strspn(name, GOOD) == len;
}

bool names_is_pattern(const char *text)
{
    size_t len = strnlen(text, NAMES_MAX + 1);

    return len <= NAMES_MAX && *text != '.' && strspn(text, GOOD "*") == len && strchr(text, '*');
}

/* Where it does not go on, the last "*" takes one character more: an earlier one need not be asked again. */
bool names_fit(const char *pattern, const char *name)
{
    const char *star = NULL, *taken = NULL;

    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            taken = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++taken;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

unsigned names_own_characters(const char *pattern)
{
    unsigned n = 0;

    for (; *pattern; pattern++)
        n += *pattern != '*';
    return n;
}

bool names_read_uuid(const char *text, char out[NAMES_UUID])
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    size_t i;

    for (i = 0; form[i]; i++) {
        char c = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] + 'a' - 'A') : text[i];

        if (form[i] == '-' ? c != '-' : !c || !strchr("0123456789abcdef", c))
            return false;
        out[i] = c;
    }
    out[i] = '\0';
    return !text[i];
}

void names_of_domid(char out[NAMES_DOMID], uint32_t domid)
{
    snprintf(out, NAMES_DOMID, ":%u", domid % 1000000);
}

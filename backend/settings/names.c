/* SPDX-License-Identifier: MIT */
/* names.c: see names.h.  No isalnum() and the like: what they say depends on the locale. */
#include "names.h"

#include <stdio.h>
#include <string.h>

bool names_is_good(const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";
    size_t len = strnlen(name, NAMES_MAX + 1);

    return len >= 1 && len <= NAMES_MAX && *name != '.' && strspn(name, good) == len;
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

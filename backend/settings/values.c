/* SPDX-License-Identifier: MIT */
/* values.c: see values.h. */
#include "values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

char *trim(char *text)
{
    size_t len;

    text += strspn(text, " \t");
    len = strlen(text);
    while (len && strchr(" \t", text[len - 1]))
        text[--len] = '\0';
    return text;
}

bool read_number(struct reader *r, const char *key, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    uint64_t value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value < min || value > max)
        return wrong(r, "%s = %.40s: it must be a number from %llu to %llu", key, text, (unsigned long long)min,
                     (unsigned long long)max);
    *out = value;
    return true;
}

bool read_u32(struct reader *r, const char *key, const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t value;

    if (!read_number(r, key, text, min, max, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

bool read_bool(struct reader *r, const char *key, const char *text, bool *out)
{
    if (strcmp(text, "yes") && strcmp(text, "no"))
        return wrong(r, "%s = %.40s: it must be yes or no", key, text);
    *out = *text == 'y';
    return true;
}

bool read_path(struct reader *r, const char *key, const char *text, const char *such_as, char **out)
{
    if (*text != '/')
        return wrong(r, "%s = %.80s: it must be an absolute path, such as %s", key, text, such_as);
    free(*out);
    *out = strdup(text);
    return *out || no_memory(r);
}

bool read_name(struct reader *r, const char *what, const char *text, char *out)
{
    if (!strncmp(text, "uuid:", 5)) {
        memcpy(out, text, 5);
        return names_read_uuid(text + 5, out + 5) ||
               wrong(r, "%s: \"%.60s\" is no UUID: uuid:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, in hexadecimal digits", what,
                     text);
    }
    if (!names_is_good(text))
        return wrong(r, "%s: \"%.70s\" is no name of a guest, which is made of " NAMES_ARE
                     "; a domain that is called otherwise goes by uuid:UUID", what, text);
    strcpy(out, text);
    return true;
}

/* A number, perhaps with K, M or G behind it.  False if it is none, or out of bounds. */
static bool read_amount(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    static const char units[] = "KMG";
    const char *unit;
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || errno)
        return false;
    if (*end && (unit = strchr(units, *end)) && !end[1]) {
        unsigned shift = 10 * (unsigned)(unit - units + 1);

        if (*out > max >> shift)
            return false;
        *out <<= shift;
        end++;
    }
    return !*end && *out >= min && *out <= max;
}

bool read_rate(struct reader *r, const char *key, const char *text, uint64_t min, uint64_t max, struct settings_rate *out)
{
    static const char word[] = "burst";
    struct settings_rate rate = { SETTINGS_NO_LIMIT, SETTINGS_NO_LIMIT };
    char copy[80];
    char *comma;
    bool good;

    if (!strcmp(text, "no")) {
        *out = rate;
        return true;
    }
    if ((good = (size_t)snprintf(copy, sizeof copy, "%s", text) < sizeof copy) && (comma = strchr(copy, ','))) {
        char *burst = trim(comma + 1);

        *comma = '\0';
        good = !strncmp(burst, word, sizeof word - 1) && strchr(" \t", burst[sizeof word - 1]) &&
               read_amount(trim(burst + sizeof word - 1), min, max, &rate.burst);
    }
    if (!good || !read_amount(trim(copy), min, max, &rate.per_second))
        return wrong(r, "%s = %.60s: it must be no, or a number from %llu to %llu, perhaps with K, M or G behind it, and with \", burst N\" "
                     "and another such number behind that", key, text, (unsigned long long)min, (unsigned long long)max);
    if (rate.burst == SETTINGS_NO_LIMIT)
        rate.burst = rate.per_second;
    *out = rate;
    return true;
}

/* SPDX-License-Identifier: MIT */
/* connect_line.c: see connect_line.h. */
#include "connect_line.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char *const keywords[] = {
    [CONNECT_STREAM] = "CONNECT ", [CONNECT_CALL] = "CALL ", [CONNECT_WATCH] = "WATCH ", [CONNECT_VOUCH] = "VOUCH ",
    [CONNECT_WHY] = "WHY "
};
#define KEYWORDS (sizeof keywords / sizeof *keywords)

/* Which keyword the bytes begin with, as far as they go; KEYWORDS for none. */
static size_t find_keyword(const char *bytes, size_t len)
{
    size_t i = 0;

    while (i < KEYWORDS && strncasecmp(bytes, keywords[i], len < strlen(keywords[i]) ? len : strlen(keywords[i])))
        i++;
    return i;
}

/* Digits from 'at' to 'end', at least one. */
static bool parse_number(const char *at, const char *end, uint32_t *number)
{
    uint64_t value = 0;

    if (at == end)
        return false;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        value = value * 10 + (uint64_t)(*at - '0');
        if (value > UINT32_MAX)
            return false;
    }
    *number = (uint32_t)value;
    return true;
}

int connect_line_parse(const char *bytes, size_t len, enum connect_verb *verb, uint32_t *number)
{
    size_t shown = len < CONNECT_LINE_MAX ? len : CONNECT_LINE_MAX, which = find_keyword(bytes, shown);
    const char *newline = memchr(bytes, '\n', shown), *end, *digits;

    if (which == KEYWORDS)
        return -EINVAL;
    if (!newline)
        return shown == CONNECT_LINE_MAX ? -EINVAL : 0;
    end = newline > bytes && newline[-1] == '\r' ? newline - 1 : newline;
    digits = bytes + strlen(keywords[which]);
    if (end < digits || !parse_number(digits, end, number))
        return -EINVAL;
    *verb = (enum connect_verb)which;
    return (int)(newline - bytes) + 1;
}

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

/* "<cid>:<port>" or "<port>". */
static bool parse_address(const char *at, const char *end, uint32_t *cid, uint32_t *port)
{
    const char *colon = memchr(at, ':', (size_t)(end - at));
    uint32_t named;

    if (!colon)
        return parse_number(at, end, port);
    if (!parse_number(at, colon, &named) || !parse_number(colon + 1, end, port))
        return false;
    *cid = named;
    return true;
}

/* cid: NULL where none may be named. */
static int parse_line(const char *bytes, size_t len, enum connect_verb *verb, uint32_t *cid, uint32_t *number)
{
    size_t shown = len < CONNECT_LINE_MAX ? len : CONNECT_LINE_MAX, which = find_keyword(bytes, shown);
    const char *newline = memchr(bytes, '\n', shown), *end, *digits;

    if (which == KEYWORDS)
        return -EINVAL;
    if (!newline)
        return shown == CONNECT_LINE_MAX ? -EINVAL : 0;
    end = newline > bytes && newline[-1] == '\r' ? newline - 1 : newline;
    digits = bytes + strlen(keywords[which]);
    if (end < digits || !(cid && (which == CONNECT_STREAM || which == CONNECT_CALL || which == CONNECT_WHY) ? parse_address(digits, end, cid, number)
                                                                                    : parse_number(digits, end, number)))
        return -EINVAL;
    *verb = (enum connect_verb)which;
    return (int)(newline - bytes) + 1;
}

int connect_line_parse(const char *bytes, size_t len, enum connect_verb *verb, uint32_t *number)
{
    return parse_line(bytes, len, verb, NULL, number);
}

int connect_line_parse_cid(const char *bytes, size_t len, enum connect_verb *verb, uint32_t *cid, uint32_t *number)
{
    return parse_line(bytes, len, verb, cid, number);
}

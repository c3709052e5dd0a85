/* SPDX-License-Identifier: MIT */
/* connect_line.c: see connect_line.h. */
#include "connect_line.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char keyword[] = "CONNECT ";
#define KEYWORD (sizeof keyword - 1)

/* Digits from 'at' to 'end', at least one. */
static bool parse_port(const char *at, const char *end, uint32_t *port)
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
    *port = (uint32_t)value;
    return true;
}

int connect_line_parse(const char *bytes, size_t len, uint32_t *port)
{
    size_t shown = len < CONNECT_LINE_MAX ? len : CONNECT_LINE_MAX;
    const char *newline = memchr(bytes, '\n', shown), *end;

    if (strncasecmp(bytes, keyword, shown < KEYWORD ? shown : KEYWORD))
        return -EINVAL;
    if (!newline)
        return shown == CONNECT_LINE_MAX ? -EINVAL : 0;
    end = newline > bytes && newline[-1] == '\r' ? newline - 1 : newline;
    if (end < bytes + KEYWORD || !parse_port(bytes + KEYWORD, end, port))
        return -EINVAL;
    return (int)(newline - bytes) + 1;
}

/* SPDX-License-Identifier: MIT */
/* tcpmux.c: see tcpmux.h. */
#include "tcpmux.h"

#include <errno.h>
#include <string.h>

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_good(char c)
{
    return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
}

bool tcpmux_name_is_good(const char *name)
{
    size_t len = strnlen(name, TCPMUX_NAME + 1);

    for (size_t i = 0; i < len; i++)
        if (!is_good(name[i]))
            return false;
    return len && len <= TCPMUX_NAME && is_alphanumeric(name[0]);
}

static int wrong(const char **why, const char *text)
{
    *why = text;
    return -EINVAL;
}

/* The next character of the line, before its end. */
static int add(struct tcpmux_request *r, size_t *len, char c, const char **why)
{
    if (r->has_argument) {
        if (*len == TCPMUX_ARGUMENT)
            return wrong(why, "the service's argument is too long");
        if (!is_good(c) && c != '+')
            return wrong(why, "the service's argument has a character that is not allowed");
        r->argument[(*len)++] = c;
    } else if (c == '+' && *len) {
        r->has_argument = true;
        *len = 0;
    } else {
        if (*len == TCPMUX_NAME)
            return wrong(why, "the service's name is too long");
        if (*len ? !is_good(c) : !is_alphanumeric(c))
            return wrong(why, "the service's name has a character that is not allowed");
        r->name[(*len)++] = c;
    }
    return 0;
}

ssize_t tcpmux_request(const void *bytes, size_t len, struct tcpmux_request *request, const char **why)
{
    const char *text = bytes;
    size_t part = 0;
    bool returned = false;
    int err;

    memset(request, 0, sizeof *request);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            return request->name[0] ? (ssize_t)i + 1 : wrong(why, "no service was named");
        if (returned)
            return wrong(why, "the service's name has a character that is not allowed");
        if (text[i] == '\r') {
            returned = true;
            continue;
        }
        if ((err = add(request, &part, text[i], why)))
            return err;
    }
    return 0;
}

ssize_t tcpmux_ask(const char *service, char line[TCPMUX_LINE + 1], const char **why)
{
    size_t len = strlen(service);
    struct tcpmux_request r;
    ssize_t n;

    if (len > TCPMUX_LINE - 2)
        return wrong(why, "the service's name and argument are too long");
    memcpy(line, service, len);
    memcpy(line + len, "\r\n", 3);
    n = tcpmux_request(line, len + 2, &r, why);
    /* It may have been two lines. */
    return n < 0 || (size_t)n == len + 2 ? n : wrong(why, "the service's name has a character that is not allowed");
}

size_t tcpmux_answer(bool good, const char *text, char line[TCPMUX_ANSWER + 1])
{
    size_t len = 0;

    line[len++] = good ? '+' : '-';
    for (; *text && len < TCPMUX_ANSWER - 2; text++)
        line[len++] = *text == 0x7f || (*text >= 0 && *text < 0x20) ? '?' : *text;
    memcpy(line + len, "\r\n", 3);
    return len + 2;
}

ssize_t tcpmux_answered(const void *bytes, size_t len, bool *good, char text[TCPMUX_ANSWER])
{
    const char *from = bytes, *end = memchr(from, '\n', len < TCPMUX_ANSWER ? len : TCPMUX_ANSWER);
    size_t n;

    if (len && *from != '+' && *from != '-')
        return -EPROTO;
    if (!end)
        return len < TCPMUX_ANSWER ? 0 : -EPROTO;
    *good = *from == '+';
    n = (size_t)(end - from) - 1;
    if (n && from[n] == '\r')
        n--;
    memcpy(text, from + 1, n);
    text[n] = '\0';
    return end - from + 1;
}

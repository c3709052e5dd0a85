/* SPDX-License-Identifier: MIT */
/* fuzz_tcpmux.c: the line that names a service, and the answer to it: in any pieces the same, and within bounds. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcpmux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool what)
{
    if (!what)
        abort();
}

static void a_request(const uint8_t *data, size_t size)
{
    struct tcpmux_request whole, part;
    const char *why = NULL, *early = NULL;
    ssize_t all = tcpmux_request(data, size, &whole, &why), n;

    must(all == -EINVAL ? why != NULL : all >= 0 && (size_t)all <= size && all <= (ssize_t)TCPMUX_LINE);
    for (size_t len = 0; len <= size && len <= TCPMUX_LINE + 1; len++) {
        n = tcpmux_request(data, len, &part, &early);
        must(n == 0 || (n == all && (n < 0 ? early == why : memcmp(&whole, &part, sizeof part) == 0)));
    }
    if (all > 0) {
        char service[TCPMUX_LINE + 1], line[TCPMUX_LINE + 1];

        must(tcpmux_name_is_good(whole.name) && strlen(whole.argument) <= TCPMUX_ARGUMENT && !strpbrk(whole.argument, "/ \r\n"));
        strcpy(service, whole.name);
        if (whole.has_argument)
            strcat(strcat(service, "+"), whole.argument);
        n = tcpmux_ask(service, line, &why);
        must(n == (ssize_t)strlen(line) && tcpmux_request(line, (size_t)n, &part, &why) == n &&
             memcmp(&whole, &part, sizeof part) == 0);
    }
}

static void an_answer(const uint8_t *data, size_t size)
{
    char text[TCPMUX_ANSWER], again[TCPMUX_ANSWER], line[TCPMUX_ANSWER + 1], word[300];
    bool good = false, same = false;
    ssize_t all = tcpmux_answered(data, size, &good, text), n;
    const char *why;

    must(all == -EPROTO || (all >= 0 && (size_t)all <= size && all <= (ssize_t)TCPMUX_ANSWER));
    for (size_t len = 0; len <= size && len <= TCPMUX_ANSWER; len++) {
        n = tcpmux_answered(data, len, &same, again);
        must(n == 0 || n == all);
    }
    /* Any text whatever makes an answer of one line. */
    snprintf(word, sizeof word, "%.*s", (int)(size < 299 ? size : 299), (const char *)data);
    n = (ssize_t)tcpmux_answer(size & 1, word, line);
    must(tcpmux_answered(line, (size_t)n, &same, again) == n && same == (size & 1));
    n = tcpmux_ask(word, line, &why);
    must(n == -EINVAL || (n == (ssize_t)strlen(word) + 2 && strlen(line) == (size_t)n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    a_request(data, size);
    an_answer(data, size);
    return 0;
}

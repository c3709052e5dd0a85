/* SPDX-License-Identifier: MIT */
/* reason.c: see reason.h. */
#include "reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOP_SIGNAL 127u

static const struct {
    const char *word, *text;
} reasons[REASONS] = {
#define X(name, number, word, text) [number] = { word, text },
    VSOCKIF_REASONS(X)
#undef X
};

struct reason reason_heard(unsigned code, unsigned detail)
{
    struct reason r = { .code = code < REASONS ? (uint8_t)code : VSOCKIF_REASON_NONE };

    if (!reason_has_detail(r))
        return r;
    if (detail == 0 || detail > (r.code == VSOCKIF_REASON_SIGNAL ? TOP_SIGNAL : UINT8_MAX))
        return REASON(NONE);
    r.detail = (uint8_t)detail;
    return r;
}

struct reason reason_of_guest(struct reason r)
{
    switch (r.code) {
    case VSOCKIF_REASON_POLICY:
    case VSOCKIF_REASON_UNKNOWN:
    case VSOCKIF_REASON_ABSENT:
    case VSOCKIF_REASON_RATE:
    case VSOCKIF_REASON_GONE:
    case VSOCKIF_REASON_LEFT:
    case VSOCKIF_REASON_DETACHED:
    case VSOCKIF_REASON_STOPPED:
    case VSOCKIF_REASON_VIOLATION:
    case VSOCKIF_REASON_STREAMS:
        return REASON(NONE);
    default:
        return reason_heard(r.code, r.detail);
    }
}

const char *reason_word(unsigned code)
{
    return reasons[code < REASONS ? code : VSOCKIF_REASON_NONE].word;
}

const char *reason_text(unsigned code)
{
    return reasons[code < REASONS ? code : VSOCKIF_REASON_NONE].text;
}

static const char *with_detail(char *to, size_t size, const char *text, struct reason r)
{
    if (reason_has_detail(r))
        snprintf(to, size, "%s %u", text, r.detail);
    else
        snprintf(to, size, "%s", text);
    return to;
}

const char *reason_line(char line[REASON_LINE], struct reason r)
{
    return with_detail(line, REASON_LINE, reason_text(r.code), r);
}

const char *reason_words(char words[REASON_WORDS], struct reason r)
{
    return with_detail(words, REASON_WORDS, reason_word(r.code), r);
}

bool reason_parse(const char *words, struct reason *r)
{
    size_t len = strcspn(words, " ");
    char *end = NULL;
    unsigned long detail = 0;

    *r = REASON(NONE);
    if (words[len]) {
        if (words[len + 1] < '0' || words[len + 1] > '9')
            return false;
        detail = strtoul(words + len + 1, &end, 10);
        if (*end || detail > UINT8_MAX)
            return false;
    }
    for (unsigned code = 0; code < REASONS; code++)
        if (strlen(reasons[code].word) == len && !memcmp(reasons[code].word, words, len)) {
            struct reason heard = reason_heard(code, (unsigned)detail);

            if (heard.code != code || heard.detail != detail)
                return false;
            *r = heard;
            return true;
        }
    return false;
}

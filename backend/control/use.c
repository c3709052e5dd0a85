/* SPDX-License-Identifier: MIT */
/* use.c: see use.h. */
#include "use.h"

#include <stdio.h>

#include "vsockif.h"

static const struct {
    const char *word, *text;
} uses[] = {
#define X(name, word, text) [USE_##name] = { word, text },
    USES(X)
#undef X
};

enum use use_of(unsigned state, bool connected, const char *error)
{
    if (connected)
        return USE_IN_USE;
    if (state == VSOCKIF_INITIALISED || state == VSOCKIF_CONNECTED)
        return USE_OPENING;
    return *error ? USE_REFUSED : USE_IDLE;
}

const char *use_word(enum use use)
{
    return uses[use].word;
}

void use_text(char *text, size_t size, enum use use, const char *error)
{
    snprintf(text, size, "%s%s", uses[use].text, use == USE_REFUSED ? error : "");
}

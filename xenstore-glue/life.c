/* SPDX-License-Identifier: MIT */
/* life.c: what both machines share: names, and the back-off. */
#include "life.h"

const char *life_act_name(enum life_act act)
{
    static const char *const names[] = {
#define X(name, text) #name,
        LIFE_ACTS(X)
#undef X
    };

    return (unsigned)act < sizeof names / sizeof *names ? names[act] : "?";
}

const char *life_state_name(unsigned state)
{
    static const char *const names[] = { "Unknown", "Initialising", "InitWait", "Initialised",
                                         "Connected", "Closing", "Closed" };

    return state < sizeof names / sizeof *names ? names[state] : "?";
}

uint32_t life_backoff(unsigned strikes)
{
    if (strikes < 2)
        return 0;
    if (strikes > 7)
        return LIFE_BACKOFF_MAX;
    return LIFE_BACKOFF_MS << (strikes - 2);
}

/* SPDX-License-Identifier: MIT */
/* life.c: what both machines share: names, and the back-off. */
#include "life.h"

#define MAX_STRIKES 15u

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

uint64_t life_ended(uint8_t *strikes, bool fault, uint64_t connected_at, uint64_t not_before, uint64_t now)
{
    uint64_t next;

    if (connected_at != LIFE_NEVER && now - connected_at >= LIFE_PROVEN_MS)
        *strikes = 0;
    else if (fault && *strikes < MAX_STRIKES)
        ++*strikes;
    next = fault ? now + life_backoff(*strikes) : now;
    return next > not_before ? next : not_before;
}

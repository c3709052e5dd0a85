/* SPDX-License-Identifier: MIT */
/* limits.c: see limits.h. */
#include "limits.h"

static void set(struct bucket *b, const struct settings_rate *rate, uint64_t now)
{
    bucket_set(b, rate->per_second == SETTINGS_NO_LIMIT ? 0 : rate->per_second, rate->burst, now);
}

void limits_set(struct limits *l, const struct settings_limits *given, uint64_t now)
{
    bool had = bucket_limits(&l->bytes);

    l->given = *given;
    set(&l->connects, &given->connects, now);
    set(&l->bytes, &given->bytes, now);
    if (!had)
        l->paid = UINT64_MAX;   /* what was moved until now is not to be paid for */
    if (limits_hold(l))
        l->again_at = bucket_limits(&l->bytes) ? now : UINT64_MAX;
}

bool limits_connect(struct limits *l, uint64_t now)
{
    bool may = bucket_take(&l->connects, 1, now);

    l->refused += !may;
    return may;
}

void limits_begin(struct limits *l, uint64_t moved)
{
    l->paid = moved;
    l->again_at = UINT64_MAX;
}

uint32_t limits_pay(struct limits *l, uint64_t moved, uint32_t most, uint64_t now)
{
    uint64_t level, rest = l->bytes.per_second * LIMITS_REST_MS / 1000;

    if (l->paid < moved)
        bucket_pay(&l->bytes, moved - l->paid, now);
    l->paid = moved;
    if (limits_hold(l) && l->again_at > now)
        return 0;
    l->again_at = UINT64_MAX;
    if ((level = bucket_level(&l->bytes, now)))
        return level < most ? (uint32_t)level : most;
    l->holds++;
    l->again_at = bucket_when(&l->bytes, rest, now);
    return 0;
}

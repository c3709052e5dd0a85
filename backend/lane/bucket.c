/* SPDX-License-Identifier: MIT */
/* bucket.c: see bucket.h. */
#include "bucket.h"

#define DEBT_MOST ((int64_t)1 << 50)    /* so that nothing here overflows */

/* Milliseconds until it has 'wanted' of them, rounded up. */
static uint64_t ms_until(const struct bucket *b, int64_t wanted)
{
    uint64_t thousandths = (uint64_t)(wanted - b->level) * 1000;

    thousandths = thousandths > b->rest ? thousandths - b->rest : 0;
    return (thousandths + b->per_second - 1) / b->per_second;
}

static void fill(struct bucket *b, uint64_t now)
{
    uint64_t passed = now > b->at ? now - b->at : 0, thousandths;

    b->at = now > b->at ? now : b->at;
    if (b->level >= (int64_t)b->burst || passed >= ms_until(b, (int64_t)b->burst)) {
        b->level = (int64_t)b->burst;
        b->rest = 0;
        return;
    }
    thousandths = passed * b->per_second + b->rest;
    b->level += (int64_t)(thousandths / 1000);
    b->rest = thousandths % 1000;
}

void bucket_set(struct bucket *b, uint64_t per_second, uint64_t burst, uint64_t now)
{
    bool had = bucket_limits(b);

    if (per_second == b->per_second && burst == b->burst)
        return;
    if (had)
        fill(b, now);
    *b = (struct bucket){ .per_second = per_second, .burst = burst, .level = had ? b->level : (int64_t)burst, .at = now };
    if (b->level > (int64_t)burst)
        b->level = (int64_t)burst;
}

bool bucket_take(struct bucket *b, uint64_t n, uint64_t now)
{
    if (!bucket_limits(b))
        return true;
    fill(b, now);
    if (b->level < 0 || (uint64_t)b->level < n)
        return false;
    b->level -= (int64_t)n;
    return true;
}

void bucket_pay(struct bucket *b, uint64_t n, uint64_t now)
{
    if (!bucket_limits(b))
        return;
    fill(b, now);
    b->level = n > (uint64_t)(b->level + DEBT_MOST) ? -DEBT_MOST : b->level - (int64_t)n;
}

uint64_t bucket_level(struct bucket *b, uint64_t now)
{
    if (!bucket_limits(b))
        return UINT64_MAX;
    fill(b, now);
    return b->level > 0 ? (uint64_t)b->level : 0;
}

uint64_t bucket_when(struct bucket *b, uint64_t n, uint64_t now)
{
    int64_t wanted = (int64_t)(n < b->burst ? n : b->burst);

    if (!bucket_limits(b))
        return now;
    fill(b, now);
    return b->level >= wanted ? now : b->at + ms_until(b, wanted);
}

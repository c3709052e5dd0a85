/* SPDX-License-Identifier: MIT */
/* show.c: see show.h. */
#include "show.h"

#include <time.h>

#include "tap.h"

#define PIECES 64

static uint64_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void show_received(struct lane *lane, const struct link_request *packet)
{
    struct iovec data = { (void *)(uintptr_t)packet->data, packet->hdr.len };
    struct tap_packet p = { TAPIF_FROM_GUEST, &packet->hdr, packet->reason.code, packet->reason.detail, &data, 1 };

    tap_show(&lane->taps, &p, now());
}

void show_sending(struct lane *lane, const struct vsockif_hdr *hdr, struct reason reason)
{
    struct iovec data[PIECES];
    struct tap_packet p = { TAPIF_TO_GUEST, hdr, reason.code, reason.detail, data, 0 };

    if (hdr->len)
        link_back_room(&lane->back, hdr->len, data, PIECES, &p.pieces);
    tap_show(&lane->taps, &p, now());
}

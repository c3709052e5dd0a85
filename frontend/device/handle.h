/* SPDX-License-Identifier: MIT */
/* handle.h: what a program holds of a device.
 *
 *     open.c      open and close, and what becomes of a device in a forked child
 *     turn.c      process and wait: all that is due is done
 *     events.c    who has something to tell
 *     options.c   how a device is to be
 *     blocking.c  helpers over the public calls
 *     inspect.c   statistics and the dump
 *     look.c      how a device is, without taking it
 *
 * Its parts are other rooms', each with a header of its own. */
#ifndef XVS_HANDLE_H
#define XVS_HANDLE_H

#include "bus.h"
#include "owner.h"
#include "report.h"
#include "spinner.h"
#include "trunk.h"
#include "wake.h"
#include "xvs.h"

struct xvs {
    struct trunk trunk;         /* first: trunk_of() */
    struct bus bus;
    struct report report;
    struct wake wake;
    struct owner_lock lock;
    struct xvs_options opt;

    /* turn.c */
    bool store_fired;           /* xenstore has something to say */
    bool kicked;                /* the event channel had */
    bool masked;                /* …and says nothing more until it is unmasked */
    struct spinner yields;      /* beside the trunk's: whether it pays to give way */
    uint64_t next_yield;        /* ns (CLOCK_MONOTONIC): spinner.h */
    unsigned unslept;           /* waits that ended without a sleep */
    uint64_t received_kicks;
};
_Static_assert(offsetof(struct xvs, trunk) == 0, "trunk_of()");

#endif

/* SPDX-License-Identifier: MIT */
/* cuts.h: why a guest is disconnected, as the keeper says it to the worker, and the worker to those who ask. */
#ifndef XVSD_CUTS_H
#define XVSD_CUTS_H

enum cut {
    CUT_STOPPED,                /* the daemon stops */
    CUT_DETACHED,               /* the device is taken away */
    CUT_GONE,                   /* the guest is gone */
    CUT_REFUSED,                /* the guest broke a rule */
    CUT_DOWN,                   /* the guest's program gave up the device */
    CUT_COUNT
};

#endif

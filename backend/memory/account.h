/* SPDX-License-Identifier: MIT */
/* account.h: what one guest holds of what all guests share: descriptors, and memory for what its readers have not read.
 *
 * A guest has one account for each of its devices, by its name and the device's number and not by its domid: so what it left behind
 * when it was restarted counts on.  The account lives as long as the device, or something that the device has left
 * behind (farewell.h).
 *
 * Descriptors have one rule: a guest may hold as many as are free.  So one guest alone has half of them, two a third
 * each, and however many are greedy, a newcomer finds as many as any of them has.  A reserve that no stream may take is left
 * for the control socket and for handshakes.  Memory is bounded for each guest on its own (held.h).  One thread. */
#ifndef XVSD_ACCOUNT_H
#define XVSD_ACCOUNT_H

#include "held.h"
#include "list.h"

#define ACCOUNT_NAME    129     /* bytes of a guest's name, with its end */
#define ACCOUNT_RESERVE 128u    /* descriptors: 64 control clients, xenstored, the loop, the run directory; rounded up */
#define ACCOUNT_DEVICE  8u      /* descriptors of a device without streams: directory, listener, event channel, pages; rounded up */

/* What is shared. */
struct accounts {
    struct list list;           /* struct account.link */
    uint32_t devices;
    uint32_t files;             /* held by all accounts */
    uint32_t files_most;        /* for devices and accounts together */
};

struct account {
    struct list link;
    struct accounts *all;
    char name[ACCOUNT_NAME];
    uint32_t number;            /* of the device */
    uint32_t users;             /* who will close or leave it */
    uint32_t devices;           /* of these: devices, so that the guest is there */
    uint32_t files;
    uint32_t most;              /* of them, whatever is free; UINT32_MAX for no limit */
    bool told;                  /* it was said that it has its share of them */
    struct held held;
};

void accounts_init(struct accounts *all);
/* The process may have so many descriptors: all but the reserve are shared. */
void accounts_share_files(struct accounts *all, uint64_t limit);

/* For a device: the account of that name and number; NULL without memory. */
struct account *account_open(struct accounts *all, const char *name, uint32_t number);
/* Harmless on NULL. */
void account_close(struct account *a);
/* For what a device leaves behind. */
struct account *account_join(struct account *a);
void account_leave(struct account *a);

/* One descriptor more: false if the guest has its share. */
bool account_take_file(struct account *a);
void account_give_file(struct account *a);

#endif

/* SPDX-License-Identifier: MIT */
/* account.h: what one guest holds of what all guests share: descriptors, and memory for what its readers have not read.
 *
 * A guest has one account for each of its devices, by its name and the device's number and not by its domid: so what it left behind
 * when it was restarted counts on.  The account lives as long as the device, or something that the device has left
 * behind (farewell.h).
 *
 * Descriptors have one rule: a guest may hold as many as are free.  So one guest alone has half of them, two a third
 * each, and however many are greedy, a newcomer finds as many as any of them has.  A reserve that no stream may take is left
 * for the control socket and for handshakes.
 *
 * Who comes in at a guest's socket may have come for one of its streams, which does not end without him.  So he is greeted
 * beside the share, and has a place in it only when he is let in; and a stream that somebody will vouch for has a second
 * place from its beginning, which is kept for him:
 *
 *     account_greet()                    he has come
 *     account_let_in()                   …and has his place, and perhaps one is kept
 *     account_let_in_kept()              …and has the place that was kept for him
 *     account_turn_out()                 …or has none, and goes
 *
 * Memory is bounded for each guest on its own (held.h).  One thread. */
#ifndef XVSD_ACCOUNT_H
#define XVSD_ACCOUNT_H

#include "held.h"
#include "list.h"

#define ACCOUNT_NAME    129     /* bytes of a guest's name, with its end */
#define ACCOUNT_RESERVE 128u    /* descriptors: 64 control clients, xenstored, the loop, the run directory; rounded up */
#define ACCOUNT_DEVICE  8u      /* descriptors of a device without streams: directory, listener, event channel, pages; rounded up */
#define ACCOUNT_GREETED 16u     /* descriptors of host programs that are not let in yet, while its share is spent */

/* What is shared. */
struct accounts {
    struct list list;           /* struct account.link */
    uint32_t devices;
    uint32_t files;             /* held by all accounts, or kept */
    uint32_t files_most;        /* for devices and accounts together */
};

struct account {
    struct list link;
    struct accounts *all;
    char name[ACCOUNT_NAME];
    uint32_t number;            /* of the device */
    uint32_t users;             /* who will close or leave it */
    uint32_t devices;           /* of these: devices, so that the guest is there */
    uint32_t files;             /* descriptors, */
    uint32_t greeted;           /* …of these: of those who have come in and are not let in yet, beside the share */
    uint32_t kept;              /* places in the share without a descriptor, for those who will vouch */
    uint32_t most;              /* the share, whatever is free; UINT32_MAX for no limit */
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

/* A descriptor of who has come in: false if there are too many.  'instead': in any case, for another one is turned out at once. */
bool account_greet(struct account *a, bool instead);
/* He has a place in the share from here on, and if his stream will be vouched for, one more is kept.  False, and all is as it was,
 * if the guest has its share. */
bool account_let_in(struct account *a, bool vouched);
void account_let_in_kept(struct account *a);
/* He is not let in; his descriptor is still to be given back. */
void account_turn_out(struct account *a);
/* One place, for a stream that has its own: false if the guest has its share. */
bool account_keep(struct account *a);
void account_give_kept(struct account *a);

#endif

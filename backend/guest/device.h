/* SPDX-License-Identifier: MIT */
/* device.h: one device of one guest: where it stands, what it holds.
 *
 * The daemon makes a struct device for each backend directory in xenstore, and keeps it until the directory or the
 * domain is gone.  While it is connected it has mapped pages (map), a link, a table of connections (mux) and its
 * streams; all of that goes at once when it disconnects.  Its directory with the listening socket (door.h) stays; until it has
 * one it is not offered to the guest.
 *
 *     device_new(), device_free()
 *     device_look()        read both states and do what the life machine asks (life.h)
 *     device_refuse()      the guest broke a rule: one line in the log, the error node, state 5
 *     device_due()         a deadline has come
 *
 * The work with rings and streams is in serve.h.  One thread. */
#ifndef XVSD_DEVICE_H
#define XVSD_DEVICE_H

#include "account.h"
#include "backoff.h"
#include "domain.h"
#include "fate.h"
#include "inbox.h"
#include "journal.h"
#include "life.h"
#include "map.h"
#include "parse.h"
#include "paths.h"
#include "promise.h"
#include "spinner.h"
#include "xvsd.h"

#define DEVICE_TX_CAP    (16u << 20)    /* bytes on their way to one connection in the guest: it holds them, not we */
#define DEVICE_FIRST_PORT (1u << 30)    /* of the host's end (Firecracker), below FATE_FIRST */

struct device {
    struct xvsd *x;
    struct list link;           /* in xvsd.devices, the oldest first */
    uint64_t born;              /* counts them */
    struct domain *domain;
    struct list of_domain;      /* in domain.devices */
    struct list turn;           /* in xvsd.turns while it has something to do */
    struct device_id id;
    struct paths paths;
    uint64_t cid;               /* 0 before it is in the table */
    struct hash_link by_cid;    /* in xvsd.devices_by_cid */
    uint64_t cid_said;          /* it was told that this one is to be its CID */
    bool seen;                  /* its nodes have been read at least once */
    bool announced;             /* the log knows it */
    bool to_look;               /* device_look() is due (registry.c) */
    bool detach;                /* its nodes are to be removed when its life is over */
    uint64_t remove_at;         /* ms: …which has failed: again then; UINT64_MAX for not */
    struct backoff remade;      /* its nodes were, and when that may be again */
    struct journal_guest journal;
    struct account *account;    /* what it holds of what all share, with what it left behind before (farewell.h) */

    struct life_back life;
    uint64_t look_at;           /* ms: look again, UINT64_MAX for not */
    char error[PARSE_WHY + 128];/* why it was refused, "" for never; stays until it connects again */

    struct door *door;          /* the present one; NULL for none */
    struct list doors;          /* struct door.link: that and older ones */
    char door_wanted[RUNDIR_NAME];
    struct backoff door_again;
    char door_error[RUNDIR_WHY];/* why it has no door of the name that is wanted, "" if it has */
    uint16_t door_mark;         /* of those who come in by the present door (door.h) */
    uint32_t by_door, by_old_door;      /* host programs that are connected, by the present one and by older ones */
    uint64_t listen_again_at;   /* ms: after EMFILE, UINT64_MAX for not */
    struct list clients;        /* struct client.link: host programs that have not said CONNECT yet */
    uint32_t client_count;
    struct fates fates;         /* of its streams to host programs, over all its connections */

    struct guest_map map;       /* from here on: only while mapped */
    struct source channel;
    struct link_back back;
    struct vmux *mux;           /* NULL while not mapped */
    struct inbox_table inboxes;
    struct promises promises;
    struct list streams_turn;   /* struct stream.turn: those that can do something */
    struct list thirst;         /* struct stream.turn: those that wait for empty buffers of the guest's */
    struct list starved;        /* struct stream.turn: those that wait for room in all the guest's sockets together */
    uint64_t feed_at;           /* ms: when the starved look again, UINT64_MAX for none */
    uint64_t sweep_at;          /* ms: when looking into all sockets may pay again */
    struct list holding;        /* struct stream.holding: those with data in their inbox, oldest first */
    bool ending;                /* delivers its last words: a rule that is broken now is of no interest */
    bool masked;                /* its event was taken and not unmasked */
    uint64_t delivered;         /* bytes that streams have taken out of their inboxes */
    bool moved;                 /* something was done since the last event */
    struct {
        int32_t packets, turns;
    } left;                     /* of this piece of work's budget (serve.h) */
    uint32_t idle_events;       /* events in a row that came without work */
    struct spinner spinner, yields;
    bool has_yielded;           /* …and what for is still to be seen */
    uint64_t spin_until;        /* ns (uv_hrtime), 0 while it does not spin */
    uint64_t unmask_at;         /* ms: when its storm is over, UINT64_MAX for no storm */

    struct {
        uint64_t notify_sent, notify_received, connects, storms, spills, refusals;
        uint64_t from_packets, from_bytes, to_packets, to_bytes;    /* of earlier connections of the device */
    } count;
};

/* A device without a door, and not looked at yet.  0 or a negative errno. */
int  device_new(struct xvsd *x, const struct device_id *id, uint64_t cid, struct device **out);
/* Closes everything; xenstore is left as it is. */
void device_free(struct device *d);

/* Its domain is called otherwise now. */
void device_called(struct device *d);
/* Its directory, for messages and records; "" if it has none. */
const char *device_dir(const struct device *d);

void device_look(struct device *d);
__attribute__((format(printf, 2, 3)))
void device_refuse(struct device *d, const char *format, ...);
void device_due(struct device *d, uint64_t now);
/* Why its streams are cut off, as it goes. */
enum fate_end device_cut(const struct device *d);
/* When device_due() is to be called, ms. */
uint64_t device_deadline(const struct device *d);

static inline bool device_is_connected(const struct device *d)
{
    return d->mux && life_back_is_connected(&d->life);
}

#endif

/* SPDX-License-Identifier: MIT */
/* hostside.h: a device's side towards host programs: its directories, who has come in, and how its streams ended.
 *
 * It belongs to its device, as the lane does, and is there while the lane is down as well: host programs can connect, and are
 * refused, and can ask how a stream ended.
 *
 *     door.h                                      the listening socket in a guest's directory
 *     greet.h                                     who has come in and has not said where to (connect_line.h)
 *     bridge.h                                    the end of a stream that is a host program's socket
 *     fate.h, watchers.h                          how a stream ended, and who asks
 *     unread.h                                    a stream that is over, and not read yet
 *     turned_away.h                               who was refused lately, and why
 *
 * One thread. */
#ifndef XVSD_HOSTSIDE_H
#define XVSD_HOSTSIDE_H

#include "fate.h"
#include "lane.h"
#include "turned_away.h"

struct door;
struct hostside;

/* Those of a daemon. */
struct hostsides {
    struct loop *loop;
    /* Nobody is left, or somebody is, who came in by a door that is not the present one. */
    void (*old_used)(struct hostside *host, bool used);
    /* Asks for a connection to port, of type VSOCKIF_TYPE_*, by a socket of the name 'own' ("" for none): bridge_dialed() has the
     * answer. */
    void (*dial)(struct hostside *host, uint32_t request, uint32_t port, unsigned type, const char *own);
};

struct hostside {
    struct hostsides *all;
    struct lane *lane;
    void (*on_listener)(struct source *listener, uint32_t events);      /* greet.h's, of each door */

    struct door *door;          /* the present one; NULL for none */
    struct list doors;          /* struct door.link: that and older ones */
    bool listens;               /* at all of them */
    uint16_t door_mark;         /* of those who come in by the present one */
    uint32_t by_door, by_old_door;      /* host programs that are connected, by the present one and by older ones */

    struct list clients;        /* struct client.link (greet.c): those that have not said their line yet, the oldest first */
    uint32_t client_count;
    struct list waiting;        /* the same: those that have, and wait for a place in the guest's share of descriptors */
    uint64_t let_in_again_at;   /* ms: when there may be one, UINT64_MAX for nobody waits */
    uint64_t listen_again_at;   /* ms: after EMFILE, UINT64_MAX for not */
    struct alarm alarm;

    uint64_t sweep_at;          /* ms: when looking into all sockets may pay again (bridge_to_host.c) */
    struct turned_away turned;  /* host programs that were refused */
    struct fates fates;         /* of its streams, over all times that the lane was up */
    struct list unread;         /* struct unread.of_host */
};

#endif

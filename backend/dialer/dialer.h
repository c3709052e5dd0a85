/* SPDX-License-Identifier: MIT */
/* dialer.h: who connects to host programs for guests, as the programs' users (dial.h).
 *
 * It is a process of its own, since it must not wait for xenstored, as the keeper does, and needs rights that the worker must not
 * have.  The keeper tells it of each guest's directories (DOOR with the directory, DOOR_SHUT, PRESENT, GONE) and of the one for all
 * guests (ANY), and hands it an end of a wall to the worker (PAIR), over which it hears DIAL and answers DIALED.  So a worker can bring
 * about a connection to vsock_<port> in its guests' directories, or where somebody listens for all of them, as a guest can, and nothing
 * else.  One thread. */
#ifndef XVSD_DIALER_H
#define XVSD_DIALER_H

#include "hash.h"
#include "wall.h"

struct dialer {
    struct wall keeper, worker;
    struct list homes;          /* struct dialer_home.link */
    struct hash by_number;      /* …likewise; keys: the keeper's numbers, */
    struct hash by_device;      /* …and of devices that have some (struct called, dialer.c) */
    int any_fd;                 /* the directory of those who listen for all guests, -1 */
    char any_path[WALL_PATH];
    bool is_over;               /* the keeper is gone, or has said STOP */
};

/* fd: the keeper's wall, which it takes in any case.  0 or a negative errno; dialer_close() is due in either case. */
int  dialer_open(struct dialer *d, struct loop *loop, int fd);
/* Harmless on one that is all zero. */
void dialer_close(struct dialer *d);

#endif

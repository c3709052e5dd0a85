/* SPDX-License-Identifier: MIT */
/* door.h: the listening socket in a guest's directory, where host programs come in.
 *
 * A device has one door, in the directory that is its own at present, and may have older ones beside it.  In the same directory there may
 * be channels, which are doors that lead straight to a port, and there is one for connections of messages.  Who has come in wears a
 * mark until he leaves, so that it is known whether anybody is left who came by an old door.  One thread. */
#ifndef XVSD_DOOR_H
#define XVSD_DOOR_H

#include "hostside.h"

#define DOOR_NAME 80
#define DOOR_PATH 512

struct door {
    struct list link;           /* in hostside.doors */
    struct hostside *host;      /* where it leads */
    uint32_t number;            /* the keeper's */
    uint32_t beside;            /* 0, or the number of the door of the same directory, beside which this one is */
    bool is_channel;            /* who comes in there says no line, and wants */
    uint32_t port;              /* …this port */
    bool messages;              /* connections are of type SEQPACKET, and the line is the first message */
    char name[DOOR_NAME], path[DOOR_PATH];      /* of the directory */
    struct source listener;
};

/* The directory of the present one, for messages and records; "" if there is none. */
const char *door_path(const struct hostside *host);
struct door *door_find(const struct hostside *host, uint32_t number);
/* Takes fd, in any case: 0 or a negative errno. */
int  door_open(struct hostside *host, uint32_t number, const char *name, const char *path, int fd);
/* It is one beside another; and a channel to this port. */
void door_stand(struct door *door, uint32_t beside);
void door_lead(struct door *door, uint32_t port);
void door_close(struct door *door);
void doors_close(struct hostside *host);
/* It leads to another device from now on. */
void door_move(struct door *door, struct hostside *host);
/* The present one of host, NULL for none. */
void door_choose(struct hostside *host, struct door *door);
/* Accepts at all of them, or at none, as host->listens says. */
void doors_listen(struct hostside *host);

/* A host program has come in by a door: the mark that it wears until it leaves. */
uint16_t door_enter(const struct door *door);
/* mark: door_enter()'s, or 0 for one that came by none. */
void door_leave(struct hostside *host, uint16_t mark);

#endif

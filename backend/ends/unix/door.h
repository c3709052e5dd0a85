/* SPDX-License-Identifier: MIT */
/* door.h: a guest's directory among those of the run directory, with the socket in it where host programs come in.
 *
 * A device has one door, of the name that is its own at present.  When that changes it gets another one; the old one stays open
 * beside it as long as a host program that came by an old door is still connected, or programs listen in it: what the guest
 * calls is looked for in the present directory and then in older ones.  A name that becomes another domain's takes its
 * door along, with everybody who listens in it; those who are connected stay where they are.
 *
 * A device is not offered to its guest before it has a door (device.h).  One thread. */
#ifndef XVSD_DOOR_H
#define XVSD_DOOR_H

#include "hostside.h"

struct door {
    struct list link;           /* in hostside.doors */
    struct hash_link by_name;   /* in hostsides.doors */
    struct hostside *host;      /* where it leads */
    struct guest_dir dir;
    struct source listener;
};

/* The directory of the present one, for messages and records; "" if there is none. */
const char *door_path(const struct hostside *host);

/* The door of this name, whosever it is, or NULL. */
struct door *door_find(const struct hostsides *all, const char *name);
/* Makes the door of this name the present one of host: takes it from whoever has it, or opens it.  On an error, which why
 * (RUNDIR_WHY bytes) explains, all is as it was. */
int  door_move(struct hostside *host, const char *name, const struct settings_sockets *sockets, char *why);
/* Closes the old doors that nobody needs. */
void doors_tidy(struct hostside *host);
/* Accepts at all of them, or at none, as host->listens says. */
void doors_listen(struct hostside *host);
void doors_close(struct hostside *host);
/* Mode and owner of all doors of host, anew; the first error. */
int  doors_permit(struct hostside *host, const struct settings_sockets *sockets);

/* A host program has come in by a door: the mark that it wears until it leaves. */
uint16_t door_enter(const struct door *door);
/* mark: door_enter()'s, or 0 for one that came by none. */
void door_leave(struct hostside *host, uint16_t mark);

/* As guest_dir_connect(), in all of the device's directories, the present one first; *dir is the path of the one that decided. */
int  doors_connect(const struct hostside *host, uint32_t port, const char *own, const char **dir, unsigned *wishes, char *why);

#endif

/* SPDX-License-Identifier: MIT */
/* rundir.h: what host programs see: directories and UNIX sockets (Firecracker's convention).
 *
 *     RUN/xvsd.pid                  locked by the daemon that owns this directory; for root alone
 *     RUN/control.sock              the control socket; for root alone
 *     RUN/status.sock               the same, but only telling; for root, and status_group
 *     RUN/guest/NAME/vsock          connect here and say "CONNECT <port>\n" to reach the guest
 *     RUN/guest/NAME/vsock.seqpacket    …for messages: a SOCK_SEQPACKET, whose first one is that line
 *     RUN/guest/NAME/vsock_<PORT>   listen here to be reached by the guest at CID 2, port PORT
 *     RUN/guest/NAME/channel/NAME   connect here to reach a port of the guest that the settings say (sidedir.h)
 *     RUN/any/vsock_<PORT>          listen here to be reached by every guest that nobody listens for at its own (anydir.h)
 *     RUN/cid/CID                   -> ../guest/NAME
 *
 * Device N > 0 of a guest is "NAME:N".
 *
 * Whose is what.  All directories and all our sockets are ours (root's), whoever may use them.  RUN, guest and cid
 * can be searched by others while the settings let others use some socket, and written by nobody else.  In a
 * guest's directory a user or a group may be let in to listen (access.h); it is sticky then (1770), so that nobody
 * takes away what is not his.  Whoever may write there is taken for hostile: sockfile.h says how "vsock" stands up to
 * him, dial.h how we connect to "vsock_<PORT>", which may be anything that he could put there.
 *
 * RUN itself may have been there before us: made by systemd, or by an administrator.  Then it must be ours, empty or
 * used by us before, and closed to others' writing, or it is refused; its mode stays, but for the right to search
 * while others are let in.
 *
 * All calls return 0, a descriptor, or a negative errno; nothing blocks. */
#ifndef XVSD_RUNDIR_H
#define XVSD_RUNDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "access.h"
#include "settings.h"
#include "sockfile.h"

#define RUNDIR_NAME 80          /* bytes of a guest's directory name, with its end */
#define RUNDIR_PATH 512
#define RUNDIR_WHY  256

struct rundir {
    char path[RUNDIR_PATH];
    int fd;                     /* the directory */
    int lock_fd;
    mode_t mode;                /* of the directory while nobody else is let in */
};

/* True if others than ourselves may use the sockets of a guest. */
bool rundir_lets_in(const struct settings_sockets *sockets);

/* Makes the directory, or takes one that is fit, and its lock.  shared: others may use some guest's sockets.  -EBUSY
 * with the owner's pid in why when another daemon has it; -EPERM or -ENOTEMPTY when it is not fit. */
int  rundir_open(struct rundir *r, const char *path, bool shared, char *why);
/* After a reload: opens or closes RUN, guest and cid to others. */
int  rundir_permit(const struct rundir *r, bool shared);
/* Gives the lock back; the directory stays. */
void rundir_close(struct rundir *r);
/* What these settings make of a directory in which they let others listen. */
struct access rundir_access(const struct settings_sockets *sockets);
/* A listening, non-blocking socket RUN/name for this user alone. */
int  rundir_listen(const struct rundir *r, const char *name, char *why);
/* 1 if another process holds the lock of the run directory at path, with its *pid (0 if it has not yet said so); 0 if nobody
 * does, or we with r (or NULL); -errno if there is no such file, or it does not tell. */
int  rundir_is_in_use(const char *path, const struct rundir *r, long *pid);

struct guest_dir {
    char name[RUNDIR_NAME];     /* "" when it is not open */
    char path[RUNDIR_PATH];
    int fd;                     /* the directory, -1 */
    struct sockfile vsock, messages;    /* messages: vsock.seqpacket */
    uint64_t cid;               /* the link that exists, 0 for none */
    long looked_at;             /* how far guest_dir_is_used() has come: a place in the directory */
    bool looked_from_middle;    /* …and it did not begin at its beginning */
};

/* Makes the directory and its two listening sockets.  name: a good one (names.h) or ":" and a domid, perhaps with ":" and a
 * device number behind it.  g need not be initialised; after a failure it is closed. */
int  guest_dir_open(struct guest_dir *g, const struct rundir *r, const char *name,
                    const struct settings_sockets *sockets, char *why);
/* Sets group and mode, and the user's share, again (after a reload): of the directory and the sockets that are open,
 * whatever has their names. */
int  guest_dir_permit(const struct guest_dir *g, const struct settings_sockets *sockets);
/* The link cid/CID; replaces the one this directory had, and at once the one that another has under that CID.  0 removes it, if it is
 * this one's still. */
int  guest_dir_link(struct guest_dir *g, const struct rundir *r, uint64_t cid);
/* Removes what the daemon made; sockets of host programs, and then the directory, stay.  Harmless when not open. */
void guest_dir_close(struct guest_dir *g, const struct rundir *r);

/* True while host programs have sockets in it that are alive; what dead ones have left, and whatever else there is, does not count.
 * It looks at some names at a time, for others may have filled the directory, and is true until it has been through all of them. */
bool guest_dir_is_used(struct guest_dir *g);

#endif

/* SPDX-License-Identifier: MIT */
/* rundir.h: what host programs see: directories and UNIX sockets (Firecracker's convention).
 *
 *     RUN/xvsd.pid                  locked by the daemon that owns this directory
 *     RUN/control.sock              the control socket
 *     RUN/guest/NAME/vsock          connect here and say "CONNECT <port>\n" to reach the guest
 *     RUN/guest/NAME/vsock_<PORT>   listen here to be reached by the guest at CID 2, port PORT
 *     RUN/cid/CID                   -> ../guest/NAME
 *
 * Device N > 0 of a guest is "NAME:N".  Directories are 0700 unless the settings let others in.  Sockets of
 * an earlier daemon are removed, live ones of another program never.  Paths of any length work: what is too long for a
 * sockaddr goes by way of /proc/self/fd.  All calls return 0, a descriptor, or a negative errno; nothing blocks. */
#ifndef XVSD_RUNDIR_H
#define XVSD_RUNDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "settings.h"

#define RUNDIR_NAME 80          /* bytes of a guest's directory name, with its end */
#define RUNDIR_PATH 512
#define RUNDIR_WHY  256

struct rundir {
    char path[RUNDIR_PATH];
    int fd;                     /* the directory */
    int lock_fd;
};

/* Makes the directory and takes its lock.  -EBUSY with the owner's pid in why when another daemon has it. */
int  rundir_open(struct rundir *r, const char *path, bool shared, char *why);
/* Gives the lock back; the directory stays. */
void rundir_close(struct rundir *r);
/* A listening, non-blocking socket RUN/name for this user alone. */
int  rundir_listen(const struct rundir *r, const char *name, char *why);

struct guest_dir {
    char name[RUNDIR_NAME];     /* "" when it is not open */
    char path[RUNDIR_PATH];
    int fd;                     /* the directory, -1 */
    int listen_fd;              /* -1 */
    uint64_t cid;               /* the link that exists, 0 for none */
};

/* Makes the directory and its listening socket.  name: a good one (names.h) or ":" and a domid, perhaps with ":" and a
 * device number behind it.  g need not be initialised; after a failure it is closed. */
int  guest_dir_open(struct guest_dir *g, const struct rundir *r, const char *name,
                    const struct settings_sockets *sockets, char *why);
/* Sets owner and mode again (after a reload). */
int  guest_dir_permit(const struct guest_dir *g, const struct settings_sockets *sockets);
/* The link cid/CID; replaces the one this directory had.  0 removes it. */
int  guest_dir_link(struct guest_dir *g, const struct rundir *r, uint64_t cid);
/* Removes what the daemon made; sockets of host programs, and then the directory, stay.  Harmless when not open. */
void guest_dir_close(struct guest_dir *g, const struct rundir *r);

/* A connection to the host program that listens at vsock_<port>: a non-blocking descriptor, or -ENOENT,
 * -ECONNREFUSED, -EAGAIN (its backlog is full), -EMFILE … */
int  guest_dir_connect(const struct guest_dir *g, uint32_t port);

#endif

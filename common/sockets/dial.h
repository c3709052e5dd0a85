/* SPDX-License-Identifier: MIT */
/* dial.h: a connection to whoever listens under a name in a directory in which others may write.
 *
 * A guest decides when we connect, and whoever may write there decides what stands at the name; neither must
 * gain by it what he does not have.  So:
 *
 *  -  Nothing is followed.  The name is opened as what it is (O_PATH, O_NOFOLLOW), and only a socket is connected to,
 *     by that descriptor: a link, a FIFO, a device, a directory is refused, and nothing can be exchanged in between.
 *  -  The connection is made as the owner of the socket, by its user and group and no other groups: it gets no
 *     further than he would, and SO_PEERCRED tells the listener so.  A socket that root made is connected to as root,
 *     since only root can have made it, for this purpose: see the next two.
 *  -  It has one name.  A socket of somebody else that was linked here has two.
 *  -  It was bound under this name, or one that has it as a part (".vsock_80.123", renamed when it listens).  A
 *     socket of somebody else that was moved here has another.  (The kernel tells the name only at the end of a
 *     connection, so such a listener sees one that ends at once, without a byte.)
 *
 * So whoever may write in the directory can give the guest his own programs, and nobody else's.  Who may use the name
 * is not judged by the socket's mode but by the directory's: a listener with the usual umask, 022, lets its owner in,
 * and that is whom we connect as.  One thread: for the time of the call to connect() the thread has other rights, by
 * the system calls themselves, since libc's would change all threads. */
#ifndef XVSD_DIAL_H
#define XVSD_DIAL_H

#include <stdint.h>

#define DIAL_WHY 160
#define DIAL_OWN 108            /* bytes of a name of ours, with its end */

/* What the listener wishes, who says so by the sticky bit of its socket: somebody will vouch for each stream (watchers.h). */
#define DIAL_VOUCHED 1

/* own: the name in Linux's abstract namespace that the listener gets from accept() and getpeername(), "" for none.
 *
 * A non-blocking descriptor; -ENOENT: there is no such name; -ECONNREFUSED: nobody listens; -EAGAIN: its backlog is
 * full; -EPROTOTYPE: the listener is not of this type, SOCK_STREAM or SOCK_SEQPACKET; -EADDRINUSE: somebody has the name 'own'; -EMFILE
 * and the like.  Where something is wrong with what stands
 * there, *why is not empty, and the result is -EACCES; it begins with the name.  *wishes: DIAL_VOUCHED or 0. */
int dial_at(int dir_fd, const char *name, int type, const char *own, unsigned *wishes, char *why);
/* The same for "vsock_<port>". */
int dial_port(int dir_fd, uint32_t port, int type, const char *own, unsigned *wishes, char *why);

#endif

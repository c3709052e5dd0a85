/* SPDX-License-Identifier: MIT */
/* sockfile.h: a listening UNIX socket of ours under a name, in a directory in which others may write as well.
 *
 * Such a directory belongs to us and is sticky, so nobody but we and root can rename or remove what is ours.  What
 * others put at our name before we had it is another matter: a link, a FIFO, a directory, a socket of anybody's.  It
 * is never followed, opened or waited for.  Where it can be removed it is removed; a directory that is not empty, or
 * a socket at which somebody listens, is renamed to .NAME.<random>, with one line in the log.  Meanwhile the
 * directory is closed to all but us, so that this has an end.  In a directory that was ours alone, a socket that is
 * in use stays: -EADDRINUSE.
 *
 * The name is born with mode 0600.  Beside the listening descriptor one of the name itself is kept (O_PATH), for
 * access_set() and for telling at the end whether the name is still ours.  Paths of any length work: one that is too
 * long for a sockaddr goes by way of /proc/self/fd. */
#ifndef XVSD_SOCKFILE_H
#define XVSD_SOCKFILE_H

#include <stdbool.h>

struct sockfile {
    int listen_fd;              /* non-blocking; -1 */
    int name_fd;                /* O_PATH, of what was bound; -1 */
};

/* dir is the path of dir_fd, for ss(8) to show.  name has no slash.  0, or a negative errno and both descriptors -1.
 * *closed: the directory is ours alone now, with mode 0700, and it is for the caller to open it again; this may be so
 * after an error, too. */
int  sockfile_open(struct sockfile *s, const char *dir, int dir_fd, const char *name, bool *closed);
/* …of another type than SOCK_STREAM, perhaps.  *closed is what the call before has made of it, if this is not the first one for this directory:
 * what others put there before that is still theirs. */
int  sockfile_open_as(struct sockfile *s, int type, const char *dir, int dir_fd, const char *name, bool *closed);
/* Removes the name if it is still what was bound, and closes both descriptors.  Harmless when not open. */
void sockfile_close(struct sockfile *s, int dir_fd, const char *name);

/* Gives what is in the way of a name of ours another one, .NAME.<random>, in a directory that is ours and sticky.  0 or a negative errno. */
int  sockfile_move_aside(const char *dir, int dir_fd, const char *name);

/* Whether some program has the socket of that name at hand, to listen at it or soon to do so: one that was bound there and has no
 * other name.  It does not notice, whatever its network namespace.  True as well where that cannot be found out. */
bool sockfile_is_in_use(int dir_fd, const char *name);

#endif

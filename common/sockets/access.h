/* SPDX-License-Identifier: MIT */
/* access.h: who may do what with a file or directory of ours, set by a descriptor, never by a name.
 *
 * What is set belongs to us, whoever else may use it: the owner of a socket could give it another mode, and the owner
 * of a name in a sticky directory can take it away, so nobody is made an owner.  A user is let in by an entry of
 * a POSIX ACL, with the rights that the mode gives its owner; a group is the file's group, with the group's. */
#ifndef XVSD_ACCESS_H
#define XVSD_ACCESS_H

#include <sys/stat.h>
#include <sys/types.h>

struct access {
    mode_t mode;                /* of all, with S_ISVTX */
    uid_t user;                 /* may do what mode lets the owner do; (uid_t)-1, or we ourselves: nobody */
    gid_t group;                /* (gid_t)-1: ours */
};

/* By a descriptor of any kind, O_PATH among them.  Does nothing where nothing differs; else nobody has, in between,
 * what he has neither before nor after.  -EOPNOTSUPP: the file system has no ACLs; all but the user's share is set
 * then.
 * -EPERM: we are not root, or not in that group. */
int access_set(int fd, const struct access *wanted);

#endif

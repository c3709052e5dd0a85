/* SPDX-License-Identifier: MIT */
/* spawn.h: worker and dialer as processes of their own: this program again, with nothing of ours but the wall. */
#ifndef XVSD_SPAWN_H
#define XVSD_SPAWN_H

#include <sys/types.h>

/* Takes fd, the child's end of the wall, in any case.  arguments: what makes it that one, ended by NULL.  Its process id, or a
 * negative errno. */
pid_t spawn(int fd, const char *const *arguments);
/* Ends it if it has not ended, and says how it did, in at most size bytes. */
void spawn_reap(pid_t pid, char *how, size_t size);
/* In a child, first of all.  name, at most 15 bytes, is what ps and top show for it. */
void spawned(const char *name);
/* Gives up all rights but those of user, everything that is not below dir, and most system calls (sandbox.h).  0 or a negative errno, after a line in the log. */
int  spawn_give_up(const char *user, const char *dir);

#endif

/* SPDX-License-Identifier: MIT */
/* files.h: descriptors, which whoever serves many can be short of: as many as there may be, what passes by itself, and whether
 * there are some. */
#ifndef XVS_FILES_H
#define XVS_FILES_H

#include <stdbool.h>
#include <sys/resource.h>

/* As many as this process may have.  given: the limit until then, which is for commands, since some close every descriptor that
 * there may be. */
void files_raise(struct rlimit *given);
/* A negative errno that tells of descriptors, memory or processes that are short: those that end will give some back. */
bool is_short(int err);
/* 0 if this process can have so many descriptors more, 8 at most; or a negative errno. */
int  files_left(unsigned count);

#endif

/* SPDX-License-Identifier: MIT */
/* inuse.h: whether anybody has the socket of a name, to listen at it or soon to do so. */
#ifndef XVS_INUSE_H
#define XVS_INUSE_H

#include <stdbool.h>

/* name_fd: O_PATH, of a socket's name.  Nobody notices that it was asked.  True as well where that cannot be found out. */
bool socket_is_in_use(int name_fd);

#endif

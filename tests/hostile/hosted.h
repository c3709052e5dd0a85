/* SPDX-License-Identifier: MIT */
/* hosted.h: a test program that is several domains of a hosted Xen in turn.
 *
 * The program runs under "xensim run -d 0 DIR"; hosted_become() changes the environment that the Xen libraries
 * read at each open.  Handles that are open already stay with their domain. */
#ifndef XVS_TEST_HOSTED_H
#define XVS_TEST_HOSTED_H

#include <stdbool.h>
#include <stdint.h>

/* False, with a sentence on stderr, when this is no hosted Xen. */
bool hosted_is_here(void);
/* The same; and the program is dom0, whose host programs may go while it writes to them. */
bool hosted_begin(void);
void hosted_become(uint32_t domid);
/* The process that is xenstored, or -errno. */
int  hosted_xenstored(void);

#endif

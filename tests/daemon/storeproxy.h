/* SPDX-License-Identifier: MIT */
/* storeproxy.h: what stands between a daemon and its xenstored, so that a test can take xenstored away and bring it back.
 *
 * A process of its own that passes on what each side says.  It sets XENSTORED_RUNDIR, so a daemon that is started between
 * storeproxy_start() and storeproxy_leave() goes through it, and nobody else.  One at a time; one thread. */
#ifndef XVS_TEST_STOREPROXY_H
#define XVS_TEST_STOREPROXY_H

/* 0 or a negative errno. */
int  storeproxy_start(void);
/* The environment is as it was. */
void storeproxy_leave(void);
/* Every connection ends, and none can be made.  Both are done when they return. */
void storeproxy_cut(void);
void storeproxy_mend(void);
/* Ends the process; harmless without one. */
void storeproxy_stop(void);

#endif

/* SPDX-License-Identifier: MIT */
/* xenlog.h: what Xen's libraries have to say, which without this they write to standard error themselves, a line for each call that
 * fails: and a guest can make calls fail, as often as it likes.
 *
 * Whoever makes such a call says what has failed and why, and about whom; so their words are for debugging, at that level, and no more of
 * them than a guest may cause of others (journal.h). */
#ifndef XVSD_XENLOG_H
#define XVSD_XENLOG_H

struct xentoollog_logger;

/* For xengnttab_open() and its like; the caller does not free it. */
struct xentoollog_logger *xenlog(void);

#endif

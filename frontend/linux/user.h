/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * user.h: a user of this guest, and the packets on their way to his sockets.
 *
 * A program keeps its socket's lock for as long as it likes: by a send() or a
 * setsockopt() whose memory userfaultfd or FUSE keeps from coming.  Who hands
 * the socket a packet waits for it.  So what is received is sorted by the user
 * who has made the socket, and each user's packets have a queue and a work item
 * of their own: who waits there delays nothing of anybody else's.
 *
 * Nor does he have the guest's memory: what would wait beyond a bound is dropped,
 * and the connection that it was of with it.
 *
 * A user stays until the module goes: there are few.
 */
#ifndef XV_USER_H
#define XV_USER_H

#include <linux/list.h>
#include <linux/skbuff.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

struct xv_user {
	struct list_head all;
	kuid_t uid;
	struct list_head socks;		/* socks_lock (sock.c) */
	struct sk_buff_head packets;	/* its lock: this, and the next three */
	size_t bytes;			/* of memory, that they take */
	bool anew;			/* dead sockets are to be reset, */
	bool lost;			/* and here those of what was dropped */
	struct work_struct work;
};

/* @hands_on is every user's work. */
void xv_users_init(work_func_t hands_on);
void xv_users_exit(void);

/* Never NULL: without memory, or beyond a number of them, some share one.  May
 * sleep.
 */
struct xv_user *xv_user_of(kuid_t uid);

void xv_users_each(void (*tell)(struct xv_user *user));

/* @skbs is empty then.  False: there was no room, and it is as it was. */
bool xv_user_give(struct xv_user *user, struct sk_buff_head *skbs);

/* A socket of the user's is dead that was not. */
void xv_user_has_lost(struct xv_user *user);

/* The device went away: what has not been handed on never will be. */
void xv_user_begin_anew(struct xv_user *user);

/* The next packet, or NULL; or *@anew, once. */
struct sk_buff *xv_user_next(struct xv_user *user, bool *anew);

#endif

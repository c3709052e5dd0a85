// SPDX-License-Identifier: GPL-2.0 OR MIT
/* user.c: see user.h. */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "device.h"
#include "user.h"

/* Each may occupy a worker of xv_wq, which has twice as many. */
#define MOST	128

static uint waiting_kib;
module_param(waiting_kib, uint, 0644);
MODULE_PARM_DESC(waiting_kib, "memory for packets that wait for one user's programs, in KiB; 0: a sixteenth of the guest's (the default)");

static struct xv_user others;		/* who has no place in the list */
static LIST_HEAD(users);
static unsigned int count;
static DEFINE_MUTEX(users_lock);
static work_func_t hands_on;

static void init(struct xv_user *user, kuid_t uid)
{
	user->uid = uid;
	INIT_LIST_HEAD(&user->socks);
	skb_queue_head_init(&user->packets);
	INIT_WORK(&user->work, hands_on);
	list_add(&user->all, &users);
}

void xv_users_init(work_func_t func)
{
	hands_on = func;
	init(&others, INVALID_UID);
}

void xv_users_exit(void)
{
	struct xv_user *user, *next;

	list_for_each_entry_safe(user, next, &users, all) {
		skb_queue_purge(&user->packets);
		if (user != &others)
			kfree(user);
	}
}

struct xv_user *xv_user_of(kuid_t uid)
{
	struct xv_user *user;

	mutex_lock(&users_lock);
	list_for_each_entry(user, &users, all) {
		if (uid_eq(user->uid, uid))
			goto found;
	}
	user = count < MOST ? kzalloc(sizeof(*user), GFP_KERNEL) : NULL;
	if (user) {
		init(user, uid);
		count++;
	} else {
		user = &others;
	}
found:
	mutex_unlock(&users_lock);
	return user;
}

void xv_users_each(void (*tell)(struct xv_user *user))
{
	struct xv_user *user;

	mutex_lock(&users_lock);
	list_for_each_entry(user, &users, all)
		tell(user);
	mutex_unlock(&users_lock);
}

static size_t room(void)
{
	uint kib = READ_ONCE(waiting_kib);

	return kib ? 1024 * (size_t)kib : totalram_pages() * PAGE_SIZE / 16;
}

bool xv_user_give(struct xv_user *user, struct sk_buff_head *skbs)
{
	struct sk_buff *skb;
	size_t bytes = 0;
	bool fits;

	skb_queue_walk(skbs, skb)
		bytes += skb->truesize;
	spin_lock_bh(&user->packets.lock);
	fits = user->bytes + bytes <= room();
	if (fits) {
		user->bytes += bytes;
		skb_queue_splice_tail_init(skbs, &user->packets);
	}
	spin_unlock_bh(&user->packets.lock);
	queue_work(xv_wq, &user->work);
	return fits;
}

void xv_user_has_lost(struct xv_user *user)
{
	spin_lock_bh(&user->packets.lock);
	user->lost = true;
	spin_unlock_bh(&user->packets.lock);
	queue_work(xv_wq, &user->work);
}

void xv_user_begin_anew(struct xv_user *user)
{
	spin_lock_bh(&user->packets.lock);
	__skb_queue_purge(&user->packets);
	user->bytes = 0;
	user->anew = true;
	spin_unlock_bh(&user->packets.lock);
	queue_work(xv_wq, &user->work);
}

struct sk_buff *xv_user_next(struct xv_user *user, bool *anew)
{
	struct sk_buff *skb = NULL;

	spin_lock_bh(&user->packets.lock);
	*anew = user->anew || user->lost;
	user->anew = false;
	user->lost = false;
	if (!*anew)
		skb = __skb_dequeue(&user->packets);
	if (skb)
		user->bytes -= skb->truesize;
	spin_unlock_bh(&user->packets.lock);
	return skb;
}

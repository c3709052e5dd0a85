// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * share.c: single pages, granted one by one and mapped together by vmap():
 * nothing of a high order is allocated, and each page can be freed by itself
 * when the backend has let go of it.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <xen/events.h>
#include <xen/page.h>

#include "share.h"

static atomic_t granted = ATOMIC_INIT(0);

u32 xv_share_granted(void)
{
	return atomic_read(&granted);
}

static void group_free(struct xv_group *group)
{
	u32 i;

	if (group->at)
		vunmap(group->at);
	for (i = 0; group->page && i < group->pages && group->page[i]; i++) {
		if (!group->ref[i]) {
			__free_page(group->page[i]);
			continue;
		}
		gnttab_end_foreign_access(group->ref[i], group->page[i]);
		atomic_dec(&granted);
	}
	kfree(group->page);
	kfree(group->ref);
	memset(group, 0, sizeof(*group));
}

static int group_make(struct xv_group *group, u32 pages, domid_t domid,
		      bool readonly)
{
	u32 i;

	group->page = kcalloc(pages, sizeof(*group->page), GFP_KERNEL);
	group->ref = kcalloc(pages, sizeof(*group->ref), GFP_KERNEL);
	if (!group->page || !group->ref)
		return -ENOMEM;
	group->pages = pages;
	for (i = 0; i < pages; i++) {
		int ref;

		group->page[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!group->page[i])
			return -ENOMEM;
		ref = gnttab_grant_foreign_access(domid,
						  xen_page_to_gfn(group->page[i]),
						  readonly);
		if (ref < 0)
			return ref;
		group->ref[i] = ref;
		atomic_inc(&granted);
	}
	group->at = vmap(group->page, pages, VM_MAP, PAGE_KERNEL);
	return group->at ? 0 : -ENOMEM;
}

/* Names the groups' pages, in the order that section 4 has. */
static void fill_control(struct xv_share *share)
{
	struct vsockif_control *control = share->control;
	u32 used = 0, i;
	int name;

	for (name = XV_TX_RING; name < XV_GROUPS; name++)
		for (i = 0; i < share->group[name].pages; i++)
			control->ref[used++] = share->group[name].ref[i];
	control->magic = VSOCKIF_CONTROL_MAGIC;
	control->version = VSOCKIF_VERSION;
	control->tx_ring_pages = share->ring_pages;
	control->rx_ring_pages = share->ring_pages;
	control->tx_pool_pages = share->pool_pages;
	control->rx_pool_pages = share->pool_pages;
	WRITE_ONCE(control->front_live, 1);
}

int xv_share_open(struct xv_share *share, struct xenbus_device *xdev,
		  u32 ring_order, u32 pool_pages)
{
	int name, err;

	BUILD_BUG_ON(PAGE_SIZE != VSOCKIF_PAGE_SIZE);
	share->ring_pages = 1u << ring_order;
	share->pool_pages = min(pool_pages, (VSOCKIF_CONTROL_REFS -
					     2 * share->ring_pages) / 2);
	for (name = 0; name < XV_GROUPS; name++) {
		u32 pages = share->pool_pages;

		if (name == XV_CONTROL)
			pages = 1;
		else if (name == XV_TX_RING || name == XV_RX_RING)
			pages = share->ring_pages;
		err = group_make(&share->group[name], pages, xdev->otherend_id,
				 name == XV_TX_POOL);
		if (err) {
			xv_share_close(share);
			return err;
		}
	}
	share->control = share->group[XV_CONTROL].at;
	fill_control(share);
	return 0;
}

int xv_share_listen(struct xv_share *share, struct xenbus_device *xdev,
		    irq_handler_t handler, void *arg)
{
	int err;

	err = xenbus_alloc_evtchn(xdev, &share->port);
	if (err)
		return err;
	err = bind_evtchn_to_irqhandler_lateeoi(share->port, handler, 0,
						dev_name(&xdev->dev), arg);
	if (err < 0) {
		xenbus_free_evtchn(xdev, share->port);
		share->port = 0;
		return err;
	}
	share->irq = err;
	share->arg = arg;
	return 0;
}

void xv_share_deafen(struct xv_share *share)
{
	if (share->irq > 0)		/* closes the port, too */
		unbind_from_irqhandler(share->irq, share->arg);
	share->irq = 0;
	share->port = 0;
}

void xv_share_close(struct xv_share *share)
{
	int name;

	if (share->control)
		WRITE_ONCE(share->control->front_live, 0);
	xv_share_deafen(share);
	for (name = 0; name < XV_GROUPS; name++)
		group_free(&share->group[name]);
	memset(share, 0, sizeof(*share));
}

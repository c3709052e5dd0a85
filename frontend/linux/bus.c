// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * bus.c: see bus.h.
 *
 * What is to be done is decided by the machine of life.h, the same file that
 * the library runs: it is told how things are, and names one act at a time.
 * Here are its eyes and its hands.  One work item looks; whoever has news has
 * it look again.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <xen/xenbus.h>

#include "bus.h"
#include "device.h"
#include "life.h"
#include "nodes.h"
#include "rx.h"
#include "sock.h"
#include "stats.h"
#include "tx.h"

#define LEAVE_MS	5000		/* for the backend to let go */

static unsigned int pool_pages = 240;
module_param(pool_pages, uint, 0444);
MODULE_PARM_DESC(pool_pages, "pages shared for data, each way (at most what the backend takes)");

struct xv_life {
	struct xv_device dev;
	struct xv_tx tx;
	struct xv_rx rx;

	struct mutex lock;		/* the rest */
	struct life_front machine;
	struct notifier_block reboot;
	bool looked;			/* life has been begun */
	bool carries;			/* AF_VSOCK goes by this device */
};

/* One device of a guest at a time has AF_VSOCK.  Outside of xv_life.lock. */
static struct xv_life *bound;
static DEFINE_MUTEX(bound_lock);

static bool bind(struct xv_life *life)
{
	bool free;

	mutex_lock(&bound_lock);
	free = !bound;
	if (free)
		bound = life;
	mutex_unlock(&bound_lock);
	return free;
}

static void unbind(void)
{
	mutex_lock(&bound_lock);
	bound = NULL;
	mutex_unlock(&bound_lock);
}

static u64 now_ms(void)
{
	return ktime_get_boottime_ns() / NSEC_PER_MSEC;
}

/* ---- eyes ---- */

static int look(struct xv_life *life)
{
	struct xv_device *dev = &life->dev;
	struct life_look seen = {};
	int own, peer = 0;

	own = xv_nodes_state(dev->xdev->nodename);
	if (own < 0)
		return own;
	if (dev->xdev->otherend) {
		peer = xv_nodes_state(dev->xdev->otherend);
		if (peer < 0)
			return peer;
	}
	seen.own = own;
	seen.peer = peer;
	/* After the states, never before (life.h). */
	seen.live = xv_share_is_live(&dev->share);
	if (!life->looked)
		life_front_init(&life->machine, own, now_ms());
	life->looked = true;
	life_front_look(&life->machine, &seen, now_ms());
	if (life->machine.fault && !xv_is_bad(dev))
		xv_bad(dev, life->machine.why, peer);
	return 0;
}

/* ---- hands ---- */

/* Nothing that is shared is touched any more. */
static void go_down(struct xv_life *life)
{
	struct xv_device *dev = &life->dev;

	if (life->carries)
		xv_carrier_set(NULL);
	xv_rx_stop(dev);
	xv_tx_close(dev);
	xv_share_deafen(&dev->share);
	xv_rx_stop(dev);		/* what an interrupt began meanwhile */
	if (life->carries)
		xv_sock_reset_all();
	life->carries = false;
}

static int act_unshare(struct xv_life *life)
{
	go_down(life);
	xv_share_close(&life->dev.share);
	xv_bad_forget(&life->dev.bad);
	return 0;
}

static int act_share(struct xv_life *life)
{
	struct xv_device *dev = &life->dev;
	u32 ring_order = 0, pool, want;
	struct xv_offer offer;
	const char *what;
	int err;

	err = xv_nodes_offer(dev->xdev, &offer, &what);
	if (err == -EPROTO) {
		xv_bad_forget(&dev->bad);
		xv_bad(dev, what, 0);
		xv_bad_tell(&dev->bad, dev->xdev);
		xv_bad_forget(&dev->bad);
	}
	if (err)
		return err;
	want = clamp(pool_pages, 16u, VSOCKIF_MAX_POOL_PAGES);
	pool = min(want, offer.pool_pages);
	while (ring_order < offer.ring_order &&
	       vsockif_ring_slots(ring_order) < pool)
		ring_order++;
	err = xv_share_open(&dev->share, dev->xdev, ring_order, pool);
	if (err)
		goto fail;
	dev->cid = offer.cid;
	dev->seqpacket = offer.seqpacket;
	xv_tx_open(dev);
	xv_rx_open(dev);
	err = xv_share_listen(&dev->share, dev->xdev, xv_rx_interrupt, dev);
	if (!err)
		err = xv_nodes_share(dev->xdev, &offer,
				     dev->share.group[XV_CONTROL].ref[0],
				     dev->share.port);
	if (!err)
		return 0;
	act_unshare(life);
fail:
	if (err != -EAGAIN && err != -ENOENT)
		dev_err_ratelimited(&dev->xdev->dev,
				    "cannot share %u pages with domain %u: %d\n",
				    2 * pool, dev->xdev->otherend_id, err);
	return err;
}

static int act_connect(struct xv_life *life)
{
	struct xv_device *dev = &life->dev;
	int err = xv_nodes_set_state(dev->xdev, XenbusStateConnected);

	if (err)
		return err;
	life->carries = true;
	xv_carrier_set(dev);
	xv_rx_start(dev);
	xv_count(dev, XV_CONNECTS);
	dev_info_ratelimited(&dev->xdev->dev, "connected, CID %u\n", dev->cid);
	return 0;
}

static int act_reset(struct xv_life *life)
{
	go_down(life);
	if (!life->machine.fault && !life->machine.leaving)
		dev_info_ratelimited(&life->dev.xdev->dev,
				     "the backend went away; waiting for it to come back\n");
	return 0;
}

static int perform(struct xv_life *life, enum life_act act)
{
	struct xenbus_device *xdev = life->dev.xdev;
	int err;

	switch (act) {
	case LIFE_SHARE:
		return act_share(life);
	case LIFE_CONNECT:
		return act_connect(life);
	case LIFE_RESET:
		return act_reset(life);
	case LIFE_UNSHARE:
		return act_unshare(life);
	case LIFE_CLOSING:
		return xv_nodes_set_state(xdev, XenbusStateClosing);
	case LIFE_CLOSED:
		err = xv_nodes_set_state(xdev, XenbusStateClosed);
		complete(&xdev->down);	/* a shutdown waits for it */
		return err;
	case LIFE_RESTART:
		return xv_nodes_set_state(xdev, XenbusStateInitialising);
	default:
		return -EINVAL;
	}
}

/*
 * Nothing is shared, and the state says nothing else.  A directory in state 1
 * is a new one, perhaps the next device's already: it is left as it is, or
 * xenbus would not find that.
 */
static bool has_left(const struct xv_life *life)
{
	const struct life_front *machine = &life->machine;

	return !life->looked ||
	       (machine->leaving && !machine->shares &&
		(machine->own == VSOCKIF_INITIALISING ||
		 life_front_is_over(machine)));
}

/* Looks, and does what follows; with the lock held. */
static void run(struct xv_life *life)
{
	struct life_front *machine = &life->machine;
	struct xv_device *dev = &life->dev;
	enum life_act act;
	int err;
	u64 due;

	err = look(life);
	if (xv_bad_tell(&dev->bad, dev->xdev))
		life_front_fault(machine, "the backend broke a rule",
				 now_ms());
	while (life->looked) {
		act = life_front_next(machine, now_ms());
		/* RESET and UNSHARE take no xenstore. */
		if (act == LIFE_WAIT || has_left(life) ||
		    (err && act != LIFE_RESET && act != LIFE_UNSHARE))
			break;
		life_front_done(machine, act, perform(life, act), now_ms());
	}
	if (err) {
		xv_look(dev, HZ);
		return;
	}
	due = life_front_deadline(machine);
	if (due != LIFE_NEVER) {
		u64 now = now_ms();

		xv_look(dev, due > now ? msecs_to_jiffies(due - now) : 1);
	}
}

static void look_work(struct work_struct *work)
{
	struct xv_life *life = container_of(work, struct xv_life,
					    dev.look.work);

	mutex_lock(&life->lock);
	run(life);
	mutex_unlock(&life->lock);
}

/* Closes in order; what the backend does not let go of is taken all the same. */
static void leave(struct xv_life *life)
{
	u64 end = now_ms() + LEAVE_MS;

	mutex_lock(&life->lock);
	if (life->looked)
		life_front_close(&life->machine);
	run(life);
	/* xenbus has taken its watch away: so look. */
	while (!has_left(life) && now_ms() < end) {
		mutex_unlock(&life->lock);
		msleep(20);
		mutex_lock(&life->lock);
		run(life);
	}
	act_unshare(life);
	mutex_unlock(&life->lock);
}

/* ---- what xenbus calls ---- */

static struct xv_life *life_of(struct xenbus_device *xdev)
{
	struct xv_device *dev = dev_get_drvdata(&xdev->dev);

	return container_of(dev, struct xv_life, dev);
}

static void otherend_changed(struct xenbus_device *xdev,
			     enum xenbus_state state)
{
	xv_look(dev_get_drvdata(&xdev->dev), 0);
}

/* Linux waits for every device that is connected: so this one is not, then. */
static int going_down(struct notifier_block *reboot, unsigned long event,
		      void *arg)
{
	leave(container_of(reboot, struct xv_life, reboot));
	return NOTIFY_DONE;
}

/* A program of this guest has the device, by libxvs. */
static bool is_taken(struct xenbus_device *xdev)
{
	int own = xv_nodes_state(xdev->nodename);
	int peer = xv_nodes_state(xdev->otherend);

	return (own == VSOCKIF_INITIALISED || own == VSOCKIF_CONNECTED) &&
	       (peer == VSOCKIF_INITWAIT || peer == VSOCKIF_CONNECTED);
}

static int probe(struct xenbus_device *xdev, const struct xenbus_device_id *id)
{
	struct xv_device *dev;
	struct xv_life *life;

	if (is_taken(xdev)) {
		dev_err(&xdev->dev,
			"a program of this guest uses it (by libxvs); when it has ended: echo %s >/sys/bus/xen/drivers/xen_vsock/bind\n",
			dev_name(&xdev->dev));
		return -EBUSY;
	}
	life = kvzalloc(sizeof(*life), GFP_KERNEL);
	if (!life)
		return -ENOMEM;
	mutex_init(&life->lock);
	dev = &life->dev;
	dev->xdev = xdev;
	INIT_DELAYED_WORK(&dev->look, look_work);
	xv_bad_init(&dev->bad);
	xv_tx_init(&life->tx, dev);
	xv_rx_init(&life->rx, dev);
	if (!bind(life)) {
		dev_info(&xdev->dev,
			 "left to programs (libxvs): another device has AF_VSOCK\n");
		kvfree(life);
		return -EBUSY;
	}
	dev_set_drvdata(&xdev->dev, dev);
	life->reboot.notifier_call = going_down;
	register_reboot_notifier(&life->reboot);
	xv_look(dev, 0);
	return 0;
}

static void removed(struct xenbus_device *xdev)
{
	struct xv_life *life = life_of(xdev);

	unregister_reboot_notifier(&life->reboot);
	leave(life);
	cancel_delayed_work_sync(&life->dev.look);
	dev_set_drvdata(&xdev->dev, NULL);
	unbind();
	kvfree(life);
}

/*
 * After a restore or a migration this is another domain: its grants and event
 * channels are gone, whatever the nodes say.
 */
static void begin_anew(struct xv_life *life)
{
	struct life_look none = { .live = true };

	mutex_lock(&life->lock);
	if (life->looked)
		life_front_look(&life->machine, &none, now_ms());
	run(life);
	mutex_unlock(&life->lock);
}

static int resume(struct xenbus_device *xdev)
{
	begin_anew(life_of(xdev));
	return 0;
}

static const struct xenbus_device_id ids[] = { { "vsock" }, { "" } };

static struct xenbus_driver driver = {
	.name = "xen_vsock",
	.ids = ids,
	.probe = probe,
	.remove = removed,
	.resume = resume,
	.otherend_changed = otherend_changed,
	.driver.dev_groups = xv_stats_groups,
	.not_essential = true,
	.allow_rebind = true,
};

/* ---- a device whose directory comes late ---- */

/*
 * If the directory is not there yet when the domain resumes, xenbus gives the
 * device up without a word to the driver, but for the other end that it
 * forgets.  So it is begun anew here, and probed again when the directory is
 * there.
 */
static void reprobe(struct work_struct *work)
{
	struct xenbus_device *xdev;
	struct device *d = NULL;

	mutex_lock(&bound_lock);
	xdev = bound ? bound->dev.xdev : NULL;
	if (xdev && !xdev->otherend) {
		if (xenbus_exists(XBT_NIL, xdev->nodename, "backend"))
			d = get_device(&xdev->dev);
		else
			begin_anew(bound);
	}
	mutex_unlock(&bound_lock);
	if (!d)
		return;
	if (device_reprobe(d) < 0)
		dev_err(d, "cannot probe it again\n");
	put_device(d);
}

static DECLARE_WORK(reprobe_work, reprobe);

static void tree_changed(struct xenbus_watch *watch, const char *path,
			 const char *token)
{
	queue_work(xv_wq, &reprobe_work);
}

static struct xenbus_watch tree = {
	.node = "device/vsock",
	.callback = tree_changed,
};

int xv_bus_init(void)
{
	int err;

	err = xenbus_register_frontend(&driver);
	if (err)
		return err;
	err = register_xenbus_watch(&tree);
	if (err)
		xenbus_unregister_driver(&driver);
	return err;
}

void xv_bus_exit(void)
{
	unregister_xenbus_watch(&tree);
	cancel_work_sync(&reprobe_work);
	xenbus_unregister_driver(&driver);
}

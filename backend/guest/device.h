/* SPDX-License-Identifier: MIT */
/* device.h: one device of one guest, and how it lives.
 *
 * The daemon makes a struct device for each backend directory in xenstore, and keeps it until the directory or the
 * domain is gone.  While the guest is connected its pages are the worker's.  Until it has a directory with a socket (home.h) it is
 * not offered to the guest.
 *
 * What the worker is asked is answered later, one question at a time; meanwhile nothing is done for this device, and what
 * happens is looked at when the answer is there.  One thread. */
#ifndef XVSD_DEVICE_H
#define XVSD_DEVICE_H

#include "guest.h"

/* The watch on its frontend's state. */
static inline struct watch_key device_front_key(const struct device_id *id)
{
    return (struct watch_key){ .kind = WATCH_FRONT, .domid = id->front, .number = id->number };
}

/* A device without a door, and not looked at yet.  0 or a negative errno. */
int  device_new(struct registry *r, const struct device_id *id, uint64_t cid, struct device **out);
/* Closes everything; xenstore is left as it is. */
void device_free(struct device *d);

/* Its domain is called otherwise now. */
void device_called(struct device *d);
/* Reads both states and does what the life machine asks (life.h). */
void device_look(struct device *d);
/* The guest broke a rule: one line in the log, the error node, state 5. */
__attribute__((format(printf, 2, 3)))
void device_refuse(struct device *d, const char *format, ...);
/* Closes it in order: it is to be detached, or the daemon stops. */
void device_close(struct device *d);

/* The worker hears how each is now, if that is not what it was told last.  Whatever may have changed it clears d->told. */
void devices_tell(struct registry *r);
/* The worker says something of it. */
void device_hear(struct device *d, const struct wall_msg *m);
/* There is no worker any more, and what it had mapped is not mapped; there is a new one. */
void device_lost_worker(struct device *d);
void device_new_worker(struct device *d);

#endif

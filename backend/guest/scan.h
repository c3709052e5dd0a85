/* SPDX-License-Identifier: MIT */
/* scan.h: looking for devices in xenstore, and making one for each domain where that is wanted.  One thread. */
#ifndef XVSD_SCAN_H
#define XVSD_SCAN_H

#include "attach.h"
#include "guest.h"

#define SCAN_DEVICES 4096u              /* at most, and domains */
#define SCAN_TREE "/local/domain/%u/backend/vsock"       /* of our own domid: a directory for each guest, in which is one for each device */

/* Takes in new devices and domains: looking into every domain, or only into those that are not known. */
void scan_all(struct registry *r);
void scan_again(struct registry *r);
/* The device is known from here on; it is offered to its guest when it has a directory (settle.h).  0 or a negative errno and why. */
int  scan_take_in(struct registry *r, const struct attach_device *a, struct device **out, char *why);
/* Whether it lives, and what it is called now. */
void scan_look_at(struct registry *r, uint32_t domid);

#endif

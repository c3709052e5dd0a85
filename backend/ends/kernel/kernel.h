/* SPDX-License-Identifier: MIT */
/* kernel.h: an end that is an AF_VSOCK program of this host, by way of the host's kernel.
 *
 * For each guest the daemon plays the guest's driver of a vhost-vsock device (vhost.h), so that programs of dom0 reach the guest
 * by its CID and a port, and the guest theirs, as on a host with KVM.  A stream is two connections: the guest's, in its lane's table, and the
 * kernel's, in a table of its own.  Packets are not passed through: the kernel is a peer of its own kind, whose rules are not
 * those of a guest (vsockif.h, section 8), and neither of the two may break the other's.  Credit passes (credit.h), and so do ends of streams
 * and resets, after the data before them.
 *
 *     virtq.h     one virtqueue, pure
 *     vhost.h     the kernel's device
 *     pipe.h      packets to and from the kernel
 *     tied.h      a stream's two connections
 *     kernel.h    a guest's device, its table, its pieces of work
 *
 * A device outlives the guest's connection for a while: a program in dom0 reads what it was sent in its own time, and when the kernel's
 * device goes, so does all that is in its sockets.  One thread. */
#ifndef XVSD_KERNEL_H
#define XVSD_KERNEL_H

#include "lane.h"

#define KERNEL_WHY 128          /* bytes of a reason, with its end */

/* Who hears that a lane's device is over: nobody needs it any more, or it has failed.  It is gone already. */
typedef void kernel_over(struct lane *lane, bool failed);

/* fd: /dev/vhost-vsock with the guest's CID, which it takes in any case; an earlier device of the lane's is ended, or retired if it has
 * connections: then it is asked for again when that is over (-EBUSY).  0 or a negative errno with why. */
int  kernel_begin(struct lane *lane, uint64_t cid, int fd, kernel_over *over, char *why);
/* The lane's device takes no more connections, and is over soon after the last of them.  Harmless without one. */
void kernel_retire(struct lane *lane);
/* Who hears that the kernel reads nothing any more of what the guest's pages have: they can be unmapped. */
typedef void kernel_has_read(struct lane *lane);
/* The lane went down.  has_read() is called at once, or in its time, or with the device's end.  Harmless without a device, as the next
 * one. */
void kernel_guest_left(struct lane *lane, kernel_has_read *has_read);
void kernel_end_of(struct lane *lane);

#endif

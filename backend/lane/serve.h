/* SPDX-License-Identifier: MIT */
/* serve.h: the work of a connected device, a bounded piece at a time.
 *
 * One piece (device_serve): take in empty buffers, take packets up to a budget, send what is owed, give streams their
 * turns up to a budget, publish, and notify the guest.  What has come meanwhile is taken as well, within the same budget.  If work is
 * left, the device goes to the end of the line; if not, it arms its rings and only then unmasks its channel (XSA-332).
 * A guest that sends events without work is heard less and less often.
 *
 * The budget is what another guest's byte may have to wait for, for each guest that floods: some hundred microseconds.  It
 * is counted in packets: one for each, one more for each page of data, and many for a REQUEST, for which a socket is made and a
 * path is looked up. */
#ifndef XVSD_SERVE_H
#define XVSD_SERVE_H

#include "device.h"

#define SERVE_PACKETS 256           /* received in one piece of work */
#define SERVE_PAGE    4096          /* bytes that count as one more */
#define SERVE_REQUEST 32            /* what a REQUEST counts */
#define SERVE_BYTES   (1u << 20)    /* moved by streams in one piece of work */
#define SERVE_TURNS   64            /* of streams, likewise */
#define SERVE_FEED_MS 20u           /* until those look again that wait for room in their guest's sockets */

/* After map_open(): link, table, inboxes, channel.  0 or a negative errno. */
int  serve_start(struct device *d);
/* All streams end with a reset; the pages may be unmapped. */
void serve_stop(struct device *d);

/* It has something to do: it stands in line.  Harmless when it is not connected. */
void device_wake(struct device *d);
void device_serve(struct device *d);
/* A storm has lasted long enough. */
void device_unmask(struct device *d);

#endif

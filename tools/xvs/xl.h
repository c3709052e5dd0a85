/* SPDX-License-Identifier: MIT */
/* xl.h: what Xen's toolstack gives a guest, by the program xl of dom0. */
#ifndef XVS_XL_H
#define XVS_XL_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"

/* The domid of a guest as this machine's daemon knows it: EXIT_OK, or an exit status after a message. */
int xl_domid(const char *guest, unsigned *domid);

/* All of these: EXIT_OK, or an exit status after a message.
 * Processors: how many run as far as the hypervisor knows, of how many there may be. */
int xl_vcpus(struct loop *l, unsigned domid, unsigned *online, unsigned *most);
/* overcommits: they may be more than this machine has. */
int xl_set_vcpus(struct loop *l, unsigned domid, unsigned count, bool overcommits);
/* Memory, in MiB. */
int xl_memory(struct loop *l, unsigned domid, uint64_t *mib);
int xl_set_memory(struct loop *l, unsigned domid, uint64_t mib);

#endif

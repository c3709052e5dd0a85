/* SPDX-License-Identifier: MIT */
/* tree.h: the toolstack: what xl writes to xenstore for a domain.  All as dom0; 0 or -errno. */
#ifndef XENSIM_TREE_H
#define XENSIM_TREE_H

#include <stdint.h>
#include <xenstore.h>

struct xs_handle *tree_open(void);
int tree_init(struct xs_handle *xs);
int tree_add(struct xs_handle *xs, uint32_t domid, const char *name);
int tree_bury(struct xs_handle *xs, uint32_t domid);

#endif

/* SPDX-License-Identifier: MIT */
/* keys.h: which keys there are, where they may stand and what they mean: one table. */
#ifndef XVSD_SETTINGS_KEYS_H
#define XVSD_SETTINGS_KEYS_H

#include "reader.h"

/* In the section that is being read.  False: it is complained of. */
bool keys_read(struct reader *r, const char *name, const char *value);

#endif

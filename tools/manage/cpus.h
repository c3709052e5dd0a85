/* SPDX-License-Identifier: MIT */
/* cpus.h: this guest's processors, on line and off, by sysfs.
 *
 *     { "request": "cpus" }                          → { "online": 1, "present": 2 }
 *     { "request": "set-cpus", "online": 2 }         likewise, when it has come to that, or no further: then with "problem": a sentence
 *
 * The first processor may be one that cannot go.  Those that Xen gives appear a little later, so they are waited for; those
 * with the highest numbers go first, as Xen takes them. */
#ifndef XVS_CPUS_H
#define XVS_CPUS_H

#include "handler.h"

#define CPUS_PATIENCE 10u       /* seconds that one may take to appear, or to go on line or off */

extern const struct handler handler_cpus, handler_set_cpus;

#endif

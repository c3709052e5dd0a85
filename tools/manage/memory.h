/* SPDX-License-Identifier: MIT */
/* memory.h: this guest's memory, as its kernel sees it.
 *
 *     { "request": "memory" }      → { "total": 1020000000, "available": 800000000 }       bytes
 *
 * Xen's balloon moves it by itself, so there is nothing to be set here. */
#ifndef XVS_MEMORY_H
#define XVS_MEMORY_H

#include "handler.h"

extern const struct handler handler_memory;

#endif

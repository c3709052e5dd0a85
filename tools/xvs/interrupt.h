/* SPDX-License-Identifier: MIT */
/* interrupt.h: for verbs that go on until somebody says that it is enough: SIGINT, SIGTERM or SIGHUP, which come while the verb waits in
 * ppoll() with an empty mask, and at no other time. */
#ifndef XVS_INTERRUPT_H
#define XVS_INTERRUPT_H

#include <stdbool.h>

void interrupts_catch(void);
bool is_interrupted(void);

#endif

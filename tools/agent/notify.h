/* SPDX-License-Identifier: MIT */
/* notify.h: what the init system is told, as sd_notify(3) has it: a datagram to the socket that it names in NOTIFY_SOCKET.
 *
 * A guest may be small and without libsystemd, so this is done without.  It has to come from the process that the init system has
 * begun: by default it hears no other. */
#ifndef XVS_AGENT_NOTIFY_H
#define XVS_AGENT_NOTIFY_H

/* Harmless when nobody wants to know.  An init system that cannot be reached is told nothing, and nobody else either. */
void notify(const char *words);
/* Whatever this process begins has nothing to tell the init system. */
void notify_forget(void);

#endif

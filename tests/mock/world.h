/* SPDX-License-Identifier: MIT */
/* world.h: the host around the daemon: its run directory, its settings, and what the toolstack does.
 *
 *     world_open() … world_close()     once: a run directory and a settings file in memory
 *     world_new() … world_over()       around each run: dom0 and nobody else; what host programs have left is removed */
#ifndef MOCK_WORLD_H
#define MOCK_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "front.h"

void world_open(void);
void world_close(void);
void world_new(void);
void world_over(void);
void world_settings(const char *text);
/* Of one file; NULL, as without a call: no directory. */
void world_policy(const char *text);
/* Guests may reach one another, and the host and they. */
#define WORLD_OPEN "* @any @any allow\n* @any @host allow\n* @host @any allow\n"

/* The daemon's main(), under the name that it has here; with the world's settings and run directory.  False: it has ended. */
bool world_daemon(void);

void world_name(uint32_t domid, const char *name);
void world_appear(uint32_t domid, const char *name);
/* Its directory, its pages (all of f, or NULL) and the news of it go in an order that the toolstack and Xen choose: any number. */
void world_die(uint32_t domid, struct front *f, unsigned how);

/* A new guest of that name comes, connects, and exchanges bytes with host programs, both ways of connecting; and goes.  All of it is
 * MOCK_MUST(). */
void world_serves(uint32_t domid, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/* pty.h: a terminal for a command. */
#ifndef XVS_PTY_H
#define XVS_PTY_H

#include <stdint.h>

/* Both ends are closed at exec(); ours does not block.  0 or a negative errno.  0 rows or columns: not known. */
int pty_open(uint16_t rows, uint16_t columns, int *ours, int *theirs);
int pty_resize(int ours, uint16_t rows, uint16_t columns);
/* The process group that the terminal's keys would signal; 0: none. */
int pty_foreground(int ours);

#endif

/* SPDX-License-Identifier: MIT */
/* qga.h: the agent's service qga: the stream is qemu-guest-agent's, byte for byte, for one caller at a time.
 *
 * Where that cannot be, the caller is told as it would be by qemu-guest-agent itself, with an error; its class is one
 * of the two of ga.h. */
#ifndef XVS_QGA_H
#define XVS_QGA_H

/* Of functions.h. */
int qga_run(int in, int out, const char *argument);

#endif

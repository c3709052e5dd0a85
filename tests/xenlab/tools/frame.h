/* SPDX-License-Identifier: MIT
 *
 * frame.h: what labctl and labagent say to each other, over one vchan.
 *
 * A session is one command:
 *
 *     labctl                          labagent
 *     ARGV  argv, each NUL-ended  ->
 *     STDIN bytes, STDIN_END      ->
 *                                 <-  STDOUT bytes, STDERR bytes
 *                                 <-  EXIT  one int32, as a shell gives it
 *
 * The lab needs a way into the guests that does not depend on what it tests;
 * libxenvchan is the one that Xen itself brings.
 *
 * frame_recv() never blocks.  frame_send() blocks only for room: whoever must
 * not block asks frame_room() first.  One thread. */
#ifndef LAB_FRAME_H
#define LAB_FRAME_H

#include <libxenvchan.h>
#include <stddef.h>
#include <stdint.h>

enum frame_type {
	FRAME_ARGV = 1,
	FRAME_STDIN,
	FRAME_STDIN_END,
	FRAME_STDOUT,
	FRAME_STDERR,
	FRAME_EXIT,
};

#define FRAME_MAX 8192                  /* bytes of payload; two fit into a ring */
#define FRAME_RING 16384                /* bytes of each ring */

/* Commands at a time in one guest.  Both numbers are also read by the program
 * that builds the guests' image: they make up the agent's share of gntalloc. */
#define LAB_WORKERS 8

/* The xenstore directory of a worker, below the guest's own directory; below
 * it, next to libxenvchan's nodes, 'turn': it changes whenever the worker is
 * ready for another session. */
#define LAB_WORKER_PATH "data/lab/%d"

struct frame {
	uint32_t type, len;
	char data[FRAME_MAX];
};

struct frame_reader {
	struct frame frame;             /* complete when frame_recv() returns 1 */
	int have_header;
};

/* Bytes of payload that can be sent without blocking, at most FRAME_MAX. */
size_t frame_room(struct libxenvchan *vchan);

/* 0, or -EPIPE when the peer is gone. */
int frame_send(struct libxenvchan *vchan, enum frame_type type, const void *data, size_t len);

/* 1 and the frame, 0 when there is none yet, -EPIPE when the peer is gone and
 * everything that it sent was read, -EPROTO for a frame that is too long. */
int frame_recv(struct libxenvchan *vchan, struct frame_reader *reader);

#endif

/* SPDX-License-Identifier: MIT
 *
 * frame.c: see frame.h.  Both ends keep their vchan in blocking mode. */
#include "frame.h"

#include <errno.h>

size_t frame_room(struct libxenvchan *vchan)
{
	int space = libxenvchan_buffer_space(vchan) - (int)offsetof(struct frame, data);

	if (space <= 0)
		return 0;
	return space < FRAME_MAX ? (size_t)space : FRAME_MAX;
}

int frame_send(struct libxenvchan *vchan, enum frame_type type, const void *data, size_t len)
{
	uint32_t header[2] = { type, (uint32_t)len };

	if (libxenvchan_send(vchan, header, sizeof(header)) < 0)
		return -EPIPE;
	if (len && libxenvchan_send(vchan, data, len) < 0)
		return -EPIPE;
	return 0;
}

/* 1 when 'want' bytes are there.  What a peer wrote before it closed is still
 * delivered, so the ring is looked at once more after the close was seen. */
static int bytes_ready(struct libxenvchan *vchan, size_t want)
{
	if ((size_t)libxenvchan_data_ready(vchan) >= want)
		return 1;
	if (libxenvchan_is_open(vchan))
		return 0;
	return (size_t)libxenvchan_data_ready(vchan) >= want ? 1 : -EPIPE;
}

int frame_recv(struct libxenvchan *vchan, struct frame_reader *reader)
{
	struct frame *frame = &reader->frame;
	int ready;

	if (!reader->have_header) {
		ready = bytes_ready(vchan, offsetof(struct frame, data));
		if (ready <= 0)
			return ready;
		if (libxenvchan_recv(vchan, frame, offsetof(struct frame, data)) < 0)
			return -EPIPE;
		if (frame->len > FRAME_MAX)
			return -EPROTO;
		reader->have_header = 1;
	}
	ready = bytes_ready(vchan, frame->len);
	if (ready <= 0)
		return ready;
	if (frame->len && libxenvchan_recv(vchan, frame->data, frame->len) < 0)
		return -EPIPE;
	reader->have_header = 0;
	return 1;
}

/* SPDX-License-Identifier: MIT
 *
 * session.c: see session.h.  A worker of labagent calls it and exits when it
 * returns: the kernel then frees whatever an error path left. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xenstore.h>

#define MAX_ARGS 256
#define NO_CLIENT_YET 2                 /* libxenvchan_ring's cli_live, as a new server sets it */

struct worker {
	int slot;
	unsigned int turn;
	struct xs_handle *xs;
	struct libxenvchan *vchan;
};

struct session {
	struct libxenvchan *vchan;
	struct frame_reader *reader;
	pid_t pid;
	int pidfd;                      /* readable when the command has ended */
	int in, out, err;               /* our ends of its pipes, -1 once closed */
	char pending[FRAME_MAX];        /* input that its pipe has not taken yet */
	size_t pending_at, pending_end;
	bool input_ended;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Tells dom0 that this worker takes a session.  Process id and count make a
 * turn that no other session of this guest has. */
static int announce(struct worker *w)
{
	char path[64], value[32];

	snprintf(path, sizeof(path), LAB_WORKER_PATH "/turn", w->slot);
	snprintf(value, sizeof(value), "%d.%u", getpid(), ++w->turn);
	return xs_write(w->xs, XBT_NULL, path, value, strlen(value)) ? 0 : -errno;
}

/* Waits for a client's command: 0 and the ARGV frame, or -errno when the vchan
 * cannot be used any more.
 *
 * One vchan serves client after client, which saves making a new one: in
 * emulation that is the dearest part of a session.  A client that closed leaves
 * cli_live at 0; it is set back and the worker announced.  The kernel clears it
 * once more when it unmaps the client's pages, which can come after that: then
 * all is done again, and labctl, which reads the turn before and after it
 * connects, tries again. */
static int next_command(struct worker *w, struct frame_reader *reader)
{
	struct libxenvchan *vchan = w->vchan;
	int got, err;

	for (;;) {
		got = frame_recv(vchan, reader);
		if (got == 1 && reader->frame.type == FRAME_ARGV)
			return 0;
		if (got == 1)
			continue;       /* input that the last command did not want */
		if (got == -EPIPE) {
			/* Half a frame, or one that nobody took: the next
			 * client must not find it. */
			if (reader->have_header || libxenvchan_data_ready(vchan) > 0 ||
			    libxenvchan_buffer_space(vchan) != FRAME_RING)
				return -EPIPE;
			vchan->ring->cli_live = NO_CLIENT_YET;
			err = announce(w);
			if (err)
				return err;
		} else if (got < 0) {
			return got;
		}
		if (libxenvchan_wait(vchan) < 0)
			return -EPIPE;
	}
}

void set_oom_score(int score)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "w");

	if (!file)
		return;
	fprintf(file, "%d", score);
	fclose(file);
}

static _Noreturn void become_command(char *data, size_t len, int in, int out, int err)
{
	char *argv[MAX_ARGS + 1], *at, *end = data + len;
	int n = 0;

	for (at = data; at < end && n < MAX_ARGS; at += strlen(at) + 1)
		argv[n++] = at;
	argv[n] = NULL;

	setsid();
	set_oom_score(OOM_USUAL);
	signal(SIGPIPE, SIG_DFL);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	close_range(3, ~0U, 0);
	if (n)
		execvp(argv[0], argv);
	fprintf(stderr, "labagent: cannot run %s: %m\n", n ? argv[0] : "nothing");
	_exit(127);
}

static int start_command(struct session *s)
{
	struct frame *frame = &s->reader->frame;
	int in[2], out[2], err[2];

	if (!frame->len || frame->data[frame->len - 1])
		return -EPROTO;
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		return -errno;
	s->pid = fork();
	if (s->pid < 0)
		return -errno;
	if (s->pid == 0)
		become_command(frame->data, frame->len, in[0], out[1], err[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	s->in = in[1];
	s->out = out[0];
	s->err = err[0];
	fcntl(s->in, F_SETFL, O_NONBLOCK);
	fcntl(s->out, F_SETFL, O_NONBLOCK);
	fcntl(s->err, F_SETFL, O_NONBLOCK);
	s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	return s->pidfd < 0 ? -errno : 0;
}

/* Takes frames until the command's pipe is full or there are none. */
static int take_input(struct session *s)
{
	struct frame *frame = &s->reader->frame;
	ssize_t done;
	int got;

	for (;;) {
		while (s->pending_at < s->pending_end && s->in >= 0) {
			done = write(s->in, s->pending + s->pending_at, s->pending_end - s->pending_at);
			if (done < 0 && errno == EAGAIN)
				return 0;
			if (done < 0)
				close_fd(&s->in);       /* it reads no more: the rest is thrown away */
			else
				s->pending_at += (size_t)done;
		}
		if (s->input_ended)
			close_fd(&s->in);
		got = frame_recv(s->vchan, s->reader);
		if (got <= 0)
			return got;
		if (frame->type == FRAME_STDIN_END) {
			s->input_ended = true;
		} else if (frame->type == FRAME_STDIN && !s->input_ended) {
			memcpy(s->pending, frame->data, frame->len);
			s->pending_at = 0;
			s->pending_end = frame->len;
		} else {
			return -EPROTO;
		}
	}
}

/* Sends what the command printed while the vchan has room.  1 if it sent. */
static int give_output(struct session *s, int *fd, enum frame_type type)
{
	char data[FRAME_MAX];
	size_t room = frame_room(s->vchan);
	ssize_t got;

	if (*fd < 0 || !room)
		return 0;
	got = read(*fd, data, room);
	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0) {
		close_fd(fd);
		return 0;
	}
	return frame_send(s->vchan, type, data, (size_t)got) ? -EPIPE : 1;
}

static int serve(struct session *s)
{
	struct pollfd fds[5];
	bool ended = false, room;
	int res, moved;

	for (;;) {
		res = take_input(s);
		if (res < 0)
			return res;
		do {
			moved = give_output(s, &s->out, FRAME_STDOUT);
			if (moved >= 0) {
				res = give_output(s, &s->err, FRAME_STDERR);
				moved = res < 0 ? res : moved + res;
			}
			if (moved < 0)
				return moved;
		} while (moved);
		room = frame_room(s->vchan) > 0;
		/* Everything that it wrote before it ended has been sent. */
		if (ended && room)
			return 0;

		fds[0] = (struct pollfd){ .fd = libxenvchan_fd_for_select(s->vchan), .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = s->pending_at < s->pending_end ? s->in : -1, .events = POLLOUT };
		fds[2] = (struct pollfd){ .fd = room ? s->out : -1, .events = POLLIN };
		fds[3] = (struct pollfd){ .fd = room ? s->err : -1, .events = POLLIN };
		fds[4] = (struct pollfd){ .fd = ended ? -1 : s->pidfd, .events = POLLIN };
		if (poll(fds, 5, -1) < 0 && errno != EINTR)
			return -errno;
		/* Consumes the event; it does not block, an event is there. */
		if (fds[0].revents && libxenvchan_wait(s->vchan) < 0)
			return -EPIPE;
		if (fds[4].revents)
			ended = true;
	}
}

/* 0 when everything up to the exit status was sent. */
static int run_command(struct worker *w, struct frame_reader *reader)
{
	struct session s = { .vchan = w->vchan, .reader = reader, .in = -1, .out = -1, .err = -1, .pidfd = -1 };
	int status = 0, res;
	int32_t code;

	res = start_command(&s);
	if (res)
		return res;
	res = serve(&s);
	if (res) {
		kill(s.pid, SIGKILL);
		kill(-s.pid, SIGKILL);
	}
	waitpid(s.pid, &status, 0);
	code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (!res)
		res = frame_send(w->vchan, FRAME_EXIT, &code, sizeof(code));
	close_fd(&s.in);
	close_fd(&s.out);
	close_fd(&s.err);
	close_fd(&s.pidfd);
	return res;
}

int session_loop(int slot)
{
	struct worker w = { .slot = slot };
	struct frame_reader reader = { 0 };
	char path[64];

	/* A turn of a worker that died must not lead anybody to the nodes of a
	 * vchan that is only half written. */
	w.xs = xs_open(0);
	snprintf(path, sizeof(path), LAB_WORKER_PATH "/turn", slot);
	if (w.xs)
		xs_rm(w.xs, XBT_NULL, path);
	snprintf(path, sizeof(path), LAB_WORKER_PATH, slot);
	w.vchan = libxenvchan_server_init(NULL, 0, path, FRAME_RING, FRAME_RING);
	if (!w.vchan || !w.xs) {
		fprintf(stderr, "labagent: cannot offer vchan %d: %m\n", slot);
		return -EIO;
	}
	w.vchan->blocking = 1;
	if (announce(&w))
		return -EIO;
	while (!next_command(&w, &reader) && !run_command(&w, &reader))
		;
	libxenvchan_close(w.vchan);
	return 0;
}

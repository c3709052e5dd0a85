/* SPDX-License-Identifier: MIT
 *
 * labctl: dom0's end of labagent.
 *
 *     labctl exec GUEST cmd args...   runs it there; exits as it did
 *     labctl wait GUEST SECONDS       until the guest can run a command
 *     labctl idle GUEST SECONDS       until no command is running and every
 *                                     worker is back: what the lab itself
 *                                     holds in the guest is then constant
 *     labctl domid GUEST              prints the domid
 *
 * GUEST is a name or a domid.  255 is labctl's own exit status.
 *
 * Who may use which worker: a lock file a worker in /run/lab, held for the
 * length of the session.  In it is the turn that was used last; the worker is
 * ready again when its 'turn' in xenstore is another one. */
#include "frame.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>
#include <xentoollog.h>

#define LOCK_DIR "/run/lab"
#define FAILED 255
#define LOOK_MS 300
#define FREE_WORKER_SECONDS 30

static struct xs_handle *xs;
static xentoollog_logger *quiet;        /* a connection that fails is tried again */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5 * 1000 * 1000 }, NULL);
}

/* The value as a string to free, or NULL. */
static char *read_node(int domid, const char *node)
{
	unsigned int len;
	char path[128];

	snprintf(path, sizeof(path), "/local/domain/%d/%s", domid, node);
	return xs_read(xs, XBT_NULL, path, &len);
}

/* -1 when there is no such domain. */
static int find_domain(const char *guest)
{
	int domid = -1, candidate;
	unsigned int count, i;
	char **domids, *name;

	if (isdigit((unsigned char)guest[0])) {
		name = read_node(atoi(guest), "name");
		free(name);
		return name ? atoi(guest) : -1;
	}
	domids = xs_directory(xs, XBT_NULL, "/local/domain", &count);
	/* The youngest first: it is never dom0 and usually the right one. */
	for (i = domids ? count : 0; i-- > 0 && domid < 0;) {
		candidate = atoi(domids[i]);
		name = read_node(candidate, "name");
		if (name && !strcmp(name, guest))
			domid = candidate;
		free(name);
	}
	free(domids);
	return domid;
}

static char *read_turn(int domid, int slot)
{
	char node[64];

	snprintf(node, sizeof(node), LAB_WORKER_PATH "/turn", slot);
	return read_node(domid, node);
}

/* Locks a worker that is ready for a session: the lock's descriptor and the
 * turn to free, or -1. */
static int lock_worker(int domid, int slot, char **turn)
{
	char path[64], used[32] = "";
	int fd;

	snprintf(path, sizeof(path), LOCK_DIR "/%d.%d", domid, slot);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) || !(*turn = read_turn(domid, slot))) {
		close(fd);
		return -1;
	}
	if (read(fd, used, sizeof(used) - 1) > 0 && !strcmp(used, *turn)) {
		free(*turn);
		close(fd);
		return -1;
	}
	return fd;
}

/* The vchan of this worker, or NULL when it is not to be had now.  The lock
 * stays until this process ends. */
static struct libxenvchan *try_worker(int domid, int slot)
{
	struct libxenvchan *vchan;
	char path[64], *turn, *still;
	int fd = lock_worker(domid, slot, &turn);

	if (fd < 0)
		return NULL;
	snprintf(path, sizeof(path), "/local/domain/%d/" LAB_WORKER_PATH, domid, slot);
	vchan = libxenvchan_client_init(quiet, domid, path);
	still = read_turn(domid, slot);
	if (vchan && (!still || strcmp(still, turn))) {
		/* The worker was replaced meanwhile: this may be half of its
		 * old vchan and half of its new one. */
		libxenvchan_close(vchan);
		vchan = NULL;
	}
	free(still);
	if (vchan && (ftruncate(fd, 0) || pwrite(fd, turn, strlen(turn), 0) < 0)) {
		fprintf(stderr, "labctl: cannot write into " LOCK_DIR ": %m\n");
		exit(FAILED);
	}
	free(turn);
	if (!vchan)
		close(fd);
	return vchan;
}

static struct libxenvchan *connect_worker(int domid)
{
	int64_t deadline = now_ms() + FREE_WORKER_SECONDS * 1000;
	struct libxenvchan *vchan;
	int slot;

	for (;;) {
		for (slot = 0; slot < LAB_WORKERS; slot++) {
			vchan = try_worker(domid, slot);
			if (vchan) {
				vchan->blocking = 1;
				return vchan;
			}
		}
		if (now_ms() > deadline) {
			fprintf(stderr, "labctl: domain %d: no worker was free for %d s\n", domid, FREE_WORKER_SECONDS);
			return NULL;
		}
		nap();
	}
}

static int send_argv(struct libxenvchan *vchan, char **argv)
{
	char data[FRAME_MAX];
	size_t len = 0, add;

	for (; *argv; argv++) {
		add = strlen(*argv) + 1;
		if (len + add > sizeof(data)) {
			fprintf(stderr, "labctl: the command is longer than %d bytes\n", FRAME_MAX);
			return -E2BIG;
		}
		memcpy(data + len, *argv, add);
		len += add;
	}
	return frame_send(vchan, FRAME_ARGV, data, len);
}

static int write_all(int fd, const char *data, size_t len)
{
	ssize_t done;

	for (; len; data += done, len -= (size_t)done) {
		done = write(fd, data, len);
		if (done < 0 && errno == EINTR)
			done = 0;
		else if (done < 0)
			return -errno;
	}
	return 0;
}

/* A domain that is destroyed says nothing on its vchan; but its name goes. */
static bool is_alive(int domid)
{
	char *name = read_node(domid, "name");

	free(name);
	return name != NULL;
}

/* The command's exit status, or -errno. */
static int converse(int domid, struct libxenvchan *vchan)
{
	struct frame_reader reader = { 0 };
	struct frame *frame = &reader.frame;
	bool input = true;
	struct pollfd fds[2];
	char data[FRAME_MAX];
	int32_t code;
	size_t room;
	ssize_t got;
	int events;

	for (;;) {
		while ((got = frame_recv(vchan, &reader)) == 1) {
			if (frame->type == FRAME_EXIT && frame->len == sizeof(code)) {
				memcpy(&code, frame->data, sizeof(code));
				return code;
			}
			if (write_all(frame->type == FRAME_STDERR ? 2 : 1, frame->data, frame->len))
				return -EPIPE;
		}
		if (got < 0)
			return (int)got;

		room = frame_room(vchan);
		fds[0] = (struct pollfd){ .fd = libxenvchan_fd_for_select(vchan), .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = input && room ? 0 : -1, .events = POLLIN };
		events = poll(fds, 2, LOOK_MS);
		if (events < 0 && errno != EINTR)
			return -errno;
		if (events <= 0) {
			if (!is_alive(domid))
				return -EHOSTDOWN;
			continue;
		}
		if (fds[0].revents && libxenvchan_wait(vchan) < 0)
			return -EPIPE;
		if (fds[1].revents) {
			got = read(0, data, room);
			input = got > 0;
			/* A command may end without reading: its exit status is
			 * still to be received, so this is no failure yet. */
			if (frame_send(vchan, input ? FRAME_STDIN : FRAME_STDIN_END, data, input ? (size_t)got : 0))
				input = false;
		}
	}
}

static int cmd_exec(const char *guest, char **argv)
{
	int domid = find_domain(guest), code;
	struct libxenvchan *vchan;

	if (domid < 0) {
		fprintf(stderr, "labctl: no domain %s\n", guest);
		return FAILED;
	}
	vchan = connect_worker(domid);
	if (!vchan || send_argv(vchan, argv))
		return FAILED;
	code = converse(domid, vchan);
	libxenvchan_close(vchan);
	if (code >= 0)
		return code;
	fprintf(stderr, "labctl: %s: lost in the middle of %s: %s\n", guest, argv[0], strerror(-code));
	return FAILED;
}

/* Until one worker is ready, or all of them are. */
static int cmd_wait(const char *guest, int seconds, bool all)
{
	int64_t deadline = now_ms() + seconds * 1000;
	int domid, slot, ready, fd;
	char *turn;

	for (;;) {
		domid = find_domain(guest);
		for (slot = ready = 0; domid >= 0 && slot < LAB_WORKERS; slot++) {
			fd = lock_worker(domid, slot, &turn);
			if (fd < 0)
				continue;
			close(fd);
			free(turn);
			ready++;
		}
		if (ready == LAB_WORKERS || (ready && !all))
			return 0;
		if (now_ms() > deadline) {
			fprintf(stderr, "labctl: %s: %s within %d s\n", guest,
				domid < 0 ? "no such domain" : all ? "not idle" : "its agent did not answer", seconds);
			return FAILED;
		}
		nap();
	}
}

static int cmd_domid(const char *guest)
{
	int domid = find_domain(guest);

	if (domid < 0) {
		fprintf(stderr, "labctl: no domain %s\n", guest);
		return FAILED;
	}
	printf("%d\n", domid);
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";

	xs = xs_open(0);
	if (!xs) {
		fprintf(stderr, "labctl: cannot reach xenstored: %m\n");
		return FAILED;
	}
	quiet = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
	mkdir(LOCK_DIR, 0700);
	if (!strcmp(verb, "exec") && argc > 3)
		return cmd_exec(argv[2], argv + 3);
	if (!strcmp(verb, "wait") && argc == 4)
		return cmd_wait(argv[2], atoi(argv[3]), false);
	if (!strcmp(verb, "idle") && argc == 4)
		return cmd_wait(argv[2], atoi(argv[3]), true);
	if (!strcmp(verb, "domid") && argc == 3)
		return cmd_domid(argv[2]);
	fprintf(stderr, "usage: labctl exec GUEST cmd args... | wait GUEST SECONDS | idle GUEST SECONDS | domid GUEST\n");
	return FAILED;
}

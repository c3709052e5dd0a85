/* SPDX-License-Identifier: MIT
 *
 * labagent: runs commands in a guest of the lab on behalf of dom0.
 *
 * It is the guest's process 1: /init execs it once the devices are there.  A
 * worker process waits on a vchan of its own, runs one command (session.c) and
 * ends; the kernel then frees its grants and ports whatever happened, and a
 * new worker takes its place.  Several workers are several commands at once.
 *
 * xl save and xl restore give the guest a new domid and leave every vchan
 * dead.  A watch survives in the kernel and fires again on resume: the watcher
 * process waits for that and ends, and then all workers are replaced. */
#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

static pid_t workers[LAB_WORKERS];
static pid_t watcher;
static unsigned int turns;

/* Returns when the guest was resumed, or when xenstore cannot be reached. */
static void watch_for_resume(void)
{
	struct xs_handle *xs = xs_open(0);
	unsigned int count;
	int fired;

	if (!xs || !xs_watch(xs, "domid", "resume")) {
		fprintf(stderr, "labagent: cannot watch xenstore: %m\n");
		return;
	}
	/* A new watch fires at once; the second time is the resume. */
	for (fired = 0; fired < 2; fired++)
		free(xs_read_watch(xs, &count));
}

static void start_worker(int slot)
{
	unsigned int turn = ++turns;
	pid_t pid = fork();

	if (pid == 0)
		_exit(session_run(slot, turn) ? 1 : 0);
	workers[slot] = pid;
}

static void start_watcher(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		watch_for_resume();
		_exit(0);
	}
	watcher = pid;
}

/* A worker that fails, fails again at once: without a breath it would starve
 * the guest that it is meant to show. */
static void breathe(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
}

int main(void)
{
	int slot, status;
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	start_watcher();
	for (slot = 0; slot < LAB_WORKERS; slot++)
		start_worker(slot);

	/* Process 1 inherits every orphan of the guest and reaps it here. */
	for (;;) {
		pid = waitpid(-1, &status, 0);
		if (pid < 0) {
			if (errno != EINTR)
				breathe();
			continue;
		}
		if (pid == watcher) {
			for (slot = 0; slot < LAB_WORKERS; slot++)
				kill(workers[slot], SIGKILL);
			start_watcher();
			continue;
		}
		for (slot = 0; slot < LAB_WORKERS; slot++) {
			if (workers[slot] != pid)
				continue;
			if (WIFEXITED(status) && WEXITSTATUS(status))
				breathe();
			start_worker(slot);
		}
	}
}

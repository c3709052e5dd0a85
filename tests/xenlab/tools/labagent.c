/* SPDX-License-Identifier: MIT
 *
 * labagent: runs commands in a guest of the lab on behalf of dom0.
 *
 * It is the guest's process 1: /init execs it once the devices are there.  A
 * worker process has a vchan of its own and runs one command after the other
 * (session.c).  After a session that went wrong it ends; the kernel frees its
 * grants and ports, and a new worker takes its place.  Several workers are
 * several commands at once.
 *
 * xl save and xl restore give the guest a new domid and leave every vchan
 * dead.  A watch survives in the kernel and fires again on resume: the watcher
 * process waits for that and ends, and then new workers are started.  The old
 * ones stay, asleep for ever: up to at least Linux 6.1, closing an event-channel
 * descriptor that had a port before the resume, and so also ending the process,
 * is a BUG() in the kernel (drivers/xen/evtchn.c, evtchn_unbind_from_user).
 *
 * The watcher is a program of its own because xs_watch() of the static
 * libxenstore, which this one is linked with, fails with EINVAL every other
 * time in a guest. */
#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t workers[LAB_WORKERS];
static pid_t watcher;

static void start_worker(int slot)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(session_loop(slot) ? 1 : 0);
	workers[slot] = pid;
}

static void start_watcher(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(1);
		/* A new watch fires at once; the second time is the resume. */
		execlp("xenstore-watch", "xenstore-watch", "-n", "2", "domid", (char *)NULL);
		_exit(1);
	}
	watcher = pid;
}

/* The old workers keep their pages: a test is to find as many as before. */
static void raise_limit(void)
{
	FILE *file = fopen("/sys/module/xen_gntalloc/parameters/limit", "r+");
	int limit;

	if (file && fscanf(file, "%d", &limit) == 1) {
		rewind(file);
		fprintf(file, "%d\n", limit + LAB_WORKERS * (1 + 2 * FRAME_RING / 4096));
	}
	if (file)
		fclose(file);
}

/* What fails, fails again at once: without a breath it would starve
 * the guest that it is meant to show. */
static void breathe(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
}

int main(void)
{
	int slot, status, failed;
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	set_oom_score(OOM_NEVER);
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
		failed = !WIFEXITED(status) || WEXITSTATUS(status);
		if (pid == watcher) {
			if (failed)
				breathe();
			else
				raise_limit();
			for (slot = 0; slot < LAB_WORKERS && !failed; slot++)
				start_worker(slot);
			start_watcher();
			continue;
		}
		for (slot = 0; slot < LAB_WORKERS; slot++) {
			if (workers[slot] != pid)
				continue;
			if (WIFEXITED(status) && failed)
				breathe();
			start_worker(slot);
		}
	}
}

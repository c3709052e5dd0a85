/* SPDX-License-Identifier: MIT */
/* daemon.h: an xvsd of the test's own, and host programs that speak to it.
 *
 * It is the one beside the test program (../xvsd), or $XVSD, in a run directory of its own; its log goes to a file. */
#ifndef XVS_TEST_DAEMON_H
#define XVS_TEST_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0 once it answers.  conf: the text of its configuration. */
int  daemon_start(const char *conf);
/* Its exit status after SIGTERM (KILL: after SIGKILL), or -1 if it was dead already. */
int  daemon_stop(int signal);
bool daemon_lives(void);

/* Where the log ends now; whether 'text' is in it after that place, within 2 s; how often, now. */
long daemon_log_mark(void);
bool daemon_log_has(long mark, const char *text);
int  daemon_log_count(long mark, const char *text);

/* One request to the control socket; the answer is static. */
const char *daemon_ask(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A number in an answer: what follows "key":, or -1. */
long long daemon_number(const char *answer, const char *key);

/* A program that listens at port of a guest: its descriptor; non-blocking. */
int  host_listen(const char *guest, uint32_t port);
/* Within 2 s: the accepted connection, or -1. */
int  host_accept(int fd);
/* Within 2 s: so many bytes, or fewer. */
size_t host_read(int fd, void *buffer, size_t len);

#endif

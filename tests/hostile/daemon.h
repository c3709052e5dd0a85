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
/* Its policy, from the next start or reload on: the text of one file, TEST_POLICY; NULL, as without a call: it has no directory, and the
 * built-in one holds. */
void daemon_policy(const char *text);
#define TEST_POLICY "50-test.policy"
/* Guests may reach one another, and the host and they. */
#define POLICY_OPEN "* @any @any allow\n* @any @host allow\n* @host @any allow\n"
/* Descriptors that it may have, from the next start on. */
void daemon_limit_files(unsigned most);
/* From the next start on: keeper, worker and dialer in one process, as it is without a call; or in three. */
void daemon_in_processes(bool three);
/* The process id of "worker" or "dialer", once there is one that is not 'other'; 0 if none comes. */
int  daemon_child(const char *name, int other);
/* The program. */
const char *daemon_program(void);
/* Its exit status after SIGTERM (KILL: after SIGKILL), or -1 if it was dead already. */
int  daemon_stop(int signal);
bool daemon_lives(void);
/* Prints what descriptors it has, and what it says of its guests; for harness_on_failure(). */
void daemon_show(void *unused);
int  daemon_pid(void);
/* A path in its directory, in which "run" is the run directory; static, the last four stay. */
const char *daemon_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* To the daemon, which goes on living. */
void daemon_signal(int signal);
/* It stands still when this returns, with no request half said to xenstored, until daemon_signal(SIGCONT). */
void daemon_freeze(void);

/* Where the log ends now; whether 'text' is in it after that place, or comes; how often, now. */
long daemon_log_mark(void);
bool daemon_log_has(long mark, const char *text);
int  daemon_log_count(long mark, const char *text);

/* One request to the control socket; the answer is static. */
const char *daemon_ask(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same at the socket that only tells. */
const char *daemon_ask_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* It has gone round often enough to have done all that it has heard of, without rest. */
void daemon_rounds(void);
/* A connection to the control socket, or -1. */
int  daemon_control(void);
/* A number in an answer: what follows "key":, or -1. */
long long daemon_number(const char *answer, const char *key);

/* A program that listens at port of a guest: its descriptor; non-blocking. */
int  host_listen(const char *guest, uint32_t port);
/* …whose socket is of this type, SOCK_STREAM or SOCK_SEQPACKET. */
int  host_listen_as(const char *guest, uint32_t port, int type);
/* One that is connected to the guest's socket and has said nothing yet, or -1. */
int  host_connect_messages(const char *guest);
int  host_connect(const char *guest);
/* The next connection, or -1 if none comes. */
int  host_accept(int fd);
/* So many bytes, or fewer if no more come. */
size_t host_read(int fd, void *buffer, size_t len);

#endif

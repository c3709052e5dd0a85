/* SPDX-License-Identifier: MIT */
/* process.h: a program's main() as a function of the test's, in the test's own time.
 *
 * The program runs on a stack of its own.  When it would sleep in epoll_wait() the test goes on, and lets it run again when it has
 * done something to it.  Nothing is waited for in real time, and no thread or second process is there: a run is the same each
 * time.
 *
 *     process_begin()      until it sleeps for the first time
 *     process_rest()       until it sleeps again: what the test has done to it is dealt with
 *     process_pass()       so much time passes; it is woken when it wanted to be
 *     process_end()        asks it to stop (SIGTERM) and lets time pass until it has
 *
 * All return false when the program has ended.  A program that does not come to rest, or that wakes up again and again without
 * anything to do, is a failure of the test (MOCK_MUST). */
#ifndef MOCK_PROCESS_H
#define MOCK_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

bool process_begin(int (*main_of_it)(int argc, char **argv), int argc, char **argv);
bool process_rest(void);
bool process_pass(uint64_t ms);
/* False: it does not end within a minute. */
bool process_end(void);

bool process_is_running(void);
int  process_status(void);              /* after its end */
uint64_t process_rounds(void);          /* calls of epoll_wait() so far */
/* What it has written to standard error since the last call of process_begin(), as far as it fits; ended by a NUL. */
const char *process_log(void);
void process_log_clear(void);
/* Copies every line to the test's own standard error. */
extern bool process_is_loud;

/* For calls.c. */
int process_sleep(int epoll, void *events, int max, int timeout);
void process_say(const void *bytes, unsigned long len);

/* Descriptors and memory of the whole test program: what a run has changed is left over.  process_left_over() is "" or a
 * sentence. */
void process_count(void);
const char *process_left_over(void);

#endif

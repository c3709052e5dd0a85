/* SPDX-License-Identifier: MIT */
/* say.h: how the command talks: messages, exit statuses, sizes and colours for people, numbers from people.
 *
 * A message goes to standard error as "xvs VERB: what, on what, what to do".  Text from outside (a guest's name, an
 * error that the daemon passes on) may hold escape sequences: everything said is cleaned of control characters. */
#ifndef XVS_SAY_H
#define XVS_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit statuses; xvs(1) lists them, scripts depend on them. */
enum {
    EXIT_OK      = 0,
    EXIT_OTHER   = 1,       /* the daemon said no, or no memory */
    EXIT_USAGE   = 2,
    EXIT_ABSENT  = 3,       /* no daemon, no such guest, no device, or it is not connected */
    EXIT_REFUSED = 4,       /* nobody listens there */
    EXIT_FAILED  = 5,       /* the command at the other end has failed */
    EXIT_RESET   = 6,       /* the connection broke, or the peer spoke nonsense */
    EXIT_LOCAL   = 7,       /* standard input, standard output, a file */
    EXIT_TIME    = 8,
    EXIT_POLICY  = 9,       /* refused: the policy of the host */
    EXIT_BUSY    = 10,      /* refused: a backlog is full */
    EXIT_IDLE    = 11,      /* refused: no program in the guest has its device open */
    EXIT_LIMIT   = 12,      /* refused: too many, or something is short */
    EXIT_DENIED  = 13       /* permission denied, by the mode of a file */
};

/* The exit status that tells of a negative errno of a connection.  Some of them no system call gives for one, and they are ours:
 * EKEYREJECTED (POLICY), EUSERS (BUSY), EHOSTDOWN (IDLE), EDQUOT (LIMIT), ECHILD (FAILED). */
int exit_status(int err);

void say_begin(const char *verb);
/* First of all: a descriptor that we open must never be 0, 1 or 2, or it would be taken for standard input or output. */
void fill_standard_descriptors(void);
/* The name in front of every message; "xvs" until it is said otherwise. */
void say_program(const char *name);
void say_quiet(void);
bool say_is_quiet(void);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* say(), and returns status. */
int  fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A usage error: says it and where the help is; returns EXIT_USAGE. */
int  fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What the system calls a negative errno, and what to do where nobody who was asked is to blame. */
const char *errno_words(int err);
/* One of the two, as exit_status(err) says, which it returns.  why "": errno_words(). */
int  fail_as(int err, const char *why);

/* Prints text without control characters. */
void say_clean(FILE *to, const char *text);
/* Replaces control characters in place. */
void clean(char *text);

/* True if what goes to 'to' may be coloured: a terminal, and NO_COLOR is not set. */
bool colour_on(FILE *to);

#define SIZE_TEXT 16
/* "0", "982", "1.2K", "34M", …; returns text. */
const char *size_text(char text[SIZE_TEXT], uint64_t bytes);

/* Decimal digits alone, at most max. */
bool parse_number(const char *text, uint64_t max, uint64_t *out);
/* Seconds with an optional fraction, as nanoseconds; at most 10^6 s. */
bool parse_seconds(const char *text, int64_t *ns);
/* A number with an optional K, M or G (1024), at most max. */
bool parse_size(const char *text, uint64_t max, uint64_t *out);

#define SECOND INT64_C(1000000000)
/* Nanoseconds since some fixed moment. */
int64_t clock_ns(void);

#endif

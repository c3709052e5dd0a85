/* SPDX-License-Identifier: MIT */
/* functions.h: services that are a function of this program.
 *
 * Each call is a process of its own, xvs-agent --service NAME, whose standard input and output are the stream.  So they may block, use what memory they
 * need, and be as wrong as they are: the agent goes on. */
#ifndef XVS_FUNCTIONS_H
#define XVS_FUNCTIONS_H

struct function {
    const char *name;           /* NULL: the last */
    /* argument: what stood behind the +, or NULL.  The process's exit status. */
    int (*run)(int in, int out, const char *argument);
    /* NULL, or what is called before the process is begun: why there cannot be one, in words for the caller, or NULL. */
    const char *(*absent)(void);
};

extern const struct function functions[];

/* NULL: there is none of this name. */
const struct function *function_find(const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/* decided.h: what the administrator has decided, settings and policy: both are good, or neither is read. */
#ifndef XVSD_DECIDED_H
#define XVSD_DECIDED_H

#include "settings.h"
#include "xvsd.h"

/* With descriptors of copies, which nobody changes, for a process that can open neither. */
struct decided {
    struct settings *settings;
    int settings_fd;            /* settings_pack(); -1: there is no file, the defaults hold */
    size_t files;               /* of settings */
    int policy_fd;              /* policy_pack.h */
    size_t lines;               /* of the policy */
    bool built_in;              /* it is not the administrator's */
    char dir[600];              /* where policies are looked for */
};

/* 0, or a negative errno, complaints of both, and nothing in d that is to be dropped. */
int  decided_read(const struct options *o, struct decided *d, struct complaints *c);
/* What was complained of, to the log; there is none then. */
void decided_say(struct complaints *c);
/* Accepts one in which there is nothing: NULL, and -1 twice. */
void decided_drop(struct decided *d);
/* Another descriptor of such a copy, from its begin; a negative errno. */
int  decided_again(int fd);

#endif

/* SPDX-License-Identifier: MIT */
/* chain.h: everything that must hold for a connection between a guest and this host, link by link: where does it break, and what is to be
 * done?
 *
 *     daemon    xvsd runs, and answers
 *     device    the domain is there and has one
 *     program   one in the guest has the device open
 *     socket    the guest's socket is in its directory, and may be used
 *     policy    it allows the port, in either direction
 *     listener  somebody listens at the port: here, or there
 *     credit    streams by this port move
 *
 * The last two, and the policy, are about a port, and are left out without one.  Pure: what was found out is a value, and so is the
 * answer. */
#ifndef XVS_CHAIN_H
#define XVS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reason.h"

#define CHAIN_TEXT  400         /* bytes of a text, with its end */
#define CHAIN_LINKS 9           /* at most */

enum chain_verdict { CHAIN_GOOD, CHAIN_UNKNOWN, CHAIN_BROKEN };

enum chain_policy { CHAIN_NOT_ASKED, CHAIN_ALLOWS, CHAIN_DENIES };

/* What was found out. */
struct chain_facts {
    const char *guest;          /* as the person wrote it */
    bool has_port;
    uint32_t port;
    int daemon_err;             /* 0, or a negative errno of control_ask(), */
    const char *daemon_why;     /* …and its words */
    bool has_device;            /* the daemon knows such a guest; what follows is about it */
    unsigned device;
    uint64_t cid;
    const char *use, *says;     /* xvsd(8), "ls" */
    int socket_err;             /* 0, or a negative errno: the guest's socket in its directory */
    enum chain_policy to_guest, to_host;
    const char *to_guest_line, *to_host_line;       /* "FILE:N: TEXT" of what decides; NULL for none */
    bool listens_here;          /* a host program, at this port for this guest or for all */
    bool was_refused;           /* whoever asks was, at this port of the guest's, */
    struct reason refusal;      /* …and last for this */
    uint32_t streams;           /* by this port, */
    uint32_t standing;          /* …of which so many stand still, */
    const char *stands;         /* …and one for this reason */
};

struct chain_link {
    const char *name;
    enum chain_verdict verdict;
    char says[CHAIN_TEXT];
    char advice[CHAIN_TEXT];    /* what to do; "" where nothing is to be done */
};

/* Fills the links as far as they can be judged, up to the first that is broken; how many. */
size_t chain_explain(const struct chain_facts *f, struct chain_link links[CHAIN_LINKS]);
/* The first broken one; NULL if there is none. */
const struct chain_link *chain_broken(const struct chain_link *links, size_t count);
const char *chain_word(enum chain_verdict verdict);

#endif

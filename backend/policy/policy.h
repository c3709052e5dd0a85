/* SPDX-License-Identifier: MIT */
/* policy.h: who may reach whom, by source, destination and port (xvs-policy(5)).
 *
 * A struct policy is a value that nobody changes: lines in their order, the first of which that fits decides.  Where none fits, no is
 * the answer.  One struct is one heap object with all that it needs, so the settings that it was read with may go.
 *
 *     policy.h          the value, and the decision
 *     policy_text.h     from the text of files
 *     policy_pack.h     those files as one text, for a process that cannot open them
 *     policy_dir.h      from the administrator's directory, or what holds where there is none
 *
 * The decision has no I/O and no clock; any thread. */
#ifndef XVSD_POLICY_H
#define XVSD_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "titles.h"

/* What an end of a connection is. */
enum policy_kind {
    POLICY_GUEST,
    POLICY_UNIX,                /* a program of the host by a UNIX socket, in a guest's directory or for all guests; our own services */
    POLICY_VSOCK,               /* a program of the host by AF_VSOCK */
    POLICY_KINDS
};

/* ---- the value ---- */

/* Whom a word of a line means. */
enum policy_means {
    POLICY_ANY,                 /* @any: each guest */
    POLICY_NAMED,               /* a guest: NAME, uuid:UUID */
    POLICY_LISTED,              /* one of several: @group:NAME */
    POLICY_HOST,                /* @host: what is no guest */
    POLICY_SOCKETS,             /* @unix */
    POLICY_USER,                /* @unix/user:NAME */
    POLICY_USERS,               /* @unix/group:NAME */
    POLICY_KERNEL               /* @vsock */
};

struct policy_who {
    enum policy_means means;
    uint8_t kinds;              /* of ends that it can fit: a set of 1 << enum policy_kind */
    bool all;                   /* it fits all of these kinds */
    uint32_t id;                /* of USER, USERS */
    const char *names;          /* NAMED: it; LISTED: names, each ended by a NUL, the last by two */
};

struct policy_ports {
    uint32_t first, last;       /* both of them, too */
};

struct policy_line {
    const char *file, *text;    /* the text without blanks at its ends, and without a comment */
    uint32_t number;            /* in the file, from 1 */
    bool allows;
    struct policy_who from, to;
    const struct policy_ports *ports;
    size_t port_count;
};

struct policy {
    struct policy_line *lines;
    size_t count;
    bool asks_user, asks_groups;        /* a line asks for the user, or the groups, of a program of the host */
    /* Of those, in their order, the ones that can fit a connection from one kind of end to another: others cost it nothing. */
    struct {
        const struct policy_line *const *lines;
        size_t count;
        const struct policy_line *always;       /* the first of them, if it decides about all of these connections; else NULL */
    } from_to[POLICY_KINDS][POLICY_KINDS];
    struct policy_ports *ports;         /* what is pointed into, from here on */
    const struct policy_line **sorted;
    char *bytes;
};

/* Fills in what follows from who->means. */
void policy_means(struct policy_who *who);
/* Harmless with NULL. */
void policy_free(struct policy *p);

/* ---- the decision ---- */

/* Whose a program of the host is. */
struct policy_peer {
    uid_t user;                 /* (uid_t)-1: nobody's that has a name */
    const gid_t *groups;        /* the first one of the user and the others, in any order */
    size_t group_count;
};

/* One end of a connection. */
struct policy_end {
    enum policy_kind kind;
    const struct title *guest;          /* GUEST */
    const struct policy_peer *peer;     /* UNIX, as a source: NULL if it is not known, which fits no user and no group */
};

/* For policy_decide(). */
const struct policy_line *policy_search(const struct policy *p, const struct policy_end *from, const struct policy_end *to,
                                        uint32_t port);
/* The line that decides about a connection from one to the other at its port; NULL: none, and that is a no.
 * A name is that of the domain that has it now (titles.h).  But what a line denies to a name it denies to whoever is called so: a domain
 * that has lost its name to a newer one gains nothing by that. */
static inline const struct policy_line *policy_decide(const struct policy *p, const struct policy_end *from,
                                                      const struct policy_end *to, uint32_t port)
{
    const struct policy_line *always = p->from_to[from->kind][to->kind].always;

    return always ? always : policy_search(p, from, to, port);
}

static inline bool policy_allows(const struct policy_line *line)
{
    return line && line->allows;
}

#endif

/* SPDX-License-Identifier: MIT */
/* proto.h: what hosted Xen's clients and its daemon say to each other.
 *
 * One SOCK_SEQPACKET connection per library handle, strictly one request and
 * one reply.  Who is asking is never said: each domain has a socket of its own,
 *     <dir>/ctl/0, <dir>/ctl/1, ...      and, for the toolstack, <dir>/ctl/host
 * and the daemon knows which one was connected to.  The connection's end is the
 * handle's end, so a process killed in any way gives back all that it held.
 *
 * Only control goes this way: events and data never pass the daemon. */
#ifndef XENSIM_PROTO_H
#define XENSIM_PROTO_H

#include <stddef.h>
#include <stdint.h>

#define SIM_ENV_DIR   "XENSIM_DIR"
#define SIM_ENV_DOMID "XENSIM_DOMID"

#define SIM_PAGE      4096u
#define SIM_DOMID_MAX 0x7fefu          /* DOMID_FIRST_RESERVED - 1 */
#define SIM_NONE      UINT32_MAX       /* no notify offset, no notify port, no domid */
#define SIM_FDS_MAX   240              /* the kernel passes at most 253 at a time */
#define SIM_NAME_MAX  63
#define SIM_REFS_MAX  32768u           /* Xen's default: 64 frames of 512 entries */
#define SIM_RESERVED_REFS 8u           /* GNTTAB_NR_RESERVED_ENTRIES */

/* arg[] of the request -> arg[] of the reply; 'data' and descriptors where named. */
enum sim_op {
    SIM_EVTCHN_OPEN = 1,  /* fd pipe -> handle, fd port table */
    SIM_EVTCHN_ADOPT,     /* fd pipe of an older handle -> handle, fd port table,
                             data: struct sim_bound[] */
    SIM_ALLOC_UNBOUND,    /* domid -> port, slot */
    SIM_BIND_INTERDOMAIN, /* domid, port -> port, slot */
    SIM_BIND_VIRQ,        /* virq -> port, slot */
    SIM_UNBIND,           /* port */
    SIM_RESTRICT,         /* domid */
    SIM_PIPE,             /* handle -> fd pipe */
    SIM_QUEUE,            /* handle, port: for who has no descriptor for the pipe */
    SIM_SHARE,            /* domid, count, writable, offset, port, fixed ref or 0
                             -> share id, fd pages; data: struct sim_run[] */
    SIM_UNSHARE,          /* share id */
    SIM_MAP,              /* map id or 0, writable, offset, port; data: struct sim_run[]
                             -> map id, pages mapped; data: struct sim_seg[], fds */
    SIM_UNMAP,            /* map id */
    SIM_RESOLVE,          /* data: struct sim_run[] of one page each, count = wants write
                             -> data: struct sim_seg[] (pages = status), fds */
    SIM_CLOSE,            /* gives everything back now instead of at the end of file */
    SIM_DOMINFO,          /* first domid, most -> data: struct sim_dominfo[] */
    SIM_RUN,              /* this process belongs to the domain and dies with it */
    SIM_CREATE,           /* domid or SIM_NONE, grant limit or 0; data: name -> domid */
    SIM_DESTROY,          /* domid */
    SIM_RENAME,           /* domid; data: name */
    SIM_STOP,             /* keep logs */
};

#define SIM_DATA_MAX 16384u            /* 1024 references in no order fit */

struct sim_msg {
    uint32_t op;
    int32_t  err;        /* reply: 0 or -errno */
    uint32_t arg[6];
    uint32_t len;        /* bytes used of data */
    union {
        char     data[SIM_DATA_MAX];
        uint64_t align;
    };
};
#define SIM_HEADER offsetof(struct sim_msg, data)

/* Consecutive grant references of one domain. */
struct sim_run {
    uint32_t domid, ref, count;
};

/* Consecutive pages of descriptor 'fd' (an index into those that came along). */
struct sim_seg {
    int32_t  fd;
    uint32_t page;
    int32_t  pages;
};

/* A port that an adopted handle owns already. */
struct sim_bound {
    uint32_t port, slot;
};

enum sim_state { SIM_BUILDING, SIM_RUNNING, SIM_DYING };

struct sim_dominfo {
    uint32_t domid, state;
    uint32_t shared;     /* pages granted, with those revoked but still mapped by a peer */
    uint32_t revoked;    /* the latter alone */
    uint32_t mapped;     /* pages of other domains mapped */
    uint32_t ports;      /* event channels open */
    uint32_t handles;    /* library handles open */
    int32_t  pid;        /* the bridge's; the daemon's own for domain 0 */
    char     name[SIM_NAME_MAX + 1];
};

#endif

/* SPDX-License-Identifier: MIT */
/* vmux_impl.h: the members of the table, for the files of this folder.
 *
 *     vmux_check.c what must always be true
 *     vmux_rx.c    a packet arrives: who is meant, may it
 *     owed.c       packets without data leave: resets without a connection first, then connections in turn
 *     vmux_calls.c the connection's calls with the table in step, and vmux_settle(), where all of them end
 *     records.c    records from slabs
 *     deadlines.c  a binary heap
 *     ports.c      listeners, backlogs, ephemeral ports
 *     pairs.c      connections by their addresses
 *
 * A file calls those below it. */
#ifndef XVS_VMUX_IMPL_H
#define XVS_VMUX_IMPL_H

#include "vmux.h"

struct vmux_listener {
    struct hash_link port_link;
    struct list link;                   /* in vmux.listeners */
    struct list backlog;                /* of vmux_conn.accept_link, oldest first */
    uint32_t port;
    uint32_t limit;
    uint32_t waiting;                   /* the length of backlog; changed by backlog_push() and _remove() alone */
    uint16_t type;                      /* VSOCKIF_TYPE_* */
    void *user;
};

/* An RST that no connection owes. */
struct reset {
    struct vaddr local, peer;
    struct reason reason;
    uint16_t type;                      /* of the packet that it answers */
};

struct due {
    uint64_t at;                        /* ms, the connection's deadline */
    struct vmux_conn *conn;
};

struct vmux {
    struct vmux_config config;          /* conn_size rounded up */
    uint64_t local_cid, peer_cid;       /* 0: any */
    bool seqpacket;                     /* the peer has the feature */
    struct hash_seed seed;
    struct hash pairs;                  /* connections that are not CLOSED, or owe their last packet, by both addresses */
    struct list owed;                   /* connections that owe a packet, in turn */

    /* ports.c */
    struct hash ports;                  /* listeners */
    struct list listeners;
    uint32_t next_port;

    /* owed.c: a ring of config.max_resets */
    struct reset *resets;
    uint32_t first_reset, reset_count;

    /* deadlines.c: heap[1] is the earliest.  There is room for every record. */
    struct due *heap;
    uint32_t heap_count, heap_room;

    /* records.c */
    struct slab **slabs;
    uint32_t slab_count, slab_room;
    uint32_t record_count;              /* in all slabs */
    uint32_t count;                     /* in use */
    struct vmux_conn *free_records;
};

/* ---- vmux_calls.c ---- */
/* A record with its addresses, in the table; its vconn is zero.  NULL: no memory, or max_conns. */
struct vmux_conn *vmux_add(struct vmux *m, const struct vaddr *local, const struct vaddr *peer);
/* Brings the table in step with what happened to conn.c: its pair, its deadline, its place among those that owe,
 * its life.  True if the record is gone. */
bool vmux_settle(struct vmux *m, struct vmux_conn *conn);

/* ---- pairs.c ---- */
struct vmux_conn *pairs_find(const struct vmux *m, const struct vaddr *local, const struct vaddr *peer);
void pairs_insert(struct vmux *m, struct vmux_conn *conn);
/* Frees conn's pair of addresses, if it has it still. */
void pairs_remove(struct vmux *m, struct vmux_conn *conn);

/* ---- ports.c ---- */
struct vmux_listener *ports_find(const struct vmux *m, uint32_t port);
/* The next ephemeral port that is free towards peer, or VSOCKIF_PORT_ANY if there is none. */
uint32_t ports_pick(struct vmux *m, uint64_t local_cid, const struct vaddr *peer);
void backlog_push(struct vmux_listener *l, struct vmux_conn *conn);
void backlog_remove(struct vmux_conn *conn);
/* Frees a listener whose backlog is empty. */
void ports_unlisten(struct vmux *m, struct vmux_listener *l);
void ports_free(struct vmux *m);

/* ---- owed.c ---- */
/* Owes an RST to a packet of this type for which there is no connection; dropped when max_resets are held. */
void owed_reset(struct vmux *m, const struct vaddr *local, const struct vaddr *peer, unsigned type, struct reason reason);

/* ---- deadlines.c ---- */
/* 0 or -ENOMEM.  After this, deadlines_set() cannot fail. */
int  deadlines_reserve(struct vmux *m, uint32_t records);
/* Takes conn's deadline as it is now. */
void deadlines_set(struct vmux *m, struct vmux_conn *conn);

/* ---- records.c ---- */
struct vmux_conn *record_take(struct vmux *m);
void record_give(struct vmux *m, struct vmux_conn *conn);
/* Walks the records in use, from a zeroed walk; NULL at the end.  Slabs never move, so what is walked may be given back
 * on the way. */
struct record_walk {
    uint32_t slab, record;
};
struct vmux_conn *record_next(const struct vmux *m, struct record_walk *walk);
size_t record_memory(const struct vmux *m);
void record_free_all(struct vmux *m);

#endif

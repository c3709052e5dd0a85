/* SPDX-License-Identifier: MIT */
/* vmux.h: the connections of one device: who talks to whom, which ports are taken, what is owed, what is due.
 *
 * The table is pure as the connection is (vconn.h): headers in, headers out, 'now' from the caller, no I/O.
 * Both ends run it.  In a guest the local CID is the guest's and the peers are many; in dom0 the peer is
 * always the guest and the local CIDs are the host's and other guests'.
 *
 *     struct vmux_event ev;
 *     vmux_rx(&mux, &hdr, now, &ev);               a packet arrived (hdr is a private copy)
 *     while (there is a free slot && vmux_owed(&mux, &hdr)) send hdr
 *     vmux_next_deadline(), vmux_expire()
 *
 * Ownership: a struct vmux_conn comes from the table's own pool and is the first member of the
 * caller's record of conn_size bytes, zeroed when it is handed out.  It lives until it is CLOSED, owes nothing,
 * and its owner has called vmux_release(); until then the owner's pointer is good.  A connection that waits in a
 * listener's backlog belongs to the table.
 * All look-ups, and all of the above, take constant time (deadlines: logarithmic).  One table, one thread. */
#ifndef XVS_VMUX_H
#define XVS_VMUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "list.h"
#include "vconn.h"

struct vaddr {
    uint64_t cid;
    uint32_t port;
};

struct vmux_listener;

struct vmux_conn {
    struct vconn c;
    struct vaddr local, peer;
    struct hash_link pair_link;         /* in the table, until unlinked; in the pool, next of the free records */
    struct list owed_link;              /* in vmux.owed when c.owed != 0 */
    struct list accept_link;            /* in a listener's backlog */
    struct vmux_listener *listener;     /* whose backlog it is in, or NULL */
    uint32_t heap_index;                /* 1-based place among the deadlines, 0 when it has none */
    bool released;                      /* its owner has let go */
    bool unlinked;                      /* out of the table: CLOSED, and nothing owed or the pair is in use again */
    bool in_use;                        /* false while in the pool */
};

struct vmux_config {
    size_t   conn_size;         /* bytes of the caller's record, struct vmux_conn first */
    uint32_t max_conns;         /* REQUEST beyond it is refused, vmux_connect gives -ENOBUFS */
    uint32_t buf_alloc;         /* bytes promised to each new passive connection */
    uint32_t tx_cap;            /* bytes in flight at most, for each connection */
    uint32_t first_port;        /* ephemeral ports are handed out from here… */
    uint32_t last_port;         /* …up to here, round robin; 0: up to the last port there is */
    uint32_t start_port;        /* the first one; 0: first_port */
    uint32_t max_resets;        /* RSTs without a connection held at most (vsockif.h, section 9) */
    bool     offer;             /* no listeners: each REQUEST is offered to the caller */
    /* Told of each record before it returns to the pool, may be NULL: the place to free what the record holds. */
    void   (*dispose)(struct vmux_conn *conn, void *arg);
    void    *dispose_arg;
};

enum vmux_kind {
    VMUX_NOTHING,               /* absorbed: nothing for the caller to do, but vmux_owed() may have grown */
    VMUX_CONN,                  /* ev.conn, ev.now: VCONN_NOW_* */
    VMUX_INCOMING,              /* ev.listener has one more connection to accept */
    VMUX_OFFER,                 /* ev.conn is OFFERED: vmux_answer() or vmux_abort() it, now or later */
    VMUX_VIOLATION              /* close the device; ev.why, and the header that the caller has */
};

struct vmux_event {
    enum vmux_kind kind;
    unsigned now;
    struct vmux_conn *conn;
    struct vmux_listener *listener;
    const char *why;
    struct reason refused;      /* with VMUX_NOTHING: a REQUEST, by the table itself; code 0 for none */
};

struct vmux;        /* its members are in vmux_impl.h, for the files of this folder */

/* 0, -ENOMEM, -EINVAL (conn_size, max_conns, tx_cap or the ports make no sense).  max_resets 0 is VSOCKIF_MAX_RESETS. */
int  vmux_new(const struct vmux_config *config, struct vmux **out);
/* Frees all records, owned or not, and all listeners.  NULL is legal. */
void vmux_free(struct vmux *m);

/* The peer has the feature: packets of type SEQPACKET are legal from now on.  Without it they are violations. */
void vmux_allow_seqpacket(struct vmux *m, bool allow);
bool vmux_has_seqpacket(const struct vmux *m);
/* Which addresses packets must carry, 0 for any: a frontend knows its own CID, dom0 that of its guest.  Until it
 * is called, any.  A packet with another one, or with VSOCKIF_CID_LOCAL, is a violation. */
void vmux_set_cids(struct vmux *m, uint64_t local_cid, uint64_t peer_cid);

/* Port VSOCKIF_PORT_ANY takes a free one.  backlog: connections established and not yet accepted, at least 1.
 * 0, -EADDRINUSE, -EADDRNOTAVAIL, -ENOMEM. */
int  vmux_listen(struct vmux *m, uint32_t port, uint32_t backlog, void *user, struct vmux_listener **out);
/* Frees the listener and resets what waits in its backlog (dispose() is told of those). */
void vmux_unlisten(struct vmux *m, struct vmux_listener *l);
uint32_t vmux_listener_port(const struct vmux_listener *l);
uint32_t vmux_listener_waiting(const struct vmux_listener *l);
void *vmux_listener_user(const struct vmux_listener *l);
/* A listener is for streams until this says VSOCKIF_TYPE_SEQPACKET; a REQUEST of the other type is refused. */
void vmux_listener_set_type(struct vmux_listener *l, unsigned type);
/* The oldest connection of the backlog, now the caller's; NULL if there is none.  It may already hold data, an
 * end of stream, or be CLOSED: one that was reset while it waited keeps its place, as in Linux, because the client may have
 * sent all it had to say; and so that the backlog bounds what a peer can make us hold. */
struct vmux_conn *vmux_accept(struct vmux *m, struct vmux_listener *l);

/* local.port VSOCKIF_PORT_ANY takes an ephemeral one.  0, -EADDRINUSE (the pair is in use), -EADDRNOTAVAIL,
 * -ENOBUFS (max_conns), -ENOMEM.  For messages and not a stream, call vconn_set_type() before anything leaves, where
 * vmux_has_seqpacket(). */
int  vmux_connect(struct vmux *m, struct vaddr local, struct vaddr peer, uint32_t buf_alloc, uint32_t timeout_ms,
                  uint64_t now, struct vmux_conn **out);
void vmux_answer(struct vmux *m, struct vmux_conn *conn);

/* Judges and takes one packet that came from the peer device.  Events of a connection in a backlog (conn->listener
 * is set) are reported too: its data is to be queued in the record.  Those of a released one are not: its data is to be
 * dropped. */
void vmux_rx(struct vmux *m, const struct vsockif_hdr *hdr, uint64_t now, struct vmux_event *ev);
/* The same for a packet that this table has itself addressed to VSOCKIF_CID_LOCAL: both ends are in it, and there is
 * nothing to judge. */
void vmux_loop(struct vmux *m, const struct vsockif_hdr *hdr, uint64_t now, struct vmux_event *ev);
/* The packet that one of the two has just taken gave a reason: it counts if that was the RST of ev's connection.  Any two numbers. */
static inline void vmux_heard(const struct vmux_event *ev, const struct vsockif_hdr *hdr, struct reason reason)
{
    if (hdr->op == VSOCKIF_OP_RST && ev->conn)
        vconn_heard(&ev->conn->c, reason);
}
/* NULL if op, type, len and flags of a header keep to the table in section 7; else which rule it breaks. */
const char *vsockif_check(const struct vsockif_hdr *hdr);

/* The connection's calls (vconn.h), with the table kept in step; vconn_end_message() needs none. */
void vmux_send(struct vmux *m, struct vmux_conn *conn, uint32_t len, struct vsockif_hdr *hdr);
void vmux_want_room(struct vmux *m, struct vmux_conn *conn);
void vmux_consumed(struct vmux *m, struct vmux_conn *conn, uint32_t len);
void vmux_set_buf_alloc(struct vmux *m, struct vmux_conn *conn, uint32_t buf_alloc);
void vmux_shutdown(struct vmux *m, struct vmux_conn *conn, unsigned flags, uint64_t now);
void vmux_close(struct vmux *m, struct vmux_conn *conn, uint64_t now);
void vmux_abort(struct vmux *m, struct vmux_conn *conn, int error, struct reason reason);
/* The owner will not use the pointer again.  A connection that is not closed is closed first. */
void vmux_release(struct vmux *m, struct vmux_conn *conn, uint64_t now);

/* Takes the next packet without data that anyone owes, addresses filled in; false if there is none.  Connections
 * take turns, one packet each. */
bool vmux_owed(struct vmux *m, struct vsockif_hdr *hdr);
/* The same, and says more of it. */
struct vmux_sender {
    /* Whose it was; NULL for none that its owner still holds.  With VSOCKIF_OP_RESPONSE that connection has room from now on, and no
     * other event says so: a sender that found none must look again. */
    struct vmux_conn *conn;
    struct reason reason;       /* of an RST */
    bool bare;                  /* …which answers a packet that no connection has come of */
};
bool vmux_owed_by(struct vmux *m, struct vsockif_hdr *hdr, struct vmux_sender *by);
bool vmux_has_owed(const struct vmux *m);
/* True while vmux_rx() must not be called, because max_resets are held. */
bool vmux_is_choked(const struct vmux *m);

/* The earliest deadline in ms, or VCONN_NO_DEADLINE. */
uint64_t vmux_next_deadline(const struct vmux *m);
/* Expires one connection that is due; false if none is.  Call until false. */
bool vmux_expire(struct vmux *m, uint64_t now, struct vmux_event *ev);

/* The transport is gone (TRANSPORT_RESET): every connection is CLOSED with ECONNRESET, nothing is owed, listeners
 * stay, backlogs are emptied.  each() (may be NULL) is then told of every connection that has an owner and was not
 * CLOSED before; it may release, connect and listen. */
void vmux_transport_reset(struct vmux *m, void (*each)(struct vmux_conn *conn, void *arg), void *arg);

/* Records in use, CLOSED ones that have not been released included; max_conns bounds it. */
uint32_t vmux_count(const struct vmux *m);
/* each() may release what it is told of. */
void vmux_each(struct vmux *m, void (*each)(struct vmux_conn *conn, void *arg), void *arg);
/* Bytes of memory held by the table, pools included. */
size_t vmux_memory(const struct vmux *m);
/* NULL, or a sentence that says what is not as it must be; walks everything.  For tests and fuzzers. */
const char *vmux_invariant(struct vmux *m);

#endif

/* SPDX-License-Identifier: MIT */
/* host.h: xensimd's objects.
 *
 * One thread, one epoll set, nothing blocks: xenstored is our child and our client
 * at once, so the daemon must never wait for it.
 *
 *     struct host     the simulated machine: directory, children, port table
 *     struct domain   a domid; alive as long as its bridge process
 *     struct conn     one library handle; owns ports, shares and maps
 *     struct share    pages granted by one call; outlives its owner while mapped
 *     struct map      pages of shares mapped by one call
 *     struct port     an event channel's end
 * Ownership: host > domain > conn > port, share, map.  A share without a conn is
 * revoked and goes with its last map. */
#ifndef XENSIM_HOST_H
#define XENSIM_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "client.h"
#include "port.h"
#include "proto.h"

/* What epoll reports: embedded first in whatever waits. */
struct source {
    int fd;
    void (*ready)(struct source *src);
};

/* What to do when pages go: clear a byte, then kick the peer of one's own port. */
struct notify {
    uint32_t offset, port;             /* SIM_NONE: not */
};

struct port {
    enum { PORT_FREE, PORT_UNBOUND, PORT_INTERDOMAIN, PORT_VIRQ } kind;
    uint32_t slot;
    struct conn *owner;                /* NULL: its handle is gone, a notify holds it */
    uint32_t refs;                     /* notifies that name it */
    uint32_t remote_domid, remote_port, virq;
};

struct share {
    LIST_ENTRY(share) link;            /* of its domain's */
    struct domain *dom;
    struct conn *conn;                 /* NULL: revoked */
    uint32_t id, grantee, count, mapped;
    bool writable, charged;
    int fd;
    struct notify notify;
    uint32_t *refs;
};

struct map {
    LIST_ENTRY(map) link;              /* of its handle's */
    uint32_t id, pages, parts;
    struct part {
        struct share *share;
        uint32_t page, count;
    } *part;
    struct notify notify;
};

struct conn {
    struct source src;
    LIST_ENTRY(conn) link;
    struct domain *dom;                /* NULL: the toolstack */
    uint32_t handle;                   /* event channel handle, or 0 */
    int pipe;
    uint32_t only;                     /* restricted to this domid, or SIM_NONE */
    bool dead;
    LIST_HEAD(, map) maps;
};

/* A process that dies with its domain. */
struct guest_process {
    struct source src;                 /* its pidfd */
    LIST_ENTRY(guest_process) link;
};

struct domain {
    struct source src;                 /* listens on ctl/N */
    struct source ready;               /* the bridge's word that the domain is up */
    LIST_ENTRY(domain) link;
    uint32_t domid;
    enum sim_state state;
    char name[SIM_NAME_MAX + 1];
    pid_t bridge, bury;
    struct conn *waiter;               /* who asked to create or to destroy it */
    uint32_t waiting_for;              /* with which operation */
    uint32_t next_ref;                 /* where the search for free references begins */
    uint32_t grant_limit, charged, mapped, max_ports, open_ports;
    LIST_HEAD(, share) shares;
    LIST_HEAD(, guest_process) processes;
    struct port ports[PORT_MAX];
    struct grant {
        struct share *share;
        uint32_t page;
    } grants[SIM_REFS_MAX];
};

struct host {
    char dir[92];                      /* absolute, and short enough for sockets below it */
    char bin[4096];                    /* where xensim-xenbus is */
    char xenstored[4096];
    int epoll, lock, report;           /* report: whoever started us waits for a line */
    struct source listener, signals;
    struct source starter;             /* pidfd of the process to end with, if asked */
    int table_fd;
    struct port_slot *table;
    uint32_t next_slot, next_handle, next_id, next_domid;
    uint32_t grant_limit;
    uint32_t late_byte_ms;             /* older kernels: the event first, then the byte */
    pid_t xenstored_pid, init_pid;
    bool scatter;                      /* grant references come in no order */
    bool stopping, keep_logs, made_dir;
    struct conn *stopper;
    /* What clients ask, and that one has gone; the descriptors are the callee's. */
    void (*request)(struct conn *conn, struct sim_msg *msg, int *fds, int nfds);
    void (*hang_up)(struct conn *conn);
    LIST_HEAD(, domain) domains;
    LIST_HEAD(, conn) conns;
};

extern struct host host;

/* hostconn.c */
int source_add(struct source *src, int fd, void (*ready)(struct source *src));
void source_drop(struct source *src);
void conn_reply(struct conn *conn, struct sim_msg *msg, int err, const int *fds, int nfds);
void conn_accept(struct source *listener, struct domain *dom);
void conn_drop(struct conn *conn);
void conn_bury(void);
int listen_at(const char *name);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* domains.c */
struct domain *domain_find(uint32_t domid);
struct domain *domain_named(const char *name);
int domain_new(uint32_t domid, const char *name, struct domain **out);
int domain_info(struct sim_msg *msg);

/* domain.c */
int domain_create(struct conn *conn, struct sim_msg *msg);
int domain_destroy(struct conn *conn, struct sim_msg *msg);
int domain_rename(struct sim_msg *msg);
void domain_crash(struct domain *dom);
void domain_child_gone(pid_t pid);
void domain_reap(void);
int domain_adopt_process(struct conn *conn);
void domain_kill_processes(struct domain *dom);

/* hostport.c */
int ports_init(void);
int port_open(struct conn *conn, struct sim_msg *msg, int *fds, int *nfds);
int port_adopt(struct conn *conn, struct sim_msg *msg, int *fds, int *nfds);
int port_alloc_unbound(struct conn *conn, struct sim_msg *msg);
int port_bind_interdomain(struct conn *conn, struct sim_msg *msg);
int port_bind_virq(struct conn *conn, struct sim_msg *msg);
int port_unbind(struct conn *conn, struct sim_msg *msg);
int port_pipe(struct sim_msg *msg, int *fds, int *nfds);
int port_queue(const struct sim_msg *msg);
int port_hold(struct domain *dom, uint32_t port);
void port_unhold(struct domain *dom, uint32_t port);
void port_kick_peer(struct domain *dom, uint32_t port);
void port_virq(uint32_t virq);
void ports_close(struct conn *conn);
void ports_destroy(struct domain *dom);

/* hostgrant.c */
int grant_share(struct conn *conn, struct sim_msg *msg, int *fds, int *nfds);
int grant_unshare(struct conn *conn, struct sim_msg *msg);
int grant_map(struct conn *conn, struct sim_msg *msg, int *fds, int *nfds);
int grant_unmap(struct conn *conn, struct sim_msg *msg);
int grant_resolve(struct conn *conn, struct sim_msg *msg, int *fds, int *nfds);
void grants_release(struct conn *conn, bool crashed);

/* hostdir.c */
int dir_lock(void);
int dir_make(void);
int dir_files(uint32_t dom0_port);
void dir_run(uint32_t domid, bool make);
void dir_clean(bool keep_logs);

/* spawn.c */
pid_t spawn(char *const argv[], uint32_t domid, const char *log, int ready_fd);

#endif

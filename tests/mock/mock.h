/* SPDX-License-Identifier: MIT */
/* mock.h: a Xen host within one process, behind the ABI of Xen's own libraries.
 *
 * A test is linked with these files in place of libxenstore, libxengnttab and libxenevtchn, and with the daemon's or the
 * library's objects as they are.  It plays everybody else: the toolstack, guests, xenstored, the hypervisor.
 *
 *     store.c      libxenstore: a tree, transactions, watches; xenstored may be away
 *     grants.c     libxengnttab: each group of pages that is mapped is a heap object of its own, so that the address
 *                  sanitizer sees what is used after it was unmapped, and what lies beside it
 *     events.c     libxenevtchn: ports, with a real descriptor for epoll
 *     clock.c      CLOCK_MONOTONIC stands still unless the test lets time pass
 *     calls.c      the product's system calls, in whose objects they have another name (rules.mk); memory.c its allocations
 *     process.c    a program's main() as a function, that gives way when it would sleep
 *     front.c      a guest by hand          back.c       a backend by hand       conn.c      one stream of theirs, judged
 *     host.c       a host program           world.c      what is around the daemon
 *
 * Each of the product's calls of Xen's libraries and of the system begins with mock_on_call(), if there is one: a test
 * may change the world at that moment, or let the call fail.  The test's own calls are not asked about.
 * What the product has opened and not closed is counted: mock_left_over().  One thread. */
#ifndef MOCK_H
#define MOCK_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- calls ---- */

/* "request" is one of xenstored, "hypercall" of the grant table's or the event channels' driver. */
#define MOCK_CALLS(X)                                                                                                  \
    X(malloc) X(calloc) X(realloc) X(reallocarray) X(strdup)                                                           \
    X(xs_open) X(xs_request) X(xs_transaction_end)                                                                     \
    X(xengnttab_open) X(xengnttab_map) X(xengntshr_open) X(xengntshr_share)                                            \
    X(xenevtchn_open) X(xenevtchn_fdopen) X(xenevtchn_bind) X(xenevtchn_pending) X(xenevtchn_notify)                                       \
    X(socket) X(bind) X(listen) X(accept4) X(connect) X(shutdown) X(setsockopt) X(getsockopt) X(getpeername)           \
    X(send) X(sendto) X(sendmsg) X(recv) X(recvfrom) X(recvmsg) X(read) X(pread) X(readv) X(write) X(writev)           \
    X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(eventfd) X(timerfd_create) X(timerfd_settime) X(poll)                \
    X(open) X(openat) X(mkdir) X(mkdirat) X(unlink) X(unlinkat) X(symlinkat) X(readlinkat) X(linkat) X(renameat)       \
    X(readlink) X(renameat2) X(getxattr) X(setxattr) X(removexattr) X(pwrite) X(chmod)                                 \
    X(fchmod) X(fchmodat) X(fchown) X(fchownat) X(fstat) X(fstatat) X(ftruncate) X(flock) X(fcntl) X(ioctl)            \
    X(fopen) X(opendir) X(fdopendir) X(dup) X(pipe2) X(socketpair) X(getrlimit) X(setrlimit) X(fork) X(uv_queue_work)

enum mock_call {
#define X(name) MOCK_##name,
    MOCK_CALLS(X)
#undef X
    MOCK_CALL_COUNT
};
const char *mock_call_name(enum mock_call call);

/* Asked before each call of the product's: 0 to let it be, or an errno to let it fail with.  NULL: nobody is asked. */
extern int (*mock_on_call)(enum mock_call call);
/* The product's code is running, and not the test's. */
extern bool mock_in_product;

/* For the files of this folder: MOCK_ENTER(call, what to return when it fails) opens every function that the product
 * calls; until that returns, the test's side is running. */
struct mock_scope { bool was; int err; };
struct mock_scope mock_begin(enum mock_call call);
void mock_end(struct mock_scope *scope);
#define MOCK_ENTER(call, failed)                                                                                       \
    __attribute__((cleanup(mock_end))) struct mock_scope mock_scope = mock_begin(MOCK_##call);                         \
    if (mock_scope.err) {                                                                                              \
        errno = mock_scope.err;                                                                                        \
        return failed;                                                                                                 \
    }
/* The same for a call that cannot fail. */
#define MOCK_INSIDE()                                                                                                  \
    __attribute__((cleanup(mock_end), unused)) struct mock_scope mock_scope = { mock_in_product, 0 };                  \
    mock_in_product = false

/* What the test is doing, for the sentence of a failure; "" at first. */
extern char mock_doing[200];
/* A broken rule of the test's, with a sentence; it does not return. */
#define MOCK_MUST(holds, ...) do { if (!(holds)) mock_fatal(__FILE__, __LINE__, __VA_ARGS__); } while (0)
__attribute__((format(printf, 3, 4), noreturn))
void mock_fatal(const char *file, int line, const char *format, ...);

/* ---- the host ---- */

/* The domain that opens what is opened from now on; 0 at first. */
extern uint32_t mock_self;
/* Forgets everything that there is.  Nothing of the product may be running or open. */
void mock_reset(void);
/* "" if the product has closed all that it opened of the host's, else a sentence that says what is left. */
const char *mock_left_over(void);

/* Does what the product's other threads have to do, before it sleeps: true if there was anything.  NULL: it has none. */
extern bool (*mock_threads)(void);
extern bool mock_threads_stand;         /* …and does not, for now */

/* ---- vhost-vsock ---- */

/* The host has it, and another virtual machine has this CID (0: none). */
void mock_vhost(bool there, uint64_t taken);
void mock_vhost_reset(void);
/* Somebody has a device of that CID open. */
bool mock_vhost_has(uint64_t cid);
int  mock_vhost_open(void);
int  mock_vhost_ioctl(int fd, unsigned long what, void *argument);

/* ---- time ---- */

extern uint64_t mock_now_ns;            /* CLOCK_MONOTONIC and its like, while mock_clock is set */
extern bool mock_clock;

/* ---- xenstore, as dom0 sees it ---- */

void mock_store_write(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mock_store_write_bytes(const char *path, const void *bytes, size_t len);
/* With all below. */
void mock_store_remove(const char *path);
/* The value, ended by a NUL, or NULL; until the next change. */
const char *mock_store_read(const char *path);
/* A number, or 0. */
uint32_t mock_store_number(const char *dir, const char *leaf);
/* The node "state", or "none". */
const char *mock_store_state(const char *dir);
/* Fires the special watches: "@introduceDomain", "@releaseDomain". */
void mock_store_fire(const char *special);
/* The next node whose path begins with prefix, after 'after' (NULL: the first), in no order. */
const char *mock_store_next(const char *prefix, const char *after);
/* A transaction is open: what is written from outside would only be seen after its end. */
bool mock_store_in_transaction(void);
/* The transaction that is open, or the next one, conflicts. */
void mock_store_conflict(void);
/* Every connection breaks; a new one is refused as long as xenstored is away. */
void mock_store_lose(bool away);
bool mock_store_is_away(void);
unsigned mock_store_events(void);       /* queued for the product and not read yet */

/* ---- a domain's memory and ports ---- */

/* Where the page is now: this changes with each mapping.  The page is made, zeroed, when it is first asked for. */
uint8_t *mock_page(uint32_t domid, uint32_t page);
void mock_page_clear(uint32_t domid, uint32_t page);
void mock_grant(uint32_t domid, uint32_t ref, uint32_t page, bool writable);
/* Nobody can map it any more; who has mapped it keeps it. */
void mock_revoke(uint32_t domid, uint32_t ref);
unsigned mock_mappings(uint32_t domid); /* groups of its pages that are mapped now */
/* The page behind a reference, whoever made it: for a test that is the backend.  UINT32_MAX. */
uint32_t mock_page_of(uint32_t domid, uint32_t ref);

uint32_t mock_port_new(uint32_t domid, uint32_t remote);
void mock_port_close(uint32_t domid, uint32_t port);
/* For a test that is the backend: a port of 'domid' bound to one that remote has left unbound for it; 0 if it cannot. */
uint32_t mock_port_bind(uint32_t domid, uint32_t remote, uint32_t remote_port);
void mock_port_send(uint32_t domid, uint32_t port);
/* True if it was notified since the last call. */
bool mock_port_take(uint32_t domid, uint32_t port);

/* ---- between the files of this folder ---- */

void mock_store_reset(void), mock_grants_reset(void), mock_events_reset(void);
const char *mock_store_left_over(void);
const char *mock_grants_left_over(void);
const char *mock_events_left_over(void);

#endif

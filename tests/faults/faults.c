/* SPDX-License-Identifier: MIT */
/* faults.c: see faults.h.  The table says which errno values each call can have where the daemon makes it: on sockets of
 * its own that do not block, on a run directory that may be full or read-only, and so on.  EAGAIN is left out where the kernel says
 * it only of what is empty, and EINTR where the call does not sleep. */
#include "faults.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mock.h"

#define LOST 1000               /* in place of an errno: the connection to xenstored breaks */
#define WAYS 6

struct failing {
    enum faults_kind kind;
    int ways[WAYS];
};

static const struct failing memory = { FAULTS_MEMORY, { ENOMEM } };

#define CALL(...) { FAULTS_CALL, { __VA_ARGS__ } }
#define XEN(...)  { FAULTS_XEN, { __VA_ARGS__ } }

static const struct failing table[MOCK_CALL_COUNT] = {
    [MOCK_xs_open] = XEN(ECONNREFUSED, ENOENT, EMFILE, ENOMEM),
    [MOCK_xs_request] = XEN(EIO),
    [MOCK_xs_transaction_end] = XEN(EAGAIN, EIO),
    [MOCK_xengnttab_open] = XEN(ENOENT, EMFILE, ENFILE, ENOMEM),
    [MOCK_xengnttab_map] = XEN(EINVAL, ENOMEM, ENOSPC, EAGAIN),
    [MOCK_xenevtchn_open] = XEN(ENOENT, EMFILE, ENFILE, ENOMEM),
    [MOCK_xenevtchn_fdopen] = XEN(ENOENT, ENOMEM),
    [MOCK_xenevtchn_bind] = XEN(EINVAL, ENOSPC, ENOMEM),
    [MOCK_xenevtchn_pending] = XEN(EIO),
    [MOCK_socket] = CALL(EMFILE, ENFILE, ENOMEM, ENOBUFS),
    [MOCK_bind] = CALL(EACCES, ENOSPC, ENOMEM),
    [MOCK_listen] = CALL(ENOMEM),
    [MOCK_accept4] = CALL(EMFILE, ENFILE, ENOMEM, ECONNABORTED, EINTR),
    [MOCK_connect] = CALL(EAGAIN, ECONNREFUSED, EACCES, EINTR, ENOMEM),
    [MOCK_shutdown] = CALL(ENOTCONN),
    [MOCK_setsockopt] = CALL(ENOMEM),
    [MOCK_getsockopt] = CALL(ENOBUFS),
    [MOCK_send] = CALL(EAGAIN, EINTR, EPIPE, ENOBUFS, ENOMEM),
    [MOCK_sendto] = CALL(EAGAIN, EINTR, ENOBUFS),
    [MOCK_sendmsg] = CALL(EAGAIN, EINTR, EPIPE, ENOBUFS, ENOMEM),
    [MOCK_pread] = CALL(EIO),
    [MOCK_write] = CALL(EINTR, ENOSPC, EIO),
    [MOCK_writev] = CALL(EINTR, ENOSPC, EIO),
    [MOCK_epoll_create1] = CALL(EMFILE, ENFILE, ENOMEM),
    [MOCK_epoll_ctl] = CALL(ENOMEM, ENOSPC),
    [MOCK_epoll_wait] = CALL(EINTR),
    [MOCK_eventfd] = CALL(EMFILE, ENOMEM),
    [MOCK_timerfd_create] = CALL(EMFILE, ENOMEM),
    [MOCK_open] = CALL(EMFILE, ENFILE, EACCES, ENOSPC),
    [MOCK_openat] = CALL(EMFILE, ENFILE, EACCES, ENOSPC),
    [MOCK_mkdir] = CALL(ENOSPC, EACCES),
    [MOCK_mkdirat] = CALL(ENOSPC, EACCES),
    [MOCK_unlink] = CALL(EACCES, EROFS),
    [MOCK_unlinkat] = CALL(EACCES, EROFS),
    [MOCK_symlinkat] = CALL(ENOSPC, EROFS),
    [MOCK_readlinkat] = CALL(EIO),
    [MOCK_linkat] = CALL(ENOSPC, EROFS),
    [MOCK_renameat] = CALL(ENOSPC, EROFS),
    [MOCK_renameat2] = CALL(ENOSPC, EINVAL),
    [MOCK_readlink] = CALL(EACCES),
    [MOCK_getxattr] = CALL(EIO, EOPNOTSUPP),
    [MOCK_setxattr] = CALL(ENOSPC, EOPNOTSUPP),
    [MOCK_removexattr] = CALL(EROFS),
    [MOCK_pwrite] = CALL(ENOSPC, EIO),
    [MOCK_chmod] = CALL(EPERM, EROFS),
    [MOCK_fchmod] = CALL(EPERM, EROFS),
    [MOCK_fchmodat] = CALL(EPERM, EROFS),
    [MOCK_fchown] = CALL(EPERM, EROFS),
    [MOCK_fchownat] = CALL(EPERM, EROFS),
    [MOCK_fstat] = CALL(EIO),
    [MOCK_fstatat] = CALL(EACCES, EIO),
    [MOCK_ftruncate] = CALL(EIO),
    [MOCK_flock] = CALL(ENOLCK),
    [MOCK_fcntl] = CALL(ENOMEM),
    [MOCK_ioctl] = CALL(ENOTTY),
    [MOCK_fopen] = CALL(EMFILE, ENOMEM),
    [MOCK_opendir] = CALL(EMFILE, ENOMEM),
    [MOCK_fdopendir] = CALL(ENOMEM),
    [MOCK_dup] = CALL(EMFILE),
    [MOCK_pipe2] = CALL(EMFILE),
    [MOCK_socketpair] = CALL(EMFILE),
    [MOCK_fork] = CALL(EAGAIN, ENOMEM),
    [MOCK_uv_queue_work] = CALL(ENOMEM),
    [MOCK_getrlimit] = CALL(EPERM),
    [MOCK_setrlimit] = CALL(EPERM),
};

const char *faults_scene = "";

/* What a scene frees stays poisoned for longer than the scene; more (it is 256 MiB) would only be memory that is never warm. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=16";
}

static enum faults_kind kind;
static bool lasting, armed, met;
static unsigned nth, seen, way;
unsigned faults_failures;

static bool is_allocation(enum mock_call call)
{
    return call <= MOCK_strdup;
}

static bool has_way(const struct failing *f, int err)
{
    for (int i = 0; i < WAYS; i++)
        if (f->ways[i] == err)
            return true;
    return false;
}

/* The errno that a call of this kind fails with in the given way; 0: it does not. */
static int failure_of(enum mock_call call, unsigned which)
{
    const struct failing *f = is_allocation(call) ? &memory : &table[call];

    switch (kind) {
    case FAULTS_LOST:
        return which == 0 && (call == MOCK_xs_request || call == MOCK_xs_transaction_end) ? LOST : 0;
    case FAULTS_FILES:
        return which == 0 && !is_allocation(call) && has_way(f, EMFILE) ? EMFILE : 0;
    case FAULTS_DISK:
        if (which || f->kind != FAULTS_CALL || call == MOCK_epoll_ctl)
            return 0;
        return has_way(f, ENOSPC) ? ENOSPC : has_way(f, EROFS) ? EROFS : 0;
    default:
        return f->kind == kind && which < WAYS ? f->ways[which] : 0;
    }
}

static int fail(enum mock_call call, int err)
{
    if (!met)
        snprintf(mock_doing, sizeof mock_doing, "%s: call %u, %s, fails with %s%s", faults_scene, nth, mock_call_name(call),
                 err == LOST ? "a lost connection" : strerrorname_np(err), lasting ? ", and all later ones" : "");
    met = true;
    if (err != LOST)
        return err;
    mock_store_lose(lasting);
    return EINVAL;
}

static int on_call(enum mock_call call)
{
    int err;

    if (!armed || !failure_of(call, 0))
        return 0;
    if (met)
        return lasting && (err = failure_of(call, way)) ? fail(call, err) : 0;
    if (++seen < nth)
        return 0;
    err = failure_of(call, way);
    return err ? fail(call, err) : 0;
}

void faults_begin(void)
{
    seen = 0;
    met = false;
    armed = true;
}

void faults_end(void)
{
    armed = false;
    if (mock_store_is_away())
        mock_store_lose(false);
}

bool faults_met(void)
{
    return met;
}

void *__wrap_malloc(size_t size);       /* memory.c */

/* The scene in a process of its own: a failure is printed, and the others are played all the same. */
static void play_apart(void (*scene)(void))
{
    int status;
    pid_t pid;

    fflush(stdout);
    if (!(pid = fork())) {
        scene();
        _exit(met ? 0 : 1);
    }
    MOCK_MUST(pid > 0 && waitpid(pid, &status, 0) == pid, "cannot fork");
    met = !WIFEXITED(status) || WEXITSTATUS(status) != 1;
    faults_failures += !WIFEXITED(status) || WEXITSTATUS(status) > 1;
}

unsigned faults_each(enum faults_kind which, bool for_long, void (*scene)(void))
{
    unsigned count = 0;

    kind = which;
    lasting = for_long;
    mock_on_call = on_call;
    json_set_alloc_funcs(__wrap_malloc, free);
    for (nth = 1; ; nth++) {
        for (way = 0; ; way++) {
            snprintf(mock_doing, sizeof mock_doing, "%s: without a fault", faults_scene);
            if (getenv("XVS_SURVEY"))
                play_apart(scene);
            else
                scene();
            if (!met)
                break;
            count++;
        }
        if (way == 0)
            break;              /* there are fewer than that */
    }
    mock_on_call = NULL;
    json_set_alloc_funcs(malloc, free);
    *mock_doing = '\0';
    return count;
}

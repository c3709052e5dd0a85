/* SPDX-License-Identifier: MIT */
/* xensimd.c: the daemon of one hosted Xen: its main loop, its connections, its
 * beginning and its end.  What the requests mean is in hostport.c (event channels),
 * hostgrant.c (grants) and domain.c.
 *
 * Started by 'xensim start' with descriptor 3 to report on: one line, "ok" or why not. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

static void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void report(const char *format, ...)
{
    va_list al;

    if (host.report < 0)
        return;
    va_start(al, format);
    vdprintf(host.report, format, al);
    va_end(al);
    close(host.report);
    host.report = -1;
}

/* ---- requests ---- */

/* Gives back what the handle holds: bytes and events first, its ports last. */
static void conn_release(struct conn *conn)
{
    if (conn->dom && conn->dom->state != SIM_DYING) {
        grants_release(conn, false);
        ports_close(conn);
    }
}

static int dispatch(struct conn *conn, struct sim_msg *msg, int *fds, int *nfds, bool *lent)
{
    int sent = *nfds, err;

    /* Everything but opening a handle comes without descriptors. */
    if (msg->op != SIM_EVTCHN_OPEN && msg->op != SIM_EVTCHN_ADOPT)
        while (*nfds > 0)
            close(fds[--*nfds]);
    if (!conn->dom)
        switch (msg->op) {
        case SIM_CREATE:  return domain_create(conn, msg);
        case SIM_DESTROY: return domain_destroy(conn, msg);
        case SIM_RENAME:  return domain_rename(msg);
        case SIM_DOMINFO: return domain_info(msg);
        case SIM_STOP:
            host.stopping = true;
            host.stopper = conn;
            host.keep_logs = msg->arg[0];
            return -EINPROGRESS;
        default:          return -EOPNOTSUPP;
        }
    switch (msg->op) {
    case SIM_EVTCHN_OPEN:
    case SIM_EVTCHN_ADOPT:
        err = msg->op == SIM_EVTCHN_OPEN ? port_open(conn, msg, fds, nfds)
                                         : port_adopt(conn, msg, fds, nfds);
        if (err && sent && *nfds)
            close(fds[0]);
        return err;
    case SIM_ALLOC_UNBOUND:    return port_alloc_unbound(conn, msg);
    case SIM_BIND_INTERDOMAIN: return port_bind_interdomain(conn, msg);
    case SIM_BIND_VIRQ:        return port_bind_virq(conn, msg);
    case SIM_UNBIND:           return port_unbind(conn, msg);
    case SIM_PIPE:             return port_pipe(msg, fds, nfds);
    case SIM_QUEUE:            return port_queue(msg);
    case SIM_RESTRICT:
        if (conn->only != SIM_NONE)
            return -EACCES;
        conn->only = msg->arg[0];
        return 0;
    case SIM_SHARE:            return grant_share(conn, msg, fds, nfds);
    case SIM_UNSHARE:          return grant_unshare(conn, msg);
    case SIM_MAP:              *lent = true; return grant_map(conn, msg, fds, nfds);
    case SIM_UNMAP:            return grant_unmap(conn, msg);
    case SIM_RESOLVE:          *lent = true; return grant_resolve(conn, msg, fds, nfds);
    case SIM_DOMINFO:          return domain_info(msg);
    case SIM_RUN:              return domain_adopt_process(conn);
    case SIM_CLOSE:            conn_release(conn); return 0;
    default:                   return -EOPNOTSUPP;
    }
}

static void request(struct conn *conn, struct sim_msg *msg, int *fds, int nfds)
{
    bool lent = false;
    int err = dispatch(conn, msg, fds, &nfds, &lent);

    if (err == -EINPROGRESS)
        return;
    if (err != 0)
        msg->len = 0;
    else if (msg->op != SIM_EVTCHN_ADOPT && msg->op != SIM_SHARE && msg->op != SIM_MAP
             && msg->op != SIM_RESOLVE && msg->op != SIM_DOMINFO)
        msg->len = 0;
    conn_reply(conn, msg, err, fds, nfds);
    while (lent && nfds > 0)
        close(fds[--nfds]);
}

static void hang_up(struct conn *conn)
{
    conn_release(conn);
    conn_drop(conn);
}

static void host_accept(struct source *src)
{
    conn_accept(src, NULL);
}

/* ---- children ---- */

static void child_gone(pid_t pid, int status)
{
    if (pid == host.xenstored_pid) {
        host.xenstored_pid = 0;
        say("xenstored ended (status 0x%x): stopping", (unsigned)status);
        report("xenstored ended before it was ready: see %s/log/xenstored.log\n", host.dir);
        host.stopping = true;
        host.keep_logs = true;
    } else if (pid == host.init_pid) {
        host.init_pid = 0;
        if (status) {
            report("cannot set up dom0's part of xenstore: see %s/log/toolstack.log\n", host.dir);
            host.stopping = true;
            host.keep_logs = true;
        } else {
            report("ok\n");
        }
    } else {
        domain_child_gone(pid);
    }
}

static void signal_ready(struct source *src)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;

    if (read(src->fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo != SIGCHLD)
        host.stopping = true;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        child_gone(pid, status);
}

/* ---- beginning and end ---- */

static void starter_gone(struct source *src)
{
    (void)src;
    say("the process to end with has ended: stopping");
    host.stopping = true;
}

static int start_xenstored(void)
{
    char *argv[] = { host.xenstored, "-N", NULL };
    char init[sizeof host.bin + 32];
    char *init_argv[] = { init, "--init", NULL };

    if ((host.xenstored_pid = spawn(argv, 0, "xenstored", -1)) < 0)
        return host.xenstored_pid;
    snprintf(init, sizeof init, "%s/xensim-xenbus", host.bin);
    host.init_pid = spawn(init_argv, 0, "toolstack", -1);
    return host.init_pid < 0 ? host.init_pid : 0;
}

/* dom0's kernel end of xenstored's ring: a port that exists, and nobody listens. */
static int dom0_kernel(struct domain *dom0, uint32_t *port)
{
    struct sim_msg msg = { .op = SIM_ALLOC_UNBOUND };
    struct conn *kernel = calloc(1, sizeof *kernel);
    int pipefd[2];

    if (!kernel || pipe2(pipefd, O_CLOEXEC | O_NONBLOCK) < 0)
        return -ENOMEM;
    close(pipefd[1]);
    kernel->src.fd = -1;
    kernel->dom = dom0;
    kernel->pipe = pipefd[0];
    kernel->handle = ++host.next_handle;
    kernel->only = SIM_NONE;
    LIST_INIT(&kernel->maps);
    LIST_INSERT_HEAD(&host.conns, kernel, link);
    *port = port_alloc_unbound(kernel, &msg) ? 0 : msg.arg[0];
    return *port ? 0 : -ENOSPC;
}

static int begin(void)
{
    struct rlimit files;
    struct domain *dom0;
    sigset_t set;
    uint32_t port;
    int err, fd;

    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    if ((host.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return -errno;
    source_add(&host.signals, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), signal_ready);
    if ((err = ports_init()) < 0 || (fd = err = listen_at("host")) < 0)
        return err;
    source_add(&host.listener, fd, host_accept);
    if (host.starter.fd >= 0 && (err = source_add(&host.starter, host.starter.fd, starter_gone)) < 0)
        return err;
    if ((err = domain_new(0, "Domain-0", &dom0)) < 0)
        return err;
    dom0->state = SIM_RUNNING;
    dir_run(0, true);
    if ((err = dom0_kernel(dom0, &port)) < 0 || (err = dir_files(port)) < 0)
        return err;
    return start_xenstored();
}

static void end(void)
{
    struct sim_msg msg = { .op = SIM_STOP };
    struct domain *dom;
    int status;

    LIST_FOREACH(dom, &host.domains, link) {
        domain_kill_processes(dom);
        if (dom->bridge > 0)
            kill(dom->bridge, SIGKILL);
        if (dom->bury > 0)
            kill(dom->bury, SIGKILL);
    }
    if (host.xenstored_pid > 0)
        kill(host.xenstored_pid, SIGKILL);
    if (host.init_pid > 0)
        kill(host.init_pid, SIGKILL);
    while (waitpid(-1, &status, 0) > 0 || errno == EINTR)
        ;
    dir_clean(host.keep_logs);
    if (!host.keep_logs) {
        char path[sizeof host.dir + 8];

        snprintf(path, sizeof path, "%s/lock", host.dir);
        unlink(path);
        if (host.made_dir)
            rmdir(host.dir);
    }
    if (host.stopper)
        conn_reply(host.stopper, &msg, 0, NULL, 0);
}

static void loop(void)
{
    struct epoll_event events[64];

    while (!host.stopping) {
        int n = epoll_wait(host.epoll, events, 64, -1);

        for (int i = 0; i < n && !host.stopping; i++) {
            struct source *src = events[i].data.ptr;

            if (src->fd >= 0)
                src->ready(src);
            /* One that frees sources ends the batch: what is left is reported again. */
            if (src->ready == signal_ready)
                break;
        }
        conn_bury();
        domain_reap();
    }
}

static int usage(int code)
{
    fprintf(code ? stderr : stdout,
        "usage: xensimd [-g PAGES] [-l MS] [-s] [-w PID] -x XENSTORED DIR\n"
        "The daemon of a hosted Xen.  Use 'xensim start', which runs it.\n"
        "  -g, --grant-limit PAGES  pages a domain may grant (1024)\n"
        "  -l, --late-byte MS       unmap notifications send their event first and clear\n"
        "                           the byte MS later, as older kernels may\n"
        "  -s, --scatter            grant references come in no order\n"
        "  -w, --while PID          stop when that process ends\n"
        "  -x, --xenstored FILE     the real xenstored to run\n");
    return code;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "grant-limit", 1, NULL, 'g' }, { "late-byte", 1, NULL, 'l' },
        { "scatter", 0, NULL, 's' },     { "while", 1, NULL, 'w' },
        { "xenstored", 1, NULL, 'x' },
        { "help", 0, NULL, 'h' },
        { NULL, 0, NULL, 0 } };
    pid_t watch = 0;
    ssize_t n;
    int opt, err;

    host.request = request;
    host.hang_up = hang_up;
    host.grant_limit = 1024;
    while ((opt = getopt_long(argc, argv, "g:l:sw:x:h", options, NULL)) != -1)
        switch (opt) {
        case 'g': host.grant_limit = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'l': host.late_byte_ms = (uint32_t)strtoul(optarg, NULL, 0) % 1000; break;
        case 's': host.scatter = true; break;
        case 'w': watch = (pid_t)strtol(optarg, NULL, 10); break;
        case 'x': snprintf(host.xenstored, sizeof host.xenstored, "%s", optarg); break;
        case 'h': return usage(0);
        default:  return usage(2);
        }
    if (optind + 1 != argc || !*host.xenstored)
        return usage(2);
    snprintf(host.dir, sizeof host.dir, "%s", argv[optind]);
    n = readlink("/proc/self/exe", host.bin, sizeof host.bin - 1);
    if (n > 0)
        *strrchr(host.bin, '/') = '\0';
    host.report = fcntl(3, F_SETFD, FD_CLOEXEC) < 0 ? -1 : 3;
    host.starter.fd = watch ? pidfd_open(watch, 0) : -1;
    if (watch && host.starter.fd < 0) {
        report("no process %d to end with\n", watch);
        return 1;
    }
    if ((err = dir_lock()) == -EBUSY) {
        report("%s: a hosted Xen runs there already: xensim stop it first\n", host.dir);
        return 1;
    }
    if (err == -ENOTEMPTY) {
        report("%s: holds files that are not hosted Xen's: give an empty directory\n", host.dir);
        return 1;
    }
    if (!err) {
        dir_clean(false);
        err = dir_make();
    }
    if (!err) {
        char log[sizeof host.dir + 32];

        snprintf(log, sizeof log, "%s/log/xensimd.log", host.dir);
        if (!freopen(log, "ae", stderr))
            return 1;
        setlinebuf(stderr);
        err = begin();
    }
    if (err) {
        report("%s: cannot start: %s\n", host.dir, strerror(-err));
        host.stopping = true;
    }
    loop();
    end();
    return err ? 1 : 0;
}

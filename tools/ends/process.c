/* SPDX-License-Identifier: MIT */
/* process.c: see process.h. */
#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "around.h"
#include "proc.h"
#include "say.h"

#define EXITING 0x4u            /* PF_EXITING of the kernel's sched.h */
#define GRACE   (SECOND / 10)   /* most programs that end close their output, and then they end */

struct process {
    struct around around;       /* the socket's end, or its messages */
    struct end *socket;
    struct loop *loop;
    struct timer grace;
    pid_t pid;
    int status;                 /* of waitpid(), once it has ended */
    bool has_ended;
    bool left;                  /* it closed its input with bytes unread */
    bool closed, goes_on;       /* it has closed its output; and is alive a while later */
    char why[80];
};

static struct process *process_of(struct end *e)
{
    return container_of(e, struct process, around.end);
}

/* It is within exit(): its descriptors are closed before its parent can hear of it. */
static bool is_exiting(pid_t pid)
{
    struct proc_facts f;

    /* Nobody is there, or nobody says so: then we hear of it when it has ended. */
    return !proc_read(pid, &f) || f.flags & EXITING;
}

static int judge(struct process *p)
{
    if (WIFSIGNALED(p->status))
        snprintf(p->why, sizeof p->why, "the command was killed by signal %d", WTERMSIG(p->status));
    else if (WEXITSTATUS(p->status))
        snprintf(p->why, sizeof p->why, "the command ended with status %d", WEXITSTATUS(p->status));
    else if (p->left || fdend_has_dropped(p->socket))
        snprintf(p->why, sizeof p->why, "the command has not read all its input");
    return p->why[0] ? -ECANCELED : 0;
}

static void grace_over(struct timer *t)
{
    struct process *p = container_of(t, struct process, grace);

    p->goes_on = !is_exiting(p->pid);
    end_wake(&p->around.end);
}

/* It has closed its output: 0 if that may be passed on. */
static int at_end(struct process *p)
{
    if (p->has_ended)
        return judge(p);
    if (!p->closed)
        timer_set(p->loop, &p->grace, clock_ns() + GRACE, grace_over);
    p->closed = true;
    return p->goes_on ? 0 : -EAGAIN;
}

/* A UNIX socket that closes with bytes unread tells so with the next call. */
static ssize_t came(struct process *p, ssize_t n)
{
    if (n == -ECONNRESET) {
        p->left = true;
        n = 0;
    }
    return n ? n : at_end(p);
}

static int process_peek(struct end *e, struct iovec *iov, int max)
{
    struct process *p = process_of(e);

    return (int)came(p, p->around.inner->ops->peek(p->around.inner, iov, max));
}

static ssize_t process_read(struct end *e, void *buffer, size_t len)
{
    struct process *p = process_of(e);

    return came(p, p->around.inner->ops->read(p->around.inner, buffer, len));
}

static int process_settle(struct end *e)
{
    struct process *p = process_of(e);

    return p->has_ended ? judge(p) : -EAGAIN;
}

static const char *process_why(struct end *e)
{
    struct process *p = process_of(e);
    struct end *inner = p->around.inner;

    return p->why[0] ? p->why : inner->ops->why ? inner->ops->why(inner) : NULL;
}

static struct reason process_reason(struct end *e)
{
    const struct process *p = process_of(e);

    if (!p->has_ended)
        return p->left ? REASON(UNREAD) : REASON(NONE);
    if (WIFSIGNALED(p->status))
        return reason_heard(VSOCKIF_REASON_SIGNAL, (unsigned)WTERMSIG(p->status));
    if (WEXITSTATUS(p->status))
        return reason_heard(VSOCKIF_REASON_STATUS, (unsigned)WEXITSTATUS(p->status));
    return p->left || fdend_has_dropped(p->socket) ? REASON(UNREAD) : REASON(NONE);
}

static void process_close(struct end *e, bool reset)
{
    struct process *p = process_of(e);

    timer_drop(&p->grace);
    p->around.inner->ops->close(p->around.inner, reset);
    free(p);
}

struct end *process_end(struct loop *l, int fd, const struct records_form *form)
{
    static const struct end_ops ops = {
        .peek = process_peek,     .done = around_done, .write = around_write,   .read = process_read,
        .finish = around_finish, .stop = around_stop, .is_cut = around_is_cut, .settle = process_settle,
        .why = process_why,       .reason = process_reason, .close = process_close,
    };
    struct process *p = calloc(1, sizeof *p);

    if (!p || !(p->around.inner = p->socket = fdend_socket(l, fd)))
        close(fd);
    else if (form)
        p->around.inner = records_end(p->socket, form);
    if (!p || !p->around.inner) {
        free(p);
        return NULL;
    }
    around_init(&p->around, &ops, p->around.inner);
    p->loop = l;
    return &p->around.end;
}

void process_started(struct end *e, pid_t pid)
{
    process_of(e)->pid = pid;
}

void process_ended(struct end *e, int status)
{
    struct process *p = process_of(e);

    p->status = status;
    p->has_ended = true;
    end_wake(e);
}

/* SPDX-License-Identifier: MIT */
/* knock.c: see knock.h. */
#include "knock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "line.h"
#include "say.h"
#include "turned.h"
#include "vouch.h"

#define LINE_MAX_OK 32          /* "OK <u32>\n" is shorter */
#define AGAIN (SECOND / 50)     /* while as many wait there as may */

/* ---- calling ---- */

struct attempt {
    struct dial *dial;
    const struct knock_kind *kind;
    struct watch watch;
    struct timer again;
    int fd, dirfd;              /* to who answers, -1 before that; his directory, -1 once handed on */
    bool calls;                 /* CALL was said */
    struct line line;           /* of the answer, so far */
};

static void attempt_free(struct attempt *a, bool with_fd)
{
    watch_drop(a->dial->side->loop, &a->watch);
    timer_drop(&a->again);
    if (with_fd && a->fd >= 0)
        close(a->fd);
    if (a->dirfd >= 0)
        close(a->dirfd);
    a->dial->attempt = NULL;
    free(a);
}

static void fail_attempt(struct attempt *a, int err)
{
    struct dial *d = a->dial;
    const char *who = a->kind->who;

    attempt_free(a, true);
    if (!d->why[0])
        snprintf(d->why, sizeof d->why, "%s's socket: %s", who, errno_words(err));
    dial_end(d, err, NULL);
}

/* Without a word: CONNECT is refused so, and CALL by a daemon that is older than the word. */
static void closed(struct attempt *a)
{
    struct dial *d = a->dial;
    const struct knock_kind *kind = a->kind;
    int dirfd = a->dirfd, err;
    struct reason reason;

    if (!a->calls) {
        turned_ask(dirfd, d->port, &reason);
        fail_attempt(a, kind->explain(d, reason, ""));
        return;
    }
    a->dirfd = -1;
    attempt_free(a, true);
    if ((err = knock(d, dirfd, false, kind)))
        dial_end(d, err, NULL);
}

/* "policy", "port nobody", "daemon limit": who refuses, and why if there is more to say. */
static int refused(struct dial *d, char *by, const struct knock_kind *kind)
{
    static const struct { const char *by; struct reason reason; } plain[] = {
        { "time", { VSOCKIF_REASON_TIMEOUT, 0 } }, { "policy", { VSOCKIF_REASON_POLICY, 0 } }, { "guest", { VSOCKIF_REASON_ABSENT, 0 } },
        { "daemon", { VSOCKIF_REASON_LIMIT, 0 } }
    };
    char *words = strchr(by, ' ');
    struct reason reason = REASON(NONE);

    if (words && !reason_parse(words + 1, &reason))
        reason = REASON(NONE);
    for (size_t i = 0; !words && i < sizeof plain / sizeof *plain; i++)
        if (strcmp(by, plain[i].by) == 0)
            reason = plain[i].reason;
    return kind->explain(d, reason, words ? "" : by);
}

static bool is_ok_line(const char *line, uint64_t *number)
{
    return strncmp(line, "OK ", 3) == 0 && parse_number(line + 3, UINT32_MAX, number);
}

/* What follows the line belongs to the conversation. */
static void answered(struct watch *w)
{
    struct attempt *a = container_of(w, struct attempt, watch);
    struct dial *d = a->dial;
    bool vouches = d->vouches || a->kind->always;
    struct loop *loop = d->side->loop;
    int got = line_read(&a->line, a->fd, LINE_MAX_OK);
    uint64_t number;
    struct end *end;

    if (got == 0) {
        w->want = POLLIN;
        return;
    }
    if (got == -ECONNRESET) {
        closed(a);
        return;
    }
    if (got < 0 && got != -EMSGSIZE) {
        fail_attempt(a, got);
        return;
    }
    if (got > 0 && a->calls && strncmp(a->line.text, "REFUSED ", 8) == 0) {
        fail_attempt(a, refused(d, a->line.text + 8, a->kind));
        return;
    }
    if (got < 0 || !is_ok_line(a->line.text, &number)) {
        snprintf(d->why, sizeof d->why, "%s's socket answered '%.32s' in place of 'OK <number>'", a->kind->who, a->line.text);
        fail_attempt(a, -EPROTO);
        return;
    }
    end = vouches ? vouched_socket(loop, a->fd, a->dirfd, (uint32_t)number) : fdend_socket(loop, a->fd);
    if (!end) {
        fail_attempt(a, -ENOMEM);
        return;
    }
    if (vouches)
        a->dirfd = -1;
    attempt_free(a, false);
    dial_end(d, 0, end);
}

static int connect_to(const struct dial *d, int dirfd)
{
    int fd = d->messages ? unix_connect_messages(dirfd, "vsock.seqpacket", SOCK_NONBLOCK) : unix_connect(dirfd, "vsock", SOCK_NONBLOCK);

    return fd == -ENOENT && d->messages && !faccessat(dirfd, "vsock", F_OK, 0) ? -ESOCKTNOSUPPORT : fd;
}

static int socket_fails(struct dial *d, const struct knock_kind *kind, int err)
{
    snprintf(d->why, sizeof d->why, "the socket of %s: %s", kind->who, strerror(-err));
    return err;
}

static int say_where_to(struct attempt *a)
{
    struct dial *d = a->dial;
    char line[64];
    int n = snprintf(line, sizeof line, "%s ", a->calls ? "CALL" : "CONNECT");

    n += a->kind->target(d, line + n, sizeof line - (size_t)n);
    return send(a->fd, line, (size_t)n, MSG_NOSIGNAL) == n ? 0 : socket_fails(d, a->kind, -ECONNREFUSED);
}

static void reach_again(struct timer *t);

/* 0, or a negative errno.  While his backlog is full, nobody says when there is room. */
static int reach(struct attempt *a)
{
    struct loop *loop = a->dial->side->loop;
    int err;

    a->fd = connect_to(a->dial, a->dirfd);
    if (a->fd == -EAGAIN) {
        timer_set(loop, &a->again, clock_ns() + AGAIN, reach_again);
        return 0;
    }
    if (a->fd < 0)
        return a->kind->absent(a->dial, a->fd);
    if ((err = say_where_to(a)))
        return err;
    watch_add(loop, &a->watch, a->fd, answered);
    a->watch.want = POLLIN;
    return 0;
}

static void reach_again(struct timer *t)
{
    struct attempt *a = container_of(t, struct attempt, again);
    int err = reach(a);

    if (err)
        fail_attempt(a, err);
}

int knock(struct dial *d, int dirfd, bool calls, const struct knock_kind *kind)
{
    struct attempt *a = calloc(1, sizeof *a);
    int err;

    if (!a) {
        close(dirfd);
        return socket_fails(d, kind, -ENOMEM);
    }
    *a = (struct attempt){ .dial = d, .kind = kind, .fd = -1, .dirfd = dirfd, .calls = calls };
    d->attempt = a;
    if ((err = reach(a)))
        attempt_free(a, true);
    return err;
}

int knock_abort(struct dial *d, int err)
{
    struct attempt *a = d->attempt;

    if (a && a->fd < 0)
        snprintf(d->why, sizeof d->why, "%s is busy: as many wait at its socket as may", a->kind->who);
    else
        snprintf(d->why, sizeof d->why, "%s has not answered in time at port %u", d->peer, d->port);
    if (a)
        attempt_free(a, true);
    return err;
}

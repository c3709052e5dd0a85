/* SPDX-License-Identifier: MIT */
/* host.c: connections in dom0, over the UNIX sockets of the daemon (Firecracker's convention).
 *
 *     calling       connect to RUN/guest/NAME/vsock, say "CONNECT <port>\n", read "OK <number>\n" and not a byte more; no answer is a
 *                   refusal
 *     being called  listen at RUN/guest/NAME/vsock_<port>, or for all guests at RUN/any/vsock_<port> (called.h)
 *
 * Either way the stream has a number, by which the daemon is asked how it ended (vouch.h): then the word is CALL, which is refused with a
 * word, too, and the listening socket has the sticky bit. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "called.h"
#include "find.h"
#include "line.h"
#include "refusal.h"
#include "say.h"
#include "side.h"
#include "turned.h"
#include "vouch.h"

#define LINE_MAX_OK 32          /* "OK <u32>\n" is shorter */

/* ---- calling ---- */

struct attempt {
    struct dial *dial;
    struct watch watch;
    int fd, dirfd;              /* to the daemon; the guest's directory */
    bool calls;                 /* CALL was said */
    struct line line;           /* of the answer, so far */
};

static void attempt_free(struct attempt *a, bool with_fd)
{
    watch_drop(a->dial->side->loop, &a->watch);
    if (with_fd)
        close(a->fd);
    close(a->dirfd);
    a->dial->attempt = NULL;
    free(a);
}

/* Where the reason is that nobody is there, or none was given, the daemon's record of the guest may tell more. */
static int explain(struct dial *d, struct reason reason)
{
    int err = refusal_explain(d->why, reason, d->peer, d->port, true);
    const char *use, *says;
    json_t *answer = NULL, *record;
    char asked[WHY];

    if (err != -EHOSTDOWN && reason.code)
        return err;
    if (control_ask(json_pack("{s:s}", "verb", "ls"), &answer, asked) == 0 &&
        (record = find_record(answer, d->peer, d->side->options.device)) &&
        (use = json_string_value(json_object_get(record, "use"))) && strcmp(use, "in use") != 0) {
        says = json_string_value(json_object_get(record, "says"));
        snprintf(d->why, sizeof d->why, "nobody can listen at port %u of %s: its vsock device is %s", d->port, d->peer, says ? says : use);
        err = strcmp(use, "refused") == 0 ? -ENETDOWN : -EHOSTDOWN;
    }
    json_decref(answer);
    return err;
}

static int knock(struct dial *d, int dirfd, bool calls);

static void fail_attempt(struct attempt *a, int err)
{
    struct dial *d = a->dial;

    attempt_free(a, true);
    if (!d->why[0])
        snprintf(d->why, sizeof d->why, "the daemon's socket: %s", errno_words(err));
    dial_end(d, err, NULL);
}

/* Without a word: CONNECT is refused so, and CALL by a daemon that is older than the word. */
static void closed(struct attempt *a)
{
    struct dial *d = a->dial;
    int dirfd = a->calls ? fcntl(a->dirfd, F_DUPFD_CLOEXEC, 0) : -1, err;
    struct reason reason;

    if (dirfd < 0) {
        turned_ask(a->dirfd, d->port, &reason);
        fail_attempt(a, explain(d, reason));
        return;
    }
    attempt_free(a, true);
    if ((err = knock(d, dirfd, false)))
        dial_end(d, err, NULL);
}

/* "policy", "port nobody", "daemon limit": who refuses, and why if there is more to say. */
static int refused(struct dial *d, char *by)
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
    return explain(d, reason);
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
        fail_attempt(a, refused(d, a->line.text + 8));
        return;
    }
    if (got < 0 || !is_ok_line(a->line.text, &number)) {
        snprintf(d->why, sizeof d->why, "the daemon's socket answered '%.32s' in place of 'OK <number>'", a->line.text);
        fail_attempt(a, -EPROTO);
        return;
    }
    end = d->vouches ? vouched_socket(loop, a->fd, a->dirfd, (uint32_t)number) : fdend_socket(loop, a->fd);
    if (!end) {
        fail_attempt(a, -ENOMEM);
        return;
    }
    attempt_free(a, false);
    dial_end(d, 0, end);
}

/* Takes dirfd.  0 or a negative errno, with why if that does not say it all. */
static int knock(struct dial *d, int dirfd, bool calls)
{
    int fd = unix_connect(dirfd, "vsock", SOCK_NONBLOCK), n;
    struct attempt *a;
    char line[32];

    if (fd < 0)
        close(dirfd);
    if (fd == -ENOENT || fd == -ECONNREFUSED) {
        snprintf(d->why, sizeof d->why, "%s is not attached, or xvsd is not running; see 'xvs ls'", d->peer);
        return -ENOENT;
    }
    if (fd == -ENOTSOCK) {
        snprintf(d->why, sizeof d->why, "xvsd is not running, and what is at vsock in the directory of %s is not its socket; "
                 "remove it, and start xvsd", d->peer);
        return -ENOENT;
    }
    if (fd == -EAGAIN)
        return -ETIMEDOUT;      /* its backlog is full: may_change() */
    if (fd < 0) {
        snprintf(d->why, sizeof d->why, "cannot connect to the daemon's socket of %s: %s", d->peer, errno_words(fd));
        return fd;
    }
    n = snprintf(line, sizeof line, "%s %u\n", calls ? "CALL" : "CONNECT", d->port);
    if (!(a = calloc(1, sizeof *a)) || send(fd, line, (size_t)n, MSG_NOSIGNAL) != n) {
        int err = a ? -ECONNREFUSED : -ENOMEM;

        free(a);
        close(fd);
        close(dirfd);
        snprintf(d->why, sizeof d->why, "the daemon's socket of %s: %s", d->peer, strerror(-err));
        return err;
    }
    *a = (struct attempt){ .dial = d, .fd = fd, .dirfd = dirfd, .calls = calls };
    d->attempt = a;
    watch_add(d->side->loop, &a->watch, fd, answered);
    a->watch.want = POLLIN;
    return 0;
}

static int host_dial(struct dial *d)
{
    int dirfd;

    if (!d->peer) {
        snprintf(d->why, sizeof d->why, "in dom0 a guest is needed");
        return -EINVAL;
    }
    dirfd = find_guest(d->peer, d->side->options.device, d->why);
    return dirfd < 0 ? dirfd : knock(d, dirfd, d->vouches);
}

static int host_dial_abort(struct dial *d, int err)
{
    if (d->attempt)
        attempt_free(d->attempt, true);
    snprintf(d->why, sizeof d->why, "%s has not answered in time at port %u", d->peer, d->port);
    return err;
}

static int host_open(struct side *s, char *why)
{
    (void)s;
    (void)why;
    return 0;
}

static void host_close(struct side *s)
{
    (void)s;
}

const struct side_ops side_host = {
    .open = host_open,
    .close = host_close,
    .dial = host_dial,
    .dial_abort = host_dial_abort,
    .listen = called_listen,
    .accept = called_accept,
    .unlisten = called_unlisten,
};

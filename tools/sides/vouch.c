/* SPDX-License-Identifier: MIT */
/* vouch.c: see vouch.h. */
#include "vouch.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "around.h"
#include "control.h"
#include "files.h"
#include "say.h"

#define LINE     128            /* "ENDED <u32> <words>\n" is shorter */
#define PAUSE    (SECOND / 50)  /* while the daemon's backlog is full, or something is short */
#define PATIENCE (5 * SECOND)

struct vouched {
    struct around around;       /* the socket's end */
    struct loop *loop;
    struct watch watch;         /* of the connection that vouches; its fd is -1 without one */
    struct timer again;
    int64_t until;              /* …when it is tried for the last time */
    int dirfd;                  /* -1 once connected */
    uint32_t number;
    enum {
        ASKED,                  /* the daemon has not answered yet */
        STANDS,                 /* it watches */
        OVER,                   /* it has said how the stream ended, or has gone: 'err' */
        BLIND                   /* it will never say */
    } state;
    int err;                    /* in OVER: 0 for order */
    char line[LINE + 1];
    size_t len;
    char why[LINE + 64];
    struct reason reason;       /* why it was reset, as the daemon says; or as we do */
};

static struct vouched *vouched_of(struct end *e)
{
    return container_of(e, struct vouched, around.end);
}

/* ---- what the daemon says ---- */

static void hang_up(struct vouched *v)
{
    if (v->watch.fd < 0)
        return;
    watch_drop(v->loop, &v->watch);
    close(v->watch.fd);
    v->watch.fd = -1;
}

static void be_over(struct vouched *v, int err, const char *why)
{
    v->state = OVER;
    v->err = err;
    snprintf(v->why, sizeof v->why, "%s", why);
    hang_up(v);
}

static void be_blind(struct vouched *v)
{
    v->state = BLIND;
    hang_up(v);
}

/* "order"; "reset by the guest's program", "unread the guest's program did not read everything", "cut the daemon stops"; and behind it
 * perhaps a reason, " (status 3)". */
static void take_end(struct vouched *v, char *how)
{
    char *words = strchr(how, ' '), *reason = strrchr(how, '('), known[REASON_WORDS + 1];

    if (reason && reason > how) {
        snprintf(known, sizeof known, "%s", reason + 1);
        known[strcspn(known, ")")] = '\0';
        if (reason_parse(known, &v->reason))
            reason[-1] = '\0';
    }
    if (strcmp(how, "order") == 0)
        be_over(v, 0, "");
    else
        be_over(v, -ECONNRESET, words && strncmp(how, "reset ", 6) != 0 ? words + 1 : how);
}

static void take_line(struct vouched *v)
{
    char *number = strchr(v->line, ' '), *how = number ? strchr(number + 1, ' ') : NULL;

    if (strncmp(v->line, "WATCHING ", 9) == 0 && v->state == ASKED)
        v->state = STANDS;
    else if (strncmp(v->line, "ENDED ", 6) == 0 && how)
        take_end(v, how + 1);
    else if (strncmp(v->line, "UNKNOWN ", 8) == 0)
        be_over(v, -ECONNRESET, "xvsd does not know this stream: it was started anew");
    else
        be_blind(v);
}

/* One line of what has come: false if that is not a whole one. */
static bool next_line(struct vouched *v)
{
    char *newline = memchr(v->line, '\n', v->len);
    size_t len;

    if (!newline)
        return false;
    *newline = '\0';
    take_line(v);
    len = (size_t)(newline + 1 - v->line);
    memmove(v->line, newline + 1, v->len -= len);
    return v->state < OVER;
}

static void answered(struct watch *w)
{
    struct vouched *v = container_of(w, struct vouched, watch);
    ssize_t n = recv(w->fd, v->line + v->len, LINE - v->len, MSG_DONTWAIT);

    w->want = POLLIN;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    v->len += n > 0 ? (size_t)n : 0;
    while (next_line(v))
        ;
    if (n <= 0 && v->state == STANDS)
        be_over(v, -ECONNRESET, "xvsd, or the agent that has a guest's device, has ended without a word");
    else if ((n <= 0 || v->len == LINE) && v->state == ASKED)
        be_blind(v);
    end_wake(&v->around.end);
}

static void ask(struct vouched *v);

static void ask_again(struct timer *t)
{
    struct vouched *v = container_of(t, struct vouched, again);

    ask(v);
    end_wake(&v->around.end);
}

static void ask(struct vouched *v)
{
    int fd = v->number ? unix_connect(v->dirfd, "vsock", SOCK_NONBLOCK) : -ENOENT, len;
    char line[32];

    if (is_short(fd) && clock_ns() < v->until) {
        timer_set(v->loop, &v->again, clock_ns() + PAUSE, ask_again);
        return;
    }
    if (v->dirfd >= 0)
        close(v->dirfd);
    v->dirfd = -1;
    if (fd < 0) {
        if (fd != -ENOENT && fd != -ECONNREFUSED)
            snprintf(v->why, sizeof v->why, "xvsd cannot be asked how the stream ended: %s", errno_words(fd));
        be_blind(v);
        return;
    }
    watch_add(v->loop, &v->watch, fd, answered);
    v->watch.want = POLLIN;
    len = snprintf(line, sizeof line, "VOUCH %u\n", v->number);
    if (send(fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
        be_blind(v);
}

/* ---- the end ---- */

/* A reset comes by both connections, and only the other one says how: until that has come, it is an end that has not been seen yet. */
static ssize_t told(const struct vouched *v, ssize_t n)
{
    return n == -ECONNRESET && (v->state == ASKED || v->state == STANDS) ? -EAGAIN : n;
}

static int vouched_peek(struct end *e, struct iovec *iov, int max)
{
    struct vouched *v = vouched_of(e);

    return (int)told(v, v->around.inner->ops->peek(v->around.inner, iov, max));
}

static ssize_t vouched_read(struct end *e, void *buffer, size_t len)
{
    struct vouched *v = vouched_of(e);

    return told(v, v->around.inner->ops->read(v->around.inner, buffer, len));
}

static int vouched_finish(struct end *e)
{
    struct vouched *v = vouched_of(e);
    int err;

    if (v->state == ASKED)
        return -EAGAIN;         /* a socket that is shut both ways looks like one that is closed, and nobody has vouched yet */
    err = v->around.inner->ops->finish(v->around.inner);
    if (v->state == STANDS)
        (void)!send(v->watch.fd, "END\n", 4, MSG_NOSIGNAL | MSG_DONTWAIT);     /* if it has gone, we hear so */
    return err;
}

static int vouched_settle(struct end *e)
{
    struct vouched *v = vouched_of(e);

    if (fdend_has_dropped(v->around.inner)) {
        snprintf(v->why, sizeof v->why, "not everything that came was read");
        return -EPIPE;
    }
    switch (v->state) {
    case ASKED:
    case STANDS:
        return -EAGAIN;
    case OVER:
        return v->err;
    default:
        if (!v->why[0])
            snprintf(v->why, sizeof v->why, "xvsd has not said how the stream ended: it has ended, or is older than this xvs");
        return -ECONNRESET;
    }
}

static const char *vouched_why(struct end *e)
{
    struct vouched *v = vouched_of(e);

    return v->why[0] ? v->why : NULL;
}

static struct reason vouched_reason(struct end *e)
{
    return vouched_of(e)->reason;
}

/* Takes the place of END; the end of what was sent is said behind it, since this connection is closed first. */
static int vouched_blame(struct end *e, struct reason why)
{
    struct vouched *v = vouched_of(e);
    char line[16 + REASON_WORDS], words[REASON_WORDS];
    int len = snprintf(line, sizeof line, "RESET %s\n", reason_words(words, why));

    if (v->state == ASKED)
        return -EAGAIN;         /* a command can end before anybody has been able to vouch for it */
    if (v->state == STANDS)
        (void)!send(v->watch.fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return 0;
}

static void vouched_close(struct end *e, bool reset)
{
    struct vouched *v = vouched_of(e);

    timer_drop(&v->again);
    if (v->dirfd >= 0)
        close(v->dirfd);
    hang_up(v);                 /* before the end that the kernel makes of a closed socket */
    v->around.inner->ops->close(v->around.inner, reset);
    free(v);
}

struct end *vouched_socket(struct loop *l, int fd, int dirfd, uint32_t number)
{
    static const struct end_ops ops = {
        .peek = vouched_peek,     .done = around_done, .write = around_write,   .read = vouched_read,
        .finish = vouched_finish, .stop = around_stop, .is_cut = around_is_cut, .settle = vouched_settle,
        .why = vouched_why,       .reason = vouched_reason, .blame = vouched_blame, .close = vouched_close,
    };
    struct vouched *v = calloc(1, sizeof *v);

    if (!v || !(v->around.inner = fdend_socket(l, fd))) {
        free(v);
        return NULL;
    }
    around_init(&v->around, &ops, v->around.inner);
    v->loop = l;
    v->watch.fd = -1;
    v->number = number;
    v->until = clock_ns() + PATIENCE;
    v->dirfd = dirfd;
    ask(v);
    return &v->around.end;
}

/* ---- who calls ---- */

/* "<guest>/<cid>:<port>/<number>", each of the latter in decimal. */
static bool parse_name(char *text, struct vouch_name *name)
{
    char *number = strrchr(text, '/'), *port, *cid;
    uint64_t p, n;

    if (!number)
        return false;
    *number++ = '\0';
    if (!(port = strrchr(text, ':')))
        return false;
    *port++ = '\0';
    if (!(cid = strrchr(text, '/')))
        return false;
    *cid++ = '\0';
    if (!parse_number(cid, UINT32_MAX, &name->cid) || !parse_number(port, UINT32_MAX, &p) ||
        !parse_number(number, UINT32_MAX, &n) || !n)
        return false;
    snprintf(name->guest, sizeof name->guest, "%.79s", text);
    name->port = (uint32_t)p;
    name->number = (uint32_t)n;
    return true;
}

bool vouch_name(int fd, struct vouch_name *name)
{
    struct sockaddr_un a;
    socklen_t len = sizeof a;
    char text[sizeof a.sun_path + 1] = "";

    if (getpeername(fd, (struct sockaddr *)&a, &len) < 0 || len <= offsetof(struct sockaddr_un, sun_path) + 1 || a.sun_path[0])
        return false;
    memcpy(text, a.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
    return strncmp(text, "xvs/", 4) == 0 && parse_name(text + 4, name);
}

/* SPDX-License-Identifier: MIT */
/* stream.c: a program's socket and a stream of the device's, joined (inside.h).
 *
 * While it is called, the socket is watched for its program's going.  Then a pump carries the bytes, and when that is over, those who ask are
 * told how (book.h).  A user's first streams have buffers of the usual size, in the kernel as in the library, and his others small ones: what
 * nobody reads is bounded so. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inside.h"
#include "peercred.h"
#include "pump.h"
#include "say.h"
#include "sworn.h"

#define PATIENCE (10 * SECOND)
#define SMALL    16384          /* bytes of a socket's send buffer */

struct stream {
    struct list link;
    struct broker *broker;
    struct entry entry;
    struct holder *holder;
    int fd;                     /* while it calls */
    struct dial dial;
    struct watch watch;
    char peer[16];              /* of dial */
    struct end *local, *far;
    struct pump pump;           /* a: local, b: far */
    struct reason said;         /* by who vouches */
    struct timer last;          /* what was sent goes first */
    uint32_t cid;               /* of dial */
    bool calls;
    bool line_waits;            /* the newline of its line is in the socket */
};

static struct stream *stream_of(struct entry *e)
{
    return container_of(e, struct stream, entry);
}

uid_t stream_user(int fd)
{
    struct ucred cred;

    return peercred_of(fd, &cred) ? cred.uid : (uid_t)-1;
}

bool stream_is_one_of_many(const struct holder *holder)
{
    return holder->uid != 0 && holder->count > BROKER_FEW;
}

static struct stream *stream_new(struct broker *b, int fd, struct holder *holder, bool calls)
{
    struct stream *s = calloc(1, sizeof *s);
    int small = SMALL;

    if (!s)
        return NULL;
    s->broker = b;
    s->holder = holder;
    s->fd = fd;
    s->calls = calls;
    if (stream_is_one_of_many(holder))
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    list_append(&b->streams, &s->link);
    return s;
}

static void stream_free(struct stream *s)
{
    watch_drop(s->broker->loop, &s->watch);
    if (s->fd >= 0)
        close(s->fd);
    holder_give(&s->broker->holders, s->holder);
    list_remove(&s->link);
    free(s);
}

/* ---- the end ---- */

static void close_all(struct stream *s, enum book_end how, struct reason reason)
{
    bool broken = how != BOOK_ORDER;

    pump_drop(&s->pump);
    timer_drop(&s->last);
    entry_end(&s->broker->book, &s->entry, how, reason);
    s->local->ops->close(s->local, broken);
    s->far->ops->close(s->far, broken);
    stream_free(s);
}

/* It is this guest's program that broke it off: the other end is told why. */
static void break_off(struct stream *s, enum book_end how, struct reason reason)
{
    end_blame(s->far, reason);
    close_all(s, how, reason_has_detail(reason) ? reason : REASON(NONE));
}

static void reset_due(struct timer *t)
{
    struct stream *s = container_of(t, struct stream, last);

    break_off(s, BOOK_RESET_HERE, s->said.code ? s->said : REASON(ABORTED));
}

static void over(struct pump *p, int err)
{
    struct stream *s = container_of(p, struct stream, pump);

    if (err && p->culprit == s->far) {
        close_all(s, BOOK_RESET_THERE, end_reason(s->far));
    } else if (err == -SWORN_RESET) {
        /* What was gathered is sent before the loop sleeps, and a reset would take it away. */
        timer_set(s->broker->loop, &s->last, clock_ns(), reset_due);
    } else if (err == -ECONNRESET || p->flow[1].lost) {
        break_off(s, BOOK_UNREAD_HERE, REASON(UNREAD));
    } else if (err) {
        break_off(s, BOOK_RESET_HERE, REASON(ABORTED));
    } else {
        close_all(s, p->flow[0].lost || sworn_has_dropped(s->local) ? BOOK_UNREAD_THERE : BOOK_ORDER, REASON(NONE));
    }
}

static void vouched(struct entry *e)
{
    sworn_vouched(stream_of(e)->local);
}

static void said_end(struct entry *e)
{
    sworn_said_end(stream_of(e)->local);
}

static void said_reset(struct entry *e, struct reason why)
{
    stream_of(e)->said = why;
    sworn_said_reset(stream_of(e)->local);
}

static void abandoned(struct entry *e)
{
    break_off(stream_of(e), BOOK_RESET_HERE, REASON(ABORTED));
}

static const struct entry_kind kind = { .vouched = vouched, .said_end = said_end, .said_reset = said_reset, .abandoned = abandoned };

/* ---- the beginning ---- */

/* The socket becomes an end, and bytes flow.  False: no memory, and the socket is the stream's still. */
static bool begin(struct stream *s, struct end *far, uint32_t number)
{
    if (!(s->local = sworn_socket(s->broker->loop, s->fd, s->calls, &s->broker->edges, s->line_waits)))
        return false;
    s->fd = -1;
    s->far = far;
    s->entry.uid = s->holder->uid;
    s->entry.kind = &kind;
    entry_open(&s->broker->book, &s->entry, number);
    pump_start(&s->pump, s->broker->loop, s->local, s->far, over);
    return true;
}

void stream_take(struct broker *b, int fd, struct holder *holder, struct end *far, uint32_t number, bool calls)
{
    struct stream *s = stream_new(b, fd, holder, calls);

    if (s && begin(s, far, number))
        return;
    end_blame(far, REASON(SHORT));
    far->ops->close(far, true);
    if (s) {
        stream_free(s);
        return;
    }
    close(fd);
    holder_give(&b->holders, holder);
}

/* Whoever has said CALL is told why, in the words that tools/sides/knock.c knows; the others may ask. */
void stream_refuse(struct broker *b, int fd, uint32_t cid, uint32_t port, bool calls, const char *by, struct reason why)
{
    char line[64], words[REASON_WORDS];
    struct ucred who;
    int len = snprintf(line, sizeof line, "REFUSED %s%s%s\n", by, why.code ? " " : "", why.code ? reason_words(words, why) : "");

    if (peercred_of(fd, &who))
        turned_note(&b->turned, &who, cid, port, why);
    sworn_take_newline(fd);
    if (calls)
        (void)!send(fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void refuse(struct stream *s, int err)
{
    const char *by = s->dial.refused.code || err == -ECONNREFUSED || err == -ECONNRESET ? "port"
                   : err == -ETIMEDOUT ? "time" : err == -ENETDOWN ? "device" : "daemon";

    stream_refuse(s->broker, s->fd, s->cid, s->dial.port, s->calls, by, s->dial.refused);
    stream_free(s);
}

static void let_in(const struct stream *s)
{
    struct turned_away *turned = &s->broker->turned;
    struct ucred who;

    if (turned->count && peercred_of(s->fd, &who))
        turned_let_in(turned, &who, s->cid, s->dial.port);
}

static void answered(struct dial *d, int err, struct end *end)
{
    struct stream *s = d->arg;
    uint32_t number;
    char line[32];
    int len;

    watch_drop(s->broker->loop, &s->watch);
    if (err) {
        refuse(s, err);
        return;
    }
    let_in(s);
    number = book_number(&s->broker->book);
    len = snprintf(line, sizeof line, "OK %u\n", number);
    if (send(s->fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) == len && begin(s, end, number))
        return;
    end->ops->close(end, true);
    stream_free(s);
}

void stream_tell_why(struct broker *b, int fd, uint32_t cid, uint32_t port)
{
    char line[TURNED_LINE];
    struct ucred who;
    bool known = peercred_of(fd, &who);
    int len = turned_line(line, port, known ? turned_find(&b->turned, &who, cid, port) : NULL);

    (void)!send(fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void gone(struct watch *w)
{
    struct stream *s = container_of(w, struct stream, watch);

    dial_drop(&s->dial);
    stream_free(s);
}

void stream_call(struct broker *b, int fd, struct holder *holder, uint32_t cid, uint32_t port, bool calls)
{
    struct stream *s = stream_new(b, fd, holder, calls);

    if (!s) {
        close(fd);
        holder_give(&b->holders, holder);
        return;
    }
    s->cid = cid;
    s->line_waits = true;
    snprintf(s->peer, sizeof s->peer, "%u", cid);
    watch_add(b->loop, &s->watch, fd, gone);
    s->watch.want = POLLHUP;
    s->dial = (struct dial){ .side = b->side, .peer = s->peer, .port = port, .patience = PATIENCE, .done = answered, .arg = s,
                             .buffer = stream_is_one_of_many(holder) ? BROKER_BUFFER : 0 };
    dial_start(&s->dial);
}

void streams_end(struct broker *b)
{
    while (!list_is_empty(&b->streams)) {
        struct stream *s = container_of(b->streams.next, struct stream, link);

        if (s->local)
            close_all(s, BOOK_CUT, REASON(NONE));
        else
            gone(&s->watch);
    }
}

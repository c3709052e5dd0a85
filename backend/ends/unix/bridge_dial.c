/* SPDX-License-Identifier: MIT */
/* bridge_dial.c: a guest calls a port of the host's: the dialer is asked for a connection, and what it has come to is the stream's beginning. */
#include "bridge_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"
#include "from_line.h"
#include "gate.h"
#include "watchers.h"

#define OWN_NAME   108          /* bytes of a name in the abstract namespace, with its end */
#define NAME_TRIES 8            /* nobody can guess a number, but a name may still be taken; without one it goes on as well */

/* Asks for a connection under a name that says who calls and which stream it is, or under none when too many were taken. */
static void dial(struct bridge *b)
{
    struct hostside *host = b->s.lane->host;
    const struct vmux_conn *v = &b->s.v;
    uint32_t number = fates_number(&host->fates);
    char own[OWN_NAME] = "";

    if (b->dials++ < NAME_TRIES && host->door)
        snprintf(own, sizeof own, "xvs/%s/%llu:%u/%u", host->door->name, (unsigned long long)v->peer.cid, v->peer.port, number);
    fate_open(&host->fates, &b->fate, number);
    host->all->dial(host, number, v->local.port, v->c.type, own);
}

/* The guest has its share of descriptors: says so, once until it has less than half of them again. */
static int refuse_more(struct lane *lane)
{
    if (!lane->account->told)
        journal_guest(lane->journal, JOURNAL_WARNING, "more streams to host programs are refused: it holds %u descriptors, its share; "
                      "LimitNOFILE= in xvsd.service bounds them all", lane->account->files);
    lane->account->told = true;
    return -EMFILE;
}

int bridge_offer(struct stream *s)
{
    struct bridge *b = bridge_of(s);

    if (s->v.local.cid != VSOCKIF_CID_HOST)
        return -ENOENT;
    if (!gate_lets_out(s->lane, POLICY_UNIX, NULL, s->v.local.port))
        return -EACCES;
    if (!account_take_file(s->lane->account))
        return refuse_more(s->lane);
    b->socket.fd = -1;
    fate_init(&b->fate, &bridge_watched_kind);
    dial(b);
    return 0;
}

/* ---- the answer ---- */

/* No host program listens there. */
static bool is_nobody(int err)
{
    return err == -ENOENT || err == -ECONNREFUSED;
}

static struct reason reason_of_dial(const struct bridge_dialed *dialed)
{
    switch (*dialed->why ? EACCES : -dialed->fd) {
    case EPROTOTYPE:   return REASON(TYPE);
    case EAGAIN:       return REASON(BACKLOG);
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:      return REASON(SHORT);
    case ENOENT:
    case ECONNREFUSED: return REASON(NOBODY);
    default:           return REASON(UNUSABLE);
    }
}

/* No host program takes it. */
static void refuse_guest(struct bridge *b, const struct bridge_dialed *dialed)
{
    struct lane *lane = b->s.lane;

    bridge_drop_number(b, FATE_HOST_RESET);
    if (*dialed->why)
        journal_guest(lane->journal, JOURNAL_WARNING, "a connection to a host program is refused: %s/%s", dialed->dir, dialed->why);
    if (dialed->fd == -EMFILE || dialed->fd == -ENFILE)
        loop_out_of_files(lane->all->loop);
    if (journal_shows(JOURNAL_DEBUG))
        journal_guest(lane->journal, JOURNAL_DEBUG, "no host program takes port %u: %s", b->s.v.local.port, strerror(-dialed->fd));
    if (is_nobody(dialed->fd) && !*dialed->why) {
        b->dials = 0;
        account_give_file(lane->account);
        stream_pass_on(&b->s);
        return;
    }
    stream_refuse(&b->s, reason_of_dial(dialed));
}

/* The first that is written to a socket fits, or the listener has gone; and the guest may not begin before it has been answered.  A
 * listener that cannot be told who calls is not to be called. */
static int say_from(struct bridge *b, int fd)
{
    const struct door *door = b->s.lane->host->door;
    char line[FROM_LINE];
    int len;

    if (!door)
        return -ENOENT;
    len = from_line(line, b->s.v.peer.cid, b->s.v.peer.port, door->name);
    if (send(fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
        return -ECONNREFUSED;
    held_wrote(held_of(b), &b->in_socket, (uint32_t)len);
    return 0;
}

/* A voucher may have been faster than the dialer's word: he has his place. */
static void accept_guest(struct bridge *b, const struct bridge_dialed *dialed)
{
    struct account *account = b->s.lane->account;
    struct bridge_dialed failed = *dialed;
    bool keeps = dialed->vouched && !watchers_vouch(&b->fate.watched);

    if (keeps && !account_keep(account)) {
        close(dialed->fd);
        refuse_more(b->s.lane);
        stream_refuse(&b->s, REASON(LIMIT));
        return;
    }
    if ((dialed->for_all && (failed.fd = say_from(b, dialed->fd))) || (failed.fd = bridge_take_socket(b, dialed->fd))) {
        close(dialed->fd);
        if (keeps)
            account_give_kept(account);
        refuse_guest(b, &failed);
        return;
    }
    b->dials = 0;
    b->writable = true;
    b->keeps = keeps;
    b->holds |= dialed->vouched;
    stream_opened(&b->s);
    vmux_answer(b->s.lane->mux, &b->s.v);
    lane_wake(b->s.lane);
}

void bridge_dialed(struct hostside *host, const struct bridge_dialed *dialed)
{
    struct fate *fate = fates_find(&host->fates, dialed->request);
    struct bridge *b = fate && fate->watched.kind == &bridge_watched_kind ? container_of(fate, struct bridge, fate) : NULL;

    if (!b || !b->dials) {
        if (dialed->fd >= 0)
            close(dialed->fd);  /* its guest did not wait for it */
        return;
    }
    if (dialed->fd >= 0) {
        accept_guest(b, dialed);
        return;
    }
    if (dialed->fd == -EADDRINUSE && b->dials <= NAME_TRIES) {
        fate_close(&host->fates, fate);
        dial(b);
    } else {
        refuse_guest(b, dialed);
    }
}

/* ---- another dialer ---- */

static void redial(struct vmux_conn *conn, void *arg)
{
    struct stream *s = stream_of(conn);
    struct bridge *b = bridge_of(s);

    if (conn->released || !s->kind || s->kind->offer != bridge_offer || !b->dials)
        return;
    bridge_drop_number(b, FATE_STOPPED);
    b->holds = b->said_end = b->breaks = false;         /* whoever vouched did so for a connection that has gone */
    b->dials = 0;
    dial(b);
    (void)arg;
}

void bridge_redial(struct hostside *host)
{
    if (host->lane->mux)
        vmux_each(host->lane->mux, redial, NULL);
}

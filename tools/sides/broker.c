/* SPDX-License-Identifier: MIT */
/* broker.c: connections in a guest whose agent has the device, over the agent's UNIX sockets, which are as xvsd's in dom0 (xvs-agent(8)).
 *
 *     calling       at RUN/vsock, with the CID before the port (knock.h)
 *     being called  listen at RUN/vsock_<port> (called.h)
 *
 * Every stream is vouched for. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "called.h"
#include "knock.h"
#include "peer.h"
#include "refusal.h"
#include "say.h"

static int open_dir(void)
{
    int fd = open(run_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int messages_refused(bool wanted, char why[WHY])
{
    if (!wanted)
        return 0;
    snprintf(why, WHY, "xvs-agent has the device of this guest, and lends streams alone, no messages (--seqpacket)");
    return -ESOCKTNOSUPPORT;
}

/* ---- calling ---- */

static int target(const struct dial *d, char *text, size_t room)
{
    struct dial named = { .side = d->side, .peer = d->peer };
    uint64_t cid = 0;

    peer_cid(&named, &cid);     /* broker_dial() has looked */
    return snprintf(text, room, "%llu:%u\n", (unsigned long long)cid, d->port);
}

static int explain(struct dial *d, struct reason reason, const char *by)
{
    if (strcmp(by, "device") == 0)
        return peer_down(d, "says xvs-agent");
    return refusal_explain(d->why, reason, d->peer, d->port, false);
}

static int absent(struct dial *d, int err)
{
    bool is_nobody = err == -ENOENT || err == -ECONNREFUSED || err == -ENOTSOCK;

    snprintf(d->why, sizeof d->why, is_nobody ? "xvs-agent, which has the device of this guest, does not answer at %s/vsock: %s"
                                              : "cannot connect to xvs-agent's socket, %s/vsock: %s", run_dir(), errno_words(err));
    return is_nobody ? -ENOENT : err;
}

static int broker_dial(struct dial *d)
{
    static const struct knock_kind kind = { .who = "xvs-agent", .always = true, .target = target, .explain = explain, .absent = absent };
    uint64_t cid;
    int err = peer_cid(d, &cid), dirfd;

    if (err || (err = messages_refused(d->messages, d->why)))
        return err;
    return (dirfd = open_dir()) < 0 ? absent(d, dirfd) : knock(d, dirfd, true, &kind);
}

/* ---- being called ---- */

static int broker_listen(struct listening *l)
{
    int err = peer_none(l), dirfd;

    if (err || (err = messages_refused(l->messages, l->why)))
        return err;
    if ((dirfd = open_dir()) < 0) {
        snprintf(l->why, sizeof l->why, "cannot open %s: %s", run_dir(), errno_words(dirfd));
        return dirfd;
    }
    return called_begin(l, dirfd, "this guest");
}

/* ---- whether there is one ---- */

static int broker_open(struct side *s, char *why)
{
    int dirfd = open_dir(), fd = dirfd < 0 ? dirfd : unix_connect(dirfd, "vsock", SOCK_NONBLOCK);

    if (dirfd >= 0)
        close(dirfd);
    if (fd < 0 && fd != -EAGAIN) {
        snprintf(why, WHY, "%s/vsock: %s", run_dir(), errno_words(fd));
        return fd;
    }
    if (fd >= 0)
        close(fd);
    if (s->options.verbose)
        say("xvs-agent has the device, and lends it at %s/vsock", run_dir());
    return 0;
}

static void broker_close(struct side *s)
{
    (void)s;
}

const struct side_ops side_broker = {
    .open = broker_open,
    .close = broker_close,
    .dial = broker_dial,
    .dial_abort = knock_abort,
    .listen = broker_listen,
    .accept = called_accept,
    .unlisten = called_unlisten,
};

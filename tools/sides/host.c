/* SPDX-License-Identifier: MIT */
/* host.c: connections in dom0, over the UNIX sockets of the daemon (Firecracker's convention).
 *
 *     calling       at RUN/guest/NAME/vsock (knock.h)
 *     being called  listen at RUN/guest/NAME/vsock_<port>, or for all guests at RUN/any/vsock_<port> (called.h) */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "called.h"
#include "find.h"
#include "knock.h"
#include "refusal.h"
#include "say.h"

/* Where the reason is that nobody is there, or none was given, the daemon's record of the guest may tell more. */
static int explain(struct dial *d, struct reason reason, const char *by)
{
    int err = refusal_explain(d->why, reason, d->peer, d->port, true);
    const char *use, *says;
    json_t *answer = NULL, *record;
    char asked[WHY];

    (void)by;
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

static int target(const struct dial *d, char *text, size_t room)
{
    return snprintf(text, room, "%u\n", d->port);
}

static int absent(struct dial *d, int err)
{
    if (err == -ENOENT || err == -ECONNREFUSED) {
        snprintf(d->why, sizeof d->why, "%s is not attached, or xvsd is not running; see 'xvs ls'", d->peer);
        return -ENOENT;
    }
    if (err == -ENOTSOCK) {
        snprintf(d->why, sizeof d->why, "xvsd is not running, and what is at vsock in the directory of %s is not its socket; "
                 "remove it, and start xvsd", d->peer);
        return -ENOENT;
    }
    if (err == -ESOCKTNOSUPPORT)
        snprintf(d->why, sizeof d->why, "the xvsd of this host is older than messages (--seqpacket): start the new one");
    else
        snprintf(d->why, sizeof d->why, "cannot connect to the daemon's socket of %s: %s", d->peer, errno_words(err));
    return err;
}

static int host_dial(struct dial *d)
{
    static const struct knock_kind kind = { .who = "the daemon", .target = target, .explain = explain, .absent = absent };
    int dirfd;

    if (!d->peer) {
        snprintf(d->why, sizeof d->why, "in dom0 a guest is needed");
        return -EINVAL;
    }
    dirfd = find_guest(d->peer, d->side->options.device, d->why);
    return dirfd < 0 ? dirfd : knock(d, dirfd, d->vouches, &kind);
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
    .dial_abort = knock_abort,
    .listen = called_listen,
    .accept = called_accept,
    .unlisten = called_unlisten,
};

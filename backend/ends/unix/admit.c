/* SPDX-License-Identifier: MIT */
/* admit.c: see admit.h. */
#include "admit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "gate.h"
#include "peercred.h"

#define FEW 65                  /* groups, the first one included, for which no memory is taken */

struct whose {
    struct policy_peer peer;
    gid_t few[FEW], *many;      /* NULL: they are few */
};

/* 0 and how many groups there are besides the first, which are in all[1]…; -ERANGE: they are more than room. */
static int ask_groups(int fd, gid_t *all, size_t room, size_t *count)
{
    socklen_t len = (socklen_t)((room - 1) * sizeof *all);
    int err = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, all + 1, &len) ? -errno : 0;

    *count = len / sizeof *all;
    return err;
}

static int find_groups(struct whose *w, int fd)
{
    gid_t *all = w->few;
    size_t count;
    int err = ask_groups(fd, all, FEW, &count);

    if (err == -ERANGE) {
        if (!(w->many = all = calloc(count + 1, sizeof *all)))
            return -ENOMEM;
        err = ask_groups(fd, all, count + 1, &count);
    }
    if (err)
        return err;
    *all = *w->few;
    w->peer.groups = all;
    w->peer.group_count = count + 1;
    return 0;
}

/* 0 or a negative errno; free(w->many) is due in any case. */
static int find_whose(struct whose *w, int fd, const struct policy *policy)
{
    struct ucred cred;

    w->many = NULL;
    if (!peercred_of(fd, &cred))
        return -errno;
    *w->few = cred.gid;
    w->peer = (struct policy_peer){ cred.uid, w->few, 1 };
    return policy->asks_groups ? find_groups(w, fd) : 0;
}

/* 'tells': who is kept out is told of. */
static int judge(const struct lane *lane, int fd, uint32_t port, struct lane *tells)
{
    const struct policy *policy = lane->all->policy;
    bool asks = policy->asks_user || policy->asks_groups;
    const struct policy_peer *peer;
    struct whose w;
    int err = 0;

    w.many = NULL;
    if (asks)
        err = find_whose(&w, fd, policy);
    peer = asks && !err ? &w.peer : NULL;
    if (!err && !gate_lets_in(lane, POLICY_UNIX, peer, port))
        err = -EACCES;
    if (err == -EACCES && tells)
        gate_refused_in(tells, POLICY_UNIX, peer, port);
    free(w.many);
    return err;
}

int admit(const struct lane *lane, int fd, uint32_t port)
{
    return judge(lane, fd, port, NULL);
}

int admit_client(struct lane *lane, int fd, uint32_t port)
{
    return judge(lane, fd, port, lane);
}

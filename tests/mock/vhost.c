/* SPDX-License-Identifier: MIT */
/* vhost.c: the host's /dev/vhost-vsock, with nothing behind it: it is there or not, and knows who has which CID.
 *
 * A device is the writing end of a pipe whose other end is kept here, which says when nobody has the device any more. */
#include <fcntl.h>
#include <linux/vhost.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mock.h"

#define DEVICES 16u

static struct vhost {
    bool used;
    int reader;
    ino_t inode;
    uint64_t cid;                   /* 0: none yet */
} devices[DEVICES];
static bool is_there;
static uint64_t taken_cid;

static ino_t inode_of(int fd)
{
    struct stat st;

    MOCK_MUST(!fstat(fd, &st), "vhost: descriptor %d is not open", fd);
    return st.st_ino;
}

static void forget_closed(void)
{
    for (struct vhost *v = devices; v < devices + DEVICES; v++) {
        struct pollfd p = { .fd = v->reader };

        if (!v->used || poll(&p, 1, 0) != 1 || !(p.revents & POLLHUP))
            continue;
        close(v->reader);
        v->used = false;
    }
}

void mock_vhost(bool there, uint64_t taken)
{
    is_there = there;
    taken_cid = taken;
}

void mock_vhost_reset(void)
{
    forget_closed();
    for (struct vhost *v = devices; v < devices + DEVICES; v++)
        MOCK_MUST(!v->used, "vhost: the device of CID %llu is open", (unsigned long long)v->cid);
    mock_vhost(false, 0);
}

bool mock_vhost_has(uint64_t cid)
{
    forget_closed();
    for (const struct vhost *v = devices; v < devices + DEVICES; v++)
        if (v->used && v->cid == cid)
            return true;
    return false;
}

int mock_vhost_open(void)
{
    struct vhost *v = devices;
    int fds[2];

    if (!is_there) {
        errno = ENOENT;
        return -1;
    }
    forget_closed();
    while (v->used)
        MOCK_MUST(++v < devices + DEVICES, "vhost: too many devices");
    MOCK_MUST(!pipe2(fds, O_CLOEXEC), "vhost: no pipe");
    *v = (struct vhost){ .used = true, .reader = fds[0], .inode = inode_of(fds[0]) };
    return fds[1];
}

static int set_cid(int fd, uint64_t cid)
{
    ino_t inode = inode_of(fd);

    forget_closed();
    for (const struct vhost *v = devices; v < devices + DEVICES; v++)
        if (cid == taken_cid || (v->used && v->inode != inode && v->cid == cid)) {
            errno = EADDRINUSE;
            return -1;
        }
    for (struct vhost *v = devices; v < devices + DEVICES; v++)
        if (v->used && v->inode == inode) {
            v->cid = cid;
            return 0;
        }
    errno = ENOTTY;
    return -1;
}

int mock_vhost_ioctl(int fd, unsigned long what, void *argument)
{
    switch (what) {
    case VHOST_VSOCK_SET_GUEST_CID:
        return set_cid(fd, *(const uint64_t *)argument);
    case VHOST_GET_FEATURES:
        *(uint64_t *)argument = ~UINT64_C(0);
        return 0;
    default:
        return 0;
    }
}

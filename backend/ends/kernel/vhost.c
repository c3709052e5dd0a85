/* SPDX-License-Identifier: MIT */
/* vhost.c: see vhost.h. */
#include "vhost.h"

#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_vsock.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FEATURES (UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)
#define MESSAGES (UINT64_C(1) << VIRTIO_VSOCK_F_SEQPACKET)

/* All of our memory, under its own addresses: x86-64's user half without its first page. */
#define FIRST_ADDRESS UINT64_C(0x1000)
#define LAST_ADDRESS  UINT64_C(0x7ffffffff000)

static int open_events(struct vhost *v)
{
    int *fds[] = { &v->kick[VHOST_RX], &v->kick[VHOST_TX], &v->call, &v->error };

    for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++)
        if ((*fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
            return -errno;
    return 0;
}

/* On what we need, and on messages where the kernel has them. */
static int agree(struct vhost *v)
{
    uint64_t features;

    if (ioctl(v->fd, VHOST_GET_FEATURES, &features))
        return -1;
    v->has_messages = features & MESSAGES;
    features = FEATURES | (features & MESSAGES);
    return ioctl(v->fd, VHOST_SET_FEATURES, &features);
}

static int give_memory(const struct vhost *v)
{
    union {
        struct vhost_memory table;
        char room[sizeof(struct vhost_memory) + sizeof(struct vhost_memory_region)];
    } memory = { .room = { 0 } };

    memory.table.nregions = 1;
    memory.table.regions[0] = (struct vhost_memory_region){
        .guest_phys_addr = FIRST_ADDRESS, .userspace_addr = FIRST_ADDRESS, .memory_size = LAST_ADDRESS - FIRST_ADDRESS
    };
    return ioctl(v->fd, VHOST_SET_MEM_TABLE, &memory);
}

static int give_queue(const struct vhost *v, unsigned i, const struct virtq *q)
{
    struct vhost_vring_state size = { i, VIRTQ_ENTRIES }, base = { i, 0 };
    struct vhost_vring_addr addr = {
        .index = i, .desc_user_addr = (uintptr_t)q->ring.desc, .avail_user_addr = (uintptr_t)q->ring.avail,
        .used_user_addr = (uintptr_t)q->ring.used
    };
    struct vhost_vring_file kick = { i, v->kick[i] }, call = { i, v->call }, error = { i, v->error };

    return ioctl(v->fd, VHOST_SET_VRING_NUM, &size) || ioctl(v->fd, VHOST_SET_VRING_BASE, &base) ||
           ioctl(v->fd, VHOST_SET_VRING_ADDR, &addr) || ioctl(v->fd, VHOST_SET_VRING_KICK, &kick) ||
           ioctl(v->fd, VHOST_SET_VRING_CALL, &call) || ioctl(v->fd, VHOST_SET_VRING_ERR, &error);
}

static int run(const struct vhost *v, int on)
{
    return ioctl(v->fd, VHOST_VSOCK_SET_RUNNING, &on);
}

int vhost_begin(struct vhost *v, int fd, struct virtq queue[VHOST_QUEUES], const char **what)
{
    int err = 0;

    *v = (struct vhost){ .fd = fd, .kick = { -1, -1 }, .call = -1, .error = -1 };
    *what = "eventfd";
    if (!(err = open_events(v))) {
        *what = NULL;
        if (ioctl(fd, VHOST_SET_OWNER, NULL))
            *what = "VHOST_SET_OWNER";
        else if (agree(v))
            *what = "VHOST_SET_FEATURES";
        else if (give_memory(v))
            *what = "VHOST_SET_MEM_TABLE";
        else if (give_queue(v, VHOST_RX, &queue[VHOST_RX]) || give_queue(v, VHOST_TX, &queue[VHOST_TX]))
            *what = "VHOST_SET_VRING";
        else if (run(v, 1))
            *what = "VHOST_VSOCK_SET_RUNNING";
        err = *what ? -errno : 0;
    }
    if (err)
        vhost_close(v);
    return err;
}

void vhost_kick(const struct vhost *v, unsigned queue)
{
    uint64_t one = 1;

    (void)!write(v->kick[queue], &one, sizeof one);     /* full: it has more than enough */
}

void vhost_stop(struct vhost *v)
{
    run(v, 0);
}

void vhost_close(struct vhost *v)
{
    int *fds[] = { &v->fd, &v->kick[VHOST_RX], &v->kick[VHOST_TX], &v->call, &v->error };

    for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

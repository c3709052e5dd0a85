/* SPDX-License-Identifier: MIT */
/* test_backend_pipe.c: packets to the host's kernel and from it, where the kernel's end of the rings is the test's: what no kernel
 * writes, and what is short.  With the kernel's own: tests/vhost. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "pipe.h"

/* So many mappings are still to be had. */
static int maps = 1000;

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
    if (maps-- <= 0) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)(uintptr_t)syscall(SYS_mmap, at, len, prot, flags, fd, off);
}

static struct pipe p;

/* ---- one queue ---- */

static char piece[2][8];

/* The device is done with this one, or says so of any. */
static void device_gives_back(struct virtq *q, uint32_t id, uint32_t written)
{
    q->ring.used->ring[q->ring.used->idx % VIRTQ_ENTRIES] = (struct vring_used_elem){ id, written };
    __atomic_store_n(&q->ring.used->idx, (uint16_t)(q->ring.used->idx + 1), __ATOMIC_SEQ_CST);
}

static uint16_t add(struct virtq *q, uint16_t count)
{
    struct iovec all[2] = { { piece[0], 8 }, { piece[1], 8 } };

    return virtq_add(q, all, count, false);
}

static void a_name_that_is_no_chains_is_not_followed(void)
{
    struct virtq q;
    uint16_t chain = 0, first, second;
    uint32_t written;

    REQUIRE(virtq_init(&q) == 0);
    first = add(&q, 2);
    second = add(&q, 1);
    EQ(q.room, VIRTQ_ENTRIES - 3);
    device_gives_back(&q, VIRTQ_ENTRIES, 1);
    device_gives_back(&q, UINT32_MAX, 1);
    device_gives_back(&q, q.ring.desc[first].next, 1);  /* within a chain */
    device_gives_back(&q, 200, 1);                      /* never added */
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_FALSE(virtq_take(&q, &chain, &written));
        EQ(q.room, VIRTQ_ENTRIES - 3);
    }
    device_gives_back(&q, second, 5);
    device_gives_back(&q, second, 6);                   /* once more */
    device_gives_back(&q, first, 7);
    CU_ASSERT_TRUE(virtq_take(&q, &chain, &written) && chain == second && written == 5);
    CU_ASSERT_FALSE(virtq_take(&q, &chain, &written));
    CU_ASSERT_TRUE(virtq_take(&q, &chain, &written) && chain == first && written == 7);
    EQ(q.room, VIRTQ_ENTRIES);
    virtq_free(&q);
}

/* ---- a pipe ---- */

static struct room {
    struct vsockif_hdr hdr;
    uint8_t data[PIPE_BUFFER];
} rooms[3];

/* Without a kernel: nobody is woken. */
static void begin(void)
{
    memset(&p, 0, sizeof p);
    p.is_dead = true;
    REQUIRE(virtq_init(&p.queue[VHOST_RX]) == 0 && virtq_init(&p.queue[VHOST_TX]) == 0);
    for (int i = 0; i < 3; i++) {
        list_init(&p.buffer[i].link);
        p.buffer[i].hdr = &rooms[i].hdr;
        p.buffer[i].data = rooms[i].data;
        pipe_repost(&p, &p.buffer[i]);
    }
}

static void end(void)
{
    virtq_free(&p.queue[VHOST_RX]);
    virtq_free(&p.queue[VHOST_TX]);
}

/* The kernel has written so many bytes into the buffer, and its header says that there are len of data. */
static void kernel_writes(int i, uint32_t len, uint32_t written)
{
    uint16_t chain = 0;

    while (p.posted[chain] != &p.buffer[i])
        chain++;
    rooms[i].hdr.len = len;
    device_gives_back(&p.queue[VHOST_RX], chain, written);
}

static void a_packet_that_says_more_than_is_in_it_is_left_out(void)
{
    const uint32_t hdr = sizeof(struct vsockif_hdr);
    uint16_t posted;

    begin();
    posted = p.queue[VHOST_RX].avail;
    kernel_writes(0, 11, hdr + 10);
    kernel_writes(1, 0, hdr - 1);
    kernel_writes(2, 10, hdr + 10);
    CU_ASSERT_PTR_EQUAL(pipe_recv(&p), &p.buffer[2]);
    CU_ASSERT_PTR_NULL(pipe_recv(&p));
    /* Those two are there for the next packets. */
    EQ(p.queue[VHOST_RX].avail, posted + 2);
    EQ(p.queue[VHOST_RX].room, VIRTQ_ENTRIES - 2);
    kernel_writes(0, UINT32_MAX, hdr + PIPE_BUFFER);
    kernel_writes(1, PIPE_BUFFER, hdr + PIPE_BUFFER);
    CU_ASSERT_PTR_EQUAL(pipe_recv(&p), &p.buffer[1]);
    CU_ASSERT_PTR_NULL(pipe_recv(&p));
    end();
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* What was begun of it is undone, and the descriptor is gone in any case. */
static void a_pipe_that_cannot_begin_leaves_nothing(void)
{
    const char *what = "";
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC), before;

    REQUIRE(fd >= 0);
    before = dup(fd);           /* the lowest that is free */
    close(before);
    EQ(pipe_begin(&p, fd, &what), -ENOTTY);
    CU_ASSERT_STRING_EQUAL(what, "VHOST_SET_OWNER");
    CU_ASSERT_FALSE(is_open(fd) || is_open(before));
    CU_ASSERT_PTR_NULL(p.area);
    pipe_end(&p);               /* harmless */

    for (int left = 0; left < 3; left++) {      /* for the buffers, and each queue */
        REQUIRE((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0);
        maps = left;
        EQ(pipe_begin(&p, fd, &what), -ENOMEM);
        maps = 1000;
        CU_ASSERT_STRING_EQUAL(what, "memory");
        CU_ASSERT_FALSE(is_open(fd));
        CU_ASSERT_TRUE(!p.area && !p.queue[VHOST_RX].mem && !p.queue[VHOST_TX].mem);
        pipe_end(&p);
    }
    REQUIRE((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0);
    p = (struct pipe){ .vhost.fd = fd };        /* all that is zero was never begun */
    pipe_end(&p);
    CU_ASSERT_TRUE(is_open(fd));
    close(fd);
}

static const struct test tests[] = {
    TEST(a_name_that_is_no_chains_is_not_followed), TEST(a_packet_that_says_more_than_is_in_it_is_left_out),
    TEST(a_pipe_that_cannot_begin_leaves_nothing),
};

int main(int argc, char **argv)
{
    return harness_run("pipe", tests, sizeof tests / sizeof *tests, argc, argv);
}

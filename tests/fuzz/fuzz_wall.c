/* SPDX-License-Identifier: MIT */
/* fuzz_wall.c: a worker that has been taken over, before the whole keeper, on a mocked host (tests/mock).
 *
 * Two guests are connected.  Then the input is spoken to the keeper on the worker's own socket, beside what the worker says: messages of
 * any kind, size and content, or bytes that are none.  Whatever comes: the keeper goes on; what is no good message ends the worker, and
 * there is another one; directories of others and nodes of others stay as they are; in the end a new guest is served, the daemon stops,
 * and nothing is left.
 *
 * A byte says what is said: a kind, or 63 for bytes as they are; 64 gives it a descriptor, 128 lets the keeper work between. */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front.h"
#include "host.h"
#include "mock.h"
#include "process.h"
#include "wall.h"
#include "whole.h"
#include "world.h"

static struct front a, b;

/* The socket at which the keeper hears the worker: of each pair the second is the child's, and the worker's is made first. */
static int worker_end(void)
{
    int found = 0;

    for (int fd = 3; fd < 200; fd++) {
        int type = 0;
        socklen_t len = sizeof type;

        if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && type == SOCK_SEQPACKET && ++found == 2)
            return fd;
    }
    return -1;
}

static void say(const void *bytes, size_t len, bool with_fd)
{
    char control[CMSG_SPACE(sizeof(int))] = "";
    struct iovec iov = { (void *)(uintptr_t)bytes, len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    int fd = with_fd ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1, end = worker_end();

    if (fd >= 0) {
        struct cmsghdr *c;

        msg.msg_control = control;
        msg.msg_controllen = sizeof control;
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    if (end >= 0)
        (void)!sendmsg(end, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (fd >= 0)
        close(fd);
}

/* The size that a kind has, found by asking. */
static size_t size_of(struct wall_msg *m)
{
    for (size_t len = offsetof(struct wall_msg, number) + 1; len <= sizeof *m; len++)
        if (!wall_judge(m, len, true))
            return len;
    return 8;
}

static void run(const uint8_t *data, size_t size)
{
    char path[300];
    struct stat st;

    world_new();
    world_settings("[daemon]\nspin_us = 0\n");
    world_appear(1, "a");
    world_appear(2, "b");
    mock_store_write("/local/domain/9/data/secret", "kept");
    MOCK_MUST(world_daemon(), "it does not start: %s", process_log());
    front_init(&a, 1, 0);
    front_init(&b, 2, 0);
    MOCK_MUST(front_connect(&a) && front_connect(&b), "the guests do not connect: %s", process_log());
    for (size_t at = 0; at < size;) {
        uint8_t what = data[at++];
        struct wall_msg m = { 0 };
        size_t n = size - at < 24 ? size - at : 24;

        m.kind = what & 63;
        m.device = n ? data[at] % 5 : 0;        /* both guests', none's, and numbers that are nobody's */
        memcpy(&m.number, data + at, n);
        if ((what & 63) == 63)
            say(data + at, n, what & 64);
        else
            say(&m, size_of(&m), what & 64);
        at += n;
        if (what & 128)
            process_rest();
        MOCK_MUST(process_is_running(), "the worker has ended the keeper: %s", process_log());
    }
    process_pass(70000);        /* a worker that was ended many times comes back at last */
    MOCK_MUST(process_is_running(), "the worker has ended the keeper: %s", process_log());
    snprintf(path, sizeof path, "%.255s/control.sock", host_run_dir);
    MOCK_MUST(!stat(path, &st) && (st.st_mode & 0777) == 0600, "the control socket is not as it was");
    MOCK_MUST(mock_store_read("/local/domain/9/data/secret"), "a node of somebody else's is gone");
    world_serves(3, "new");
    MOCK_MUST(process_end(), "it does not stop: %s", process_log());
    MOCK_MUST(!*mock_left_over(), "%s", mock_left_over());
    front_die(&a);
    front_die(&b);
    world_over();
}

static void warm_up(void)
{
    world_open();
    atexit(world_close);
    run((const uint8_t *)"", 0);
}

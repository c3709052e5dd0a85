/* SPDX-License-Identifier: MIT */
/* host.c: see host.h. */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mock.h"

#define PIECE 65536u
#define WHOLE (80u << 10)        /* bytes of the largest message to a host program, xvsd(8) */

char host_run_dir[256];

void host_end_init(struct host_end *h)
{
    memset(h, 0, sizeof *h);
    h->fd = -1;
}

static bool address(struct sockaddr_un *a, const char *below)
{
    memset(a, 0, sizeof *a);
    a->sun_family = AF_UNIX;
    return (size_t)snprintf(a->sun_path, sizeof a->sun_path, "%.60s/%.40s", host_run_dir, below) < sizeof a->sun_path;
}

static bool open_as(struct host_end *h, int type, const char *below)
{
    struct sockaddr_un a;

    host_close(h);
    host_end_init(h);
    if (!address(&a, below))
        return false;
    h->messages = type == SOCK_SEQPACKET;
    h->fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (h->fd >= 0 && !connect(h->fd, (const struct sockaddr *)&a, sizeof a))
        return true;
    host_close(h);
    return false;
}

static bool connect_as(struct host_end *h, int type, const char *dir, uint32_t port, uint32_t say, uint8_t seed)
{
    char below[64], line[32];
    uint32_t len = (uint32_t)snprintf(line, sizeof line, "CONNECT %u\n", port);

    snprintf(below, sizeof below, "%.40s/vsock%s", dir, type == SOCK_SEQPACKET ? ".seqpacket" : "");
    if (!open_as(h, type, below))
        return false;
    h->wants_ok = true;
    h->out.seed = seed;
    host_say(h, line, say < len ? say : len);
    return true;
}

bool host_connect(struct host_end *h, const char *dir, uint32_t port, uint32_t say, uint8_t seed)
{
    return connect_as(h, SOCK_STREAM, dir, port, say, seed);
}

bool host_connect_messages(struct host_end *h, const char *dir, uint32_t port, uint32_t say, uint8_t seed)
{
    return connect_as(h, SOCK_SEQPACKET, dir, port, say, seed);
}

bool host_control(struct host_end *h)
{
    return open_as(h, SOCK_STREAM, "control.sock");
}

bool host_enter(struct host_end *h, const char *guest, const char *channel)
{
    char below[64];

    snprintf(below, sizeof below, "guest/%.20s/channel/%.20s", guest, channel);
    return open_as(h, SOCK_STREAM, below);
}

uint32_t host_say(struct host_end *h, const void *bytes, uint32_t len)
{
    ssize_t n = h->fd < 0 ? 0 : send(h->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    return n > 0 ? (uint32_t)n : 0;
}

uint32_t host_write(struct host_end *h, uint32_t len)
{
    static uint8_t bytes[PIECE];
    uint32_t all = 0, n;

    while (h->fd >= 0 && all < len) {
        struct flow next = h->out;
        uint32_t want = len - all < PIECE ? len - all : PIECE;

        flow_fill(&next, bytes, want);
        n = host_say(h, bytes, want);
        h->out.bytes += n;
        all += n;
        if (n < want)
            break;
    }
    return all;
}

/* Four words, the last of which can be the name of a directory, whatever the domain is called. */
static bool is_from(const char *line)
{
    unsigned long long cid;
    char name[160], rest;
    unsigned port;

    return sscanf(line, "FROM %llu %u %159[A-Za-z0-9_.+:-]%c", &cid, &port, name, &rest) == 3 && cid > 2 && *name != '.';
}

static bool take_line(struct host_end *h)
{
    h->line[h->line_len] = '\0';
    MOCK_MUST(h->wants_from ? is_from(h->line) : !strncmp(h->line, "OK ", 3), "the daemon's line is \"%s\"", h->line);
    h->wants_ok = h->wants_from = false;
    return true;
}

/* It is one. */
static bool read_line_message(struct host_end *h)
{
    ssize_t n = recv(h->fd, h->line, sizeof h->line - 1, MSG_DONTWAIT);

    if (n <= 0)
        return false;
    MOCK_MUST(h->line[n - 1] == '\n', "the daemon's message of %zd bytes is no line", n);
    h->line_len = (uint32_t)n - 1;
    return take_line(h);
}

static bool read_line(struct host_end *h)
{
    char c;

    if (h->messages)
        return read_line_message(h);
    while (recv(h->fd, &c, 1, MSG_DONTWAIT) == 1) {
        if (c == '\n')
            return take_line(h);
        MOCK_MUST(h->line_len + 1 < sizeof h->line, "the daemon's line is too long: %.30s", h->line);
        h->line[h->line_len++] = c;
    }
    return false;
}

uint32_t host_read(struct host_end *h, uint32_t max)
{
    static uint8_t bytes[WHOLE];
    uint32_t all = 0;

    if (h->fd < 0 || h->over || ((h->wants_ok || h->wants_from) && !read_line(h)))
        return 0;
    while (all < max) {
        ssize_t n = recv(h->fd, bytes, max - all < WHOLE && !h->messages ? max - all : WHOLE, MSG_DONTWAIT | MSG_TRUNC * h->messages);

        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0) {
            h->over = n < 0 ? -errno : 1;
            break;
        }
        MOCK_MUST(n <= (ssize_t)WHOLE, "a message of %zd bytes to a host program", n);
        MOCK_MUST(flow_check(&h->in, bytes, (uint32_t)n), "a host program reads what nobody sent, from %u", h->in.bytes);
        all += (uint32_t)n;
    }
    return all;
}

void host_half_close(struct host_end *h, int how)
{
    if (h->fd >= 0)
        shutdown(h->fd, how);
}

void host_close(struct host_end *h)
{
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
}

static int listen_as(int type, const char *dir, uint32_t port)
{
    struct sockaddr_un a;
    char below[64];
    int fd;

    snprintf(below, sizeof below, "%.40s/vsock_%u", dir, port);
    if (!address(&a, below))
        return -1;
    unlink(a.sun_path);
    fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !bind(fd, (const struct sockaddr *)&a, sizeof a) && !listen(fd, 4))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int host_listen(const char *dir, uint32_t port)
{
    return listen_as(SOCK_STREAM, dir, port);
}

int host_listen_messages(const char *dir, uint32_t port)
{
    return listen_as(SOCK_SEQPACKET, dir, port);
}

bool host_accept(struct host_end *h, int listener, uint8_t seed)
{
    struct sockaddr_un a = { 0 };
    socklen_t len = sizeof a, type_len = sizeof(int);
    int type = SOCK_STREAM;

    host_close(h);
    host_end_init(h);
    h->wants_from = listener >= 0 && !getsockname(listener, (struct sockaddr *)&a, &len) && strstr(a.sun_path, "/any/vsock_");
    h->messages = listener >= 0 && !getsockopt(listener, SOL_SOCKET, SO_TYPE, &type, &type_len) && type == SOCK_SEQPACKET;
    h->fd = listener < 0 ? -1 : accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    h->out.seed = seed;
    return h->fd >= 0;
}

void host_unlisten(int fd)
{
    struct sockaddr_un a = { 0 };
    socklen_t len = sizeof a;

    if (fd < 0)
        return;
    if (!getsockname(fd, (struct sockaddr *)&a, &len) && *a.sun_path)
        unlink(a.sun_path);
    close(fd);
}

/* SPDX-License-Identifier: MIT */
/* journald.c: see journald.h. */
#include "journald.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOW_FDS 10              /* descriptors that have numbers of their own */

static void put(struct journald_entry *e, const void *bytes, size_t len)
{
    if (len > sizeof e->bytes - e->len) {
        e->is_cut = true;
        return;
    }
    memcpy(e->bytes + e->len, bytes, len);
    e->len += len;
}

/* "NAME=value\n"; a value with a newline is told its length before, 64 bits, little-endian. */
void journald_add(struct journald_entry *e, const char *name, const char *value, size_t len)
{
    unsigned char size[8];

    put(e, name, strlen(name));
    if (!memchr(value, '\n', len)) {
        put(e, "=", 1);
    } else {
        for (size_t i = 0; i < sizeof size; i++)
            size[i] = (unsigned char)((uint64_t)len >> 8 * i);
        put(e, "\n", 1);
        put(e, size, sizeof size);
    }
    put(e, value, len);
    put(e, "\n", 1);
}

bool journald_is_ours(const char *stream, int fd)
{
    unsigned long long dev, ino;
    struct stat st;
    int end = 0;

    return stream && sscanf(stream, "%llu:%llu%n", &dev, &ino, &end) == 2 && !stream[end] && !fstat(fd, &st) &&
           st.st_dev == dev && st.st_ino == ino;
}

int journald_connect(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd, high = -1, err;

    if (snprintf(address.sun_path, sizeof address.sun_path, "%s", path) >= (int)sizeof address.sun_path)
        return -ENAMETOOLONG;
    if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) || (high = fcntl(fd, F_DUPFD_CLOEXEC, LOW_FDS)) < 0)
        err = -errno;
    else
        err = high;
    close(fd);
    return err;
}

bool journald_send(int fd, const struct journald_entry *e)
{
    return !e->is_cut && send(fd, e->bytes, e->len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)e->len;
}

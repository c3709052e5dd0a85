/* SPDX-License-Identifier: MIT */
/* notify.c: see notify.h. */
#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define VARIABLE "NOTIFY_SOCKET"

void notify(const char *words)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    const char *name = getenv(VARIABLE);
    size_t len = name ? strlen(name) : 0;
    int fd;

    if (len < 2 || len >= sizeof a.sun_path || (*name != '/' && *name != '@'))
        return;
    memcpy(a.sun_path, name, len);
    if (*name == '@')
        *a.sun_path = 0;        /* in the abstract namespace */
    if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
        return;
    sendto(fd, words, strlen(words), MSG_NOSIGNAL, (const struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

void notify_forget(void)
{
    unsetenv(VARIABLE);
}

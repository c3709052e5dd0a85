/* SPDX-License-Identifier: MIT */
/* turned.c: see turned.h. */
#include "turned.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"

static bool parse(char *line, uint32_t port, struct reason *reason)
{
    char head[32];
    int n = snprintf(head, sizeof head, "REFUSED %u ", port);

    line[strcspn(line, "\n")] = '\0';
    return strncmp(line, head, (size_t)n) == 0 && reason_parse(line + n, reason);
}

int turned_ask(int dirfd, uint32_t port, struct reason *reason)
{
    struct timeval patience = { .tv_sec = 1 };
    int fd = unix_connect(dirfd, "vsock", 0), known = 0;
    char line[64];
    ssize_t n;

    *reason = REASON(NONE);
    if (fd < 0)
        return fd;
    n = snprintf(line, sizeof line, "WHY %u\n", port);
    if (!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) && send(fd, line, (size_t)n, MSG_NOSIGNAL) == n &&
        (n = recv(fd, line, sizeof line - 1, MSG_WAITALL)) > 0) {
        line[n] = '\0';
        known = parse(line, port, reason);
    }
    close(fd);
    return known;
}

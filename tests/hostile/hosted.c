/* SPDX-License-Identifier: MIT */
/* hosted.c: see hosted.h. */
#include "hosted.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool hosted_is_here(void)
{
    if (getenv("XENSIM_DIR"))
        return true;
    fprintf(stderr, "run me in a hosted Xen: xensim run -d 0 DIR -- ...\n");
    return false;
}

void hosted_become(uint32_t domid)
{
    const char *dir = getenv("XENSIM_DIR");
    char text[4200];

    snprintf(text, sizeof text, "%u", domid);
    setenv("XENSIM_DOMID", text, 1);
    snprintf(text, sizeof text, "%s/run/dom%u", dir, domid);
    setenv("XVS_RUN_DIR", text, 1);
    unsetenv("XENSTORED_PATH");
    unsetenv("XENSTORED_RUNDIR");
    snprintf(text, sizeof text, domid ? "%s/dom%u.sock" : "%s/xenstored", dir, domid);
    setenv(domid ? "XENSTORED_PATH" : "XENSTORED_RUNDIR", text, 1);
}

bool hosted_begin(void)
{
    if (!hosted_is_here())
        return false;
    signal(SIGPIPE, SIG_IGN);
    hosted_become(0);
    return true;
}

int hosted_xenstored(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct ucred who;
    socklen_t size = sizeof who;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), result;

    snprintf(a.sun_path, sizeof a.sun_path, "%s/xenstored/socket", getenv("XENSIM_DIR"));
    result = connect(fd, (struct sockaddr *)&a, sizeof a) || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size)
                 ? -errno : who.pid;
    close(fd);
    return result;
}

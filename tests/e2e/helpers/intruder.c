/* SPDX-License-Identifier: MIT */
/* intruder.c: an unprivileged user of dom0.
 *
 *     e2e_intruder UID GID COMMAND [ARG...]        runs a command as him
 *     e2e_intruder UID GID -rage GUEST_DIR VICTIM SOCKET
 *
 * The second tries, as fast as it can and until it is ended, all that somebody who may write in a guest's directory
 * can think of: links to the file VICTIM and to SOCKET, both of root's, FIFOs, directories, sockets, renames, at the
 * daemon's name and at those of ports 9191 to 9194; and what he may not do at all, in the run directory above.  It
 * says "round" once all has been tried once, and "gained WHAT" for each thing that he should not have been able to
 * do. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char guest[512], above[512];
static const char *victim, *target;

/* A path below one of the two; the next seven calls leave it alone. */
static const char *in(const char *dir, const char *name)
{
    static char paths[8][1024];
    static int turn;
    char *path = paths[turn++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static const char *within(const char *at)
{
    static char path[1100];

    snprintf(path, sizeof path, "%s/deeper", at);
    return path;
}

static int unix_socket(const char *path, bool listens)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;

    snprintf(a.sun_path, sizeof a.sun_path, "%.*s", (int)sizeof a.sun_path - 1, path);
    err = listens ? bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4) : connect(fd, (struct sockaddr *)&a, sizeof a);
    if (!err)
        return fd;
    close(fd);
    return -1;
}

static void gained(bool really, const char *what)
{
    if (really)
        printf("gained %s\n", what);
}

/* ---- in the guest's directory ---- */

static void put(const char *at, unsigned kind)
{
    const char *mine = in(guest, getuid() & 1 ? "mine1" : "mine2");
    int fd;

    switch (kind) {
    case 0: (void)!symlink(target, at); break;
    case 1: (void)!symlink(victim, at); break;
    case 2: (void)!symlink(target, mine); (void)!rename(mine, at); break;
    case 3: mkfifo(at, 0666); break;
    case 4: mkdir(at, 0777); break;
    case 5: if (!mkdir(at, 0777)) mkdir(within(at), 0777); break;
    case 6: (void)!link(target, at); break;
    case 7: (void)!link(victim, at); break;
    case 8: (void)!rename(in(guest, "vsock_9191"), at); break;
    case 9:
        /* One that accepts nothing, and one that is dead at once. */
        if ((fd = unix_socket(at, true)) >= 0)
            close(fd);
        break;
    default:
        if ((fd = unix_socket(mine, true)) >= 0) {
            (void)!rename(mine, at);
            poll(NULL, 0, 1);
            close(fd);
        }
    }
}

static void take_away(const char *at)
{
    rmdir(within(at));
    if (unlink(at) && rmdir(at))
        (void)!rename(at, in(guest, "away"));
}

/* ---- what is not his at all ---- */

static void try_above(void)
{
    static const char *const ours[] = { "xvsd.pid", "control.sock", "guest", "cid" };
    const char *vsock = in(guest, "vsock");
    struct stat st;
    int fd;

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        gained(!unlink(in(above, ours[i])), "a removed name");
        gained(!rename(in(above, ours[i]), in(guest, "stolen")), "a moved name");
        gained(!chmod(in(above, ours[i]), 0777), "a mode");
    }
    gained(!mkdir(in(above, "intruder"), 0777), "the run directory");
    gained(!symlink(target, in(above, "cid/9")), "cid/");
    gained(!mkdir(in(above, "guest/intruder"), 0777), "guest/");
    gained((fd = open(in(above, "xvsd.pid"), O_RDONLY | O_CLOEXEC)) >= 0, "the lock");
    if (fd >= 0)
        close(fd);
    gained((fd = unix_socket(in(above, "control.sock"), false)) >= 0, "the control socket");
    if (fd >= 0)
        close(fd);
    gained(!chmod(guest, 0777), "the guest's directory");
    gained(!rename(guest, in(above, "guest/stolen")), "the guest's directory's name");
    /* Whatever is there while no daemon is, its socket is root's, and nobody's to remove. */
    if (!lstat(vsock, &st) && S_ISSOCK(st.st_mode) && st.st_uid == 0)
        gained(!chmod(vsock, 0666), "the socket's mode");
    /* Locks that nobody waits for, and clients that say nothing. */
    if ((fd = open(guest, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
        flock(fd, LOCK_EX | LOCK_NB);
        close(fd);
    }
    if ((fd = unix_socket(vsock, false)) >= 0) {
        (void)!write(fd, "CONN", 4);
        close(fd);
    }
}

static void rage(void)
{
    static const char *const names[] = { "vsock", "vsock_9191", "vsock_9192", "vsock_9193", "vsock_9194" };

    umask(0);
    for (unsigned round = 0;; round++) {
        for (unsigned kind = 0; kind < 11; kind++) {
            const char *at = in(guest, names[(round + kind + getuid()) % 5]);

            put(at, kind);
            if ((round + kind) % 3)
                take_away(at);
        }
        for (size_t i = 0; i < sizeof names / sizeof *names && round % 4 == 0; i++)
            take_away(in(guest, names[i]));
        try_above();
        take_away(in(guest, "away"));
        if (round == 1)
            puts("round");
        poll(NULL, 0, 1);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (setgroups(0, NULL) || setgid((gid_t)atoi(argv[2])) || setuid((uid_t)atoi(argv[1]))) {
        perror("e2e_intruder: it needs root");
        return 2;
    }
    if (strcmp(argv[3], "-rage")) {
        execvp(argv[3], argv + 3);
        perror(argv[3]);
        return 127;
    }
    if (argc != 7)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    snprintf(guest, sizeof guest, "%s", argv[4]);
    snprintf(above, sizeof above, "%.480s/../..", argv[4]);
    victim = argv[5];
    target = argv[6];
    rage();
}

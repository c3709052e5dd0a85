/* SPDX-License-Identifier: MIT */
/* spawned.c: see spawned.h. */
#include "spawned.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "waited.h"

extern char **environ;

/* Found by PATH, with the signals as a shell would have them; 0 or a negative errno: it cannot be run. */
static int start(char *const argv[], int out, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t defaults;
    int err = 0;

    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    if (!(err = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)) &&
        !(err = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO)))
        err = posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    if (!err && !(err = posix_spawnattr_setsigdefault(&attr, &defaults)) && !(err = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF)))
        err = posix_spawnp(pid, argv[0], &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return -err;
}

struct reading {
    struct watch watch;
    struct loop *loop;
};

static void readable(struct watch *w)
{
    loop_stop(container_of(w, struct reading, watch)->loop, 0);
}

static void child(void *arg)
{
    loop_stop(arg, 0);
}

/* 0 at its end, or -EINTR. */
static int read_all(struct loop *l, int fd, char *text, size_t size)
{
    struct reading r = { .loop = l };
    char waste[4096];
    size_t len = 0;
    ssize_t n;
    int err = 0;

    watch_add(l, &r.watch, fd, readable);
    while (!err && (n = read(fd, len < size - 1 ? text + len : waste, len < size - 1 ? size - 1 - len : sizeof waste)) != 0) {
        if (n > 0) {
            len += len < size - 1 ? (size_t)n : 0;
        } else if (errno == EAGAIN) {
            r.watch.want = POLLIN;
            err = waited_run(l);
        }
    }
    watch_drop(l, &r.watch);
    text[len] = '\0';
    return err;
}

int spawned_output(struct loop *l, char *const argv[], char *text, size_t size)
{
    int pipes[2], status, err;
    pid_t pid;

    text[0] = '\0';
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return -errno;
    if (fcntl(pipes[0], F_SETFL, O_NONBLOCK) < 0)
        err = -errno;
    else
        err = start(argv, pipes[1], &pid);
    close(pipes[1]);
    if (!err) {
        l->child = child;
        l->child_arg = l;
        err = read_all(l, pipes[0], text, size);
        while (!err && waitpid(pid, &status, WNOHANG) == 0)
            err = waited_run(l);
        l->child = NULL;
        if (err)
            kill(pid, SIGTERM);
    }
    close(pipes[0]);
    return err ? err : status;
}

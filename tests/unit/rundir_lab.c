/* SPDX-License-Identifier: MIT */
/* rundir_lab.c: see rundir_lab.h. */
#include "rundir_lab.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "journal.h"

static const char *base;
static int fds;                 /* at the beginning of a test */
static int hold[2];             /* closed: as_long()'s child may end */

char why[RUNDIR_WHY];
struct rundir run;
struct guest_dir guest;
volatile int *shared;

const struct settings_sockets nobody = { .mode = 0600, .user = (uid_t)-1, .group = (gid_t)-1 },
                              members = { .mode = 0660, .user = (uid_t)-1, .group = GROUP },
                              ann_only = { .mode = 0600, .user = ANN, .group = (gid_t)-1 };

/* Descriptors that are open; one that is left shows in end(). */
static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

const char *in(const char *name)
{
    static char paths[16][256];
    static int turn;
    char *path = paths[turn++ % 16];

    snprintf(path, sizeof paths[0], "%s/%s", base, name);
    return path;
}

void begin(void)
{
    REQUIRE((base = harness_directory("rundir")) != NULL);
    REQUIRE(chmod(base, 0711) == 0);
    journal_set_level((enum journal_level)0);
    if (!shared)
        shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED);
    *shared = 0;
    memset(&guest, 0, sizeof guest);
    run.fd = run.lock_fd = -1;
    fds = count_fds();
}

void end(void)
{
    char command[256];

    guest_dir_close(&guest, &run);
    rundir_close(&run);
    EQ(count_fds(), fds);
    snprintf(command, sizeof command, "rm -rf %s", base);
    EQ(system(command), 0);
}

void open_both(const struct settings_sockets *sockets)
{
    EQ(rundir_open(&run, in("run"), rundir_lets_in(sockets), why), 0);
    EQ(guest_dir_open(&guest, &run, "web1", sockets, why), 0);
}

mode_t mode_of(const char *name)
{
    struct stat st;

    return lstat(in(name), &st) ? 0 : st.st_mode & 07777;
}

uid_t owner_of(const char *name)
{
    struct stat st;

    return lstat(in(name), &st) ? (uid_t)-1 : st.st_uid;
}

bool has_acls(void)
{
    return guest_dir_permit(&guest, &ann_only) != -EOPNOTSUPP;
}

int socket_at(const char *path, bool listens)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || (listens && listen(fd, 8))) {
        close(fd);
        return -1;
    }
    return fd;
}

int connect_to(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), err;

    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    err = connect(fd, (struct sockaddr *)&a, sizeof a) ? errno : 0;
    close(fd);
    return err;
}

/* ---- people ---- */

static void become(uid_t uid, gid_t gid)
{
    if (uid == geteuid() && gid == getegid())
        return;
    if (syscall(SYS_setgroups, 0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
        _exit(99);
}

pid_t as_meanwhile(uid_t uid, gid_t gid, int (*fn)(void))
{
    pid_t pid = fork();

    if (pid == 0) {
        become(uid, gid);
        _exit(fn());
    }
    return pid;
}

int as(uid_t uid, gid_t gid, int (*fn)(void))
{
    pid_t pid = as_meanwhile(uid, gid, fn);
    int status;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

pid_t as_long(uid_t uid, gid_t gid, int (*fn)(void))
{
    int ready[2];
    char byte = 0;
    pid_t pid;

    REQUIRE(pipe(ready) == 0 && pipe(hold) == 0);
    if ((pid = fork()) == 0) {
        close(hold[1]);
        become(uid, gid);
        if (fn() || write(ready[1], "r", 1) != 1)
            _exit(1);
        close(ready[1]);
        _exit(read(hold[0], &byte, 1) != 0);
    }
    close(ready[1]);
    EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(hold[0]);
    return pid;
}

void end_long(pid_t pid)
{
    if (pid) {
        close(hold[1]);
        waitpid(pid, NULL, 0);
    }
}

int can_connect(void)
{
    return connect_to(in("run/guest/web1/vsock"));
}

int can_listen(void)
{
    char path[160];
    int fd;

    snprintf(path, sizeof path, "%s/run/guest/web1/vsock_%u", base, getuid());
    fd = socket_at(path, true);
    return fd < 0 ? errno : 0;
}

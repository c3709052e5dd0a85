/* SPDX-License-Identifier: MIT */
/* hostdir.c: the host's directory.
 *
 *     lock                 flock()ed by the daemon; holds its pid
 *     ctl/{host,0,1,...}   control sockets
 *     xenstored/           dom0's XENSTORED_RUNDIR
 *     domN.sock            domain N's XENSTORED_PATH
 *     xsd_port, xsd_kva    what /proc/xen shows xenstored
 *     run/domN             in place of domain N's /run/xvs
 *     log/
 * Only a directory that is empty or has our lock file is ever used, so cleaning up
 * after a killed host cannot hit anybody else's files. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"

static const char *const subdirs[] = { "ctl", "xenstored", "run", "log" };
#define SUBDIRS (sizeof subdirs / sizeof *subdirs)

static void path_of(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", host.dir, name);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tree(const char *name)
{
    char path[256];

    path_of(path, sizeof path, name);
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Of the plain files; the lock apart. */
static bool is_ours(const char *name)
{
    unsigned n;
    int end = 0;

    return !strcmp(name, "xsd_port") || !strcmp(name, "xsd_kva")
        || (sscanf(name, "dom%u.sock%n", &n, &end) == 1 && end && !name[end]);
}

/* 0, or -EBUSY if a daemon lives here, or -ENOTEMPTY if the directory is not ours. */
int dir_lock(void)
{
    char path[256], pid[16];
    struct dirent *entry;
    bool had_lock, strange = false;
    DIR *dir;

    host.made_dir = mkdir(host.dir, 0755) == 0;
    if (!host.made_dir && errno != EEXIST)
        return -errno;
    path_of(path, sizeof path, "lock");
    had_lock = access(path, F_OK) == 0;
    if (!(dir = opendir(host.dir)))
        return -errno;
    while ((entry = readdir(dir)))
        strange |= !had_lock && strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(dir);
    if (strange)
        return -ENOTEMPTY;
    host.lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (host.lock < 0)
        return -errno;
    if (flock(host.lock, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    snprintf(pid, sizeof pid, "%d\n", getpid());
    if (ftruncate(host.lock, 0) < 0 || write(host.lock, pid, strlen(pid)) < 0)
        return -errno;
    return 0;
}

int dir_make(void)
{
    char path[256];

    for (size_t i = 0; i < SUBDIRS; i++) {
        path_of(path, sizeof path, subdirs[i]);
        if (mkdir(path, 0755) < 0)
            return -errno;
    }
    return 0;
}

/* The two files by which a dom0 kernel introduces itself to xenstored. */
int dir_files(uint32_t dom0_port)
{
    char path[256];
    FILE *f;
    int fd;

    path_of(path, sizeof path, "xsd_port");
    if (!(f = fopen(path, "we")))
        return -errno;
    fprintf(f, "%u", dom0_port);
    fclose(f);
    path_of(path, sizeof path, "xsd_kva");
    if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644)) < 0)
        return -errno;
    if (ftruncate(fd, SIM_PAGE) < 0)
        say("cannot size %s", path);
    close(fd);
    return 0;
}

void dir_run(uint32_t domid, bool make)
{
    char name[32], path[256];

    snprintf(name, sizeof name, "run/dom%u", domid);
    path_of(path, sizeof path, name);
    if (make)
        mkdir(path, 0755);
    else
        remove_tree(name);
}

/* Everything of ours but the lock, which is the last to go. */
void dir_clean(bool keep_logs)
{
    char path[512];
    struct dirent *entry;
    DIR *dir = opendir(host.dir);

    for (size_t i = 0; i < SUBDIRS; i++)
        if (!keep_logs || strcmp(subdirs[i], "log"))
            remove_tree(subdirs[i]);
    while (dir && (entry = readdir(dir)))
        if (is_ours(entry->d_name)) {
            path_of(path, sizeof path, entry->d_name);
            unlink(path);
        }
    if (dir)
        closedir(dir);
}

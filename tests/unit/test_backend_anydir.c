/* SPDX-License-Identifier: MIT */
/* test_backend_anydir.c: the directory of those who listen for all guests: whose it is, and who is let in. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "anydir.h"
#include "rundir_lab.h"

static struct any_dir any = { .fd = -1 };

/* In place of libc's. */
static bool no_acls;

int setxattr(const char *path, const char *name, const void *value, size_t size, int flags)
{
    if (no_acls) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_setxattr, path, name, value, size, flags);
}

static void open_it(const struct settings_sockets *sockets)
{
    EQ(rundir_open(&run, in("run"), rundir_lets_in(sockets), why), 0);
    EQ(any_dir_open(&any, &run, sockets, why), 0);
}

static void close_it(void)
{
    any_dir_close(&any);
    any_dir_close(&any);
    EQ(any.fd, -1);
    end();
}

static void it_is_ours_alone_until_others_are_let_in(void)
{
    begin();
    open_it(&nobody);
    EQ(mode_of("run/any"), 0700);
    EQ(strcmp(any.path, in("run/any")), 0);
    if (!geteuid()) {
        EQ(any_dir_permit(&any, &members), 0);
        EQ(mode_of("run/any"), 01770);
        EQ(any_dir_permit(&any, &nobody), 0);
        EQ(mode_of("run/any"), 0700);
    }
    close_it();
}

static int can_listen_for_all(void)
{
    char path[600];
    int fd;

    snprintf(path, sizeof path, "%s/vsock_%u", any.path, getuid());
    fd = socket_at(path, true);
    return fd < 0 ? errno : 0;
}

/* ANN's, by another of the group. */
static int take_away(void)
{
    char path[600], mine[600];

    snprintf(path, sizeof path, "%s/vsock_%u", any.path, ANN);
    snprintf(mine, sizeof mine, "%s/vsock_1", any.path);
    return !unlink(path) || !rename(path, mine) || !chmod(any.path, 0777) || !rename(any.path, in("run/mine"));
}

static void members_listen_there_and_take_nothing_from_one_another(void)
{
    char dial_why[DIAL_WHY];

    NEED_ROOT();
    begin();
    open_it(&members);
    EQ(as(EVE, ALONE, can_listen_for_all), EACCES);
    EQ(as(ANN, GROUP, can_listen_for_all), 0);
    EQ(as(BOB, GROUP, take_away), 0);
    EQ(owner_of("run/any"), 0);
    /* It has gone, and left its name. */
    EQ(dial_port(any.fd, ANN, SOCK_STREAM, "", &(unsigned){ 0 }, dial_why), -ECONNREFUSED);
    close_it();
}

/* …as it was when the daemon before us was killed; the next one's settings let nobody in. */
static void one_that_was_there_becomes_as_it_is_to_be_and_keeps_its_listeners(void)
{
    begin();
    EQ(rundir_open(&run, in("run"), false, why), 0);
    EQ(mkdir(in("run/any"), 0700), 0);
    EQ(chmod(in("run/any"), 01777), 0);
    EQ(mknod(in("run/any/vsock_5"), S_IFSOCK | 0600, 0), 0);
    if (!geteuid())
        EQ(chown(in("run/any"), ANN, GROUP), 0);
    EQ(any_dir_open(&any, &run, &nobody, why), 0);
    EQ(mode_of("run/any"), 0700);
    EQ(owner_of("run/any"), geteuid());
    EQ(access(in("run/any/vsock_5"), F_OK), 0);
    close_it();
}

/* Where a user cannot be let in he is not, and the others are served. */
static void a_file_system_without_acls_is_no_hindrance(void)
{
    NEED_ROOT();
    begin();
    no_acls = true;
    open_it(&ann_only);
    EQ(mode_of("run/any"), 01700);
    EQ(as(ANN, ALONE, can_listen_for_all), EACCES);
    no_acls = false;
    if (any_dir_permit(&any, &ann_only) == 0 && mode_of("run/any") == 01770)
        EQ(as(ANN, ALONE, can_listen_for_all), 0);
    close_it();
}

static void what_is_no_directory_is_not_followed(void)
{
    for (int i = 0; i < 2; i++) {
        begin();
        EQ(rundir_open(&run, in("run"), false, why), 0);
        EQ(mkdir(in("victim"), 0755), 0);
        EQ(i ? symlink(in("victim"), in("run/any")) : mknod(in("run/any"), S_IFREG | 0600, 0), 0);
        CU_ASSERT_TRUE(any_dir_open(&any, &run, &nobody, why) < 0);
        EQ(any.fd, -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(why, in("run/any")));
        CU_ASSERT_PTR_NOT_NULL(strstr(why, "remove what has this name"));
        EQ(mode_of("victim"), 0755);
        close_it();
    }
}

/* A daemon that begins in a directory that has it takes it for its own. */
static void it_is_known_in_a_run_directory_without_a_lock(void)
{
    begin();
    open_it(&nobody);
    rundir_close(&run);
    EQ(unlink(in("run/xvsd.pid")), 0);
    EQ(rundir_open(&run, in("run"), false, why), 0);
    close_it();
}

static const struct test tests[] = {
    TEST(it_is_ours_alone_until_others_are_let_in), TEST(members_listen_there_and_take_nothing_from_one_another),
    TEST(one_that_was_there_becomes_as_it_is_to_be_and_keeps_its_listeners), TEST(a_file_system_without_acls_is_no_hindrance), TEST(what_is_no_directory_is_not_followed),
    TEST(it_is_known_in_a_run_directory_without_a_lock)
};

int main(int argc, char **argv)
{
    return harness_run("any directory", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_backend_spawn.c: what a worker is left with, each time in a child of the test. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child_said.h"
#include "harness.h"
#include "spawn.h"

static char said[400];
static const char *dir;

/* The status of a child that did this, or 100 + the signal that it died of. */
static int status_of(int (*act)(void))
{
    int status = child_said(act, said, sizeof said);

    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static int become_nobody(void)
{
    return -spawn_give_up("nobody", dir);
}

static int become_somebody_unknown(void)
{
    return -spawn_give_up("no-such-user", dir);
}

static int go_nowhere(void)
{
    return -spawn_give_up("nobody", "/no/such/directory");
}

/* 0: it sees what is in the directory, and nothing that is not, and cannot open what is another's. */
static int look_around(void)
{
    int fd;

    if (spawn_give_up("nobody", dir))
        return 1;
    if ((fd = openat(AT_FDCWD, "/inside", O_RDONLY)) < 0)
        return 2;
    close(fd);
    if (openat(AT_FDCWD, "/etc/passwd", O_RDONLY) >= 0 || errno != ENOENT)
        return 3;
    return openat(AT_FDCWD, "/roots", O_RDONLY) >= 0 || errno != EACCES ? 4 : 0;
}

/* Is never done: what makes somebody else of one is not on the list. */
static int come_back(void)
{
    return spawn_give_up("nobody", dir) ? 1 : (int)syscall(SYS_setresuid, 0, 0, 0);
}

static void file(const char *name, mode_t mode)
{
    char path[300];
    int fd;

    snprintf(path, sizeof path, "%.250s/%s", dir, name);
    REQUIRE((fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode)) >= 0);
    fchmod(fd, mode);
    close(fd);
}

static void a_worker_sees_its_directory_and_is_nobody_there(void)
{
    if (geteuid())
        SKIP("it takes root to give up rights");
    file("inside", 0644);
    file("roots", 0600);
    REQUIRE(chmod(dir, 0755) == 0);
    EQ(status_of(become_nobody), 0);
    EQ(status_of(look_around), 0);
}

static void it_cannot_come_back(void)
{
    if (geteuid())
        SKIP("it takes root to give up rights");
    EQ(status_of(come_back), 100 + SIGSYS);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "(setresuid)"));
}

static void what_cannot_be_given_up_is_said(void)
{
    if (geteuid())
        SKIP("it takes root to give up rights");
    EQ(status_of(become_somebody_unknown), ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "there is no user no-such-user for the worker"));
    EQ(status_of(go_nowhere), ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "cannot become user nobody in /no/such/directory"));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_worker_sees_its_directory_and_is_nobody_there),
        TEST(it_cannot_come_back),
        TEST(what_cannot_be_given_up_is_said),
    };

    dir = harness_directory("xvs-spawn");
    return harness_run("spawn", tests, sizeof tests / sizeof *tests, argc, argv);
}

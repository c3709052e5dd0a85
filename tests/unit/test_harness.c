/* SPDX-License-Identifier: MIT */
/* test_harness.c: what a test leaves behind when it ends, and when it is killed; what is said of those that failed. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "harness.h"

static int ends[2];
static char path[200];

/* What a test program says before it ends; false at its end. */
static bool hear(void *what, size_t len)
{
    return read(ends[0], what, len) == (ssize_t)len;
}

static void say(const void *what, size_t len)
{
    if (write(ends[1], what, len) != (ssize_t)len)
        _exit(1);
}

static void makes_a_directory(void)
{
    const char *dir = harness_directory("harness");
    char below[256];

    snprintf(below, sizeof below, "%s/deep/er", dir);
    *strrchr(below, '/') = '\0';
    mkdir(below, 0700);
    strcat(below, "/er");
    mkdir(below, 0700);
    snprintf(path, sizeof path, "%s", dir);
    say(path, sizeof path);
    if (fork() == 0)
        exit(0);                /* it is not a child's to remove */
    wait(NULL);
    if (access(below, F_OK))
        _exit(1);
    exit(0);
}

static void a_directory_goes_with_its_program(void)
{
    int status;
    pid_t pid;

    fflush(stdout);
    REQUIRE(pipe(ends) == 0);
    if ((pid = fork()) == 0)
        makes_a_directory();
    close(ends[1]);
    REQUIRE(hear(path, sizeof path));
    REQUIRE(waitpid(pid, &status, 0) == pid);
    EQ(status, 0);
    EQ(access(path, F_OK), -1);
    EQ(errno, ENOENT);
    close(ends[0]);
}

/* The last end of the pipe closes when all are gone. */
static void a_child_goes_with_a_test_that_is_killed(void)
{
    char byte;
    pid_t pid;

    fflush(stdout);
    REQUIRE(pipe(ends) == 0);
    if ((pid = fork()) == 0) {
        if (child_fork() == 0) {
            say("x", 1);
            for (;;)
                pause();
        }
        for (;;)
            pause();
    }
    close(ends[1]);
    REQUIRE(hear(&byte, 1));
    kill(pid, SIGKILL);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    CU_ASSERT_FALSE(hear(&byte, 1));
    close(ends[0]);
}

/* As its parent may be killed between fork() and what it asks of the kernel. */
static void a_child_whose_test_is_gone_already_ends(void)
{
    char byte;
    pid_t pid, child;

    fflush(stdout);
    REQUIRE(pipe(ends) == 0);
    if ((pid = fork()) == 0) {
        child = child_fork();
        if (child == 0) {
            say("x", 1);
            for (;;)
                pause();
        }
        _exit(0);
    }
    close(ends[1]);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    while (hear(&byte, 1))
        ;                       /* or this hangs */
    close(ends[0]);
}

/* What a part prints: of tests with several failures, of a group in the lab with several tests, and of one with a colon in its reason. */
static const char part[] =
    "#!/bin/sh\n"
    "echo 'FAIL counts_right: tests/unit/test_a.c:3: one == 2'\n"
    "echo 'FAIL counts_right: tests/unit/test_a.c:4: two == 3'\n"
    "echo 'FAIL platform: boots_2: the guest: no end'\n"
    "echo 'FAIL platform: ends: it does not'\n"
    "echo 'FAIL a thing is so: it: is not'\n"
    "echo '1 passed, 4 failed, 0 skipped'\n"
    "exit 1\n";
static const char listed[] =
    "layers: counts_right: tests/unit/test_a.c:3: one == 2\n"
    "layers: platform: boots_2: the guest: no end\n"
    "layers: platform: ends: it does not\n"
    "layers: a thing is so: it: is not\n";

static void each_test_that_failed_is_listed_once_at_the_end(void)
{
    const char *dir = harness_directory("harness");
    char command[1200], out[1000] = "";
    FILE *f;

    REQUIRE(dir != NULL);
    snprintf(path, sizeof path, "%s/make", dir);
    REQUIRE((f = fopen(path, "w")) != NULL);
    fputs(part, f);
    fclose(f);
    snprintf(command, sizeof command, "mkdir %s/tests && cp tests/all.sh %s/tests && touch %s/rules.mk && chmod +x %s &&"
             "XVS_PARTS=layers MAKE=%s %s/tests/all.sh quick | grep '^layers: '", dir, dir, dir, path, path, dir);
    REQUIRE((f = popen(command, "r")) != NULL);
    (void)!fread(out, 1, sizeof out - 1, f);
    pclose(f);
    if (strcmp(out, listed))
        fputs(out, stderr);
    CU_ASSERT_EQUAL(strcmp(out, listed), 0);
}

static const struct test tests[] = {
    TEST(a_directory_goes_with_its_program), TEST(a_child_goes_with_a_test_that_is_killed),
    TEST(a_child_whose_test_is_gone_already_ends), TEST(each_test_that_failed_is_listed_once_at_the_end)
};

int main(int argc, char **argv)
{
    return harness_run("harness", tests, sizeof tests / sizeof *tests, argc, argv);
}

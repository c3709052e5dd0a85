/* SPDX-License-Identifier: MIT */
/* test_backend_sandbox.c: what a process may do that has entered it, each try in a child of its own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child_said.h"
#include "harness.h"
#include "sandbox.h"

static char said[400];

static void (*inside)(void);

static int in_the_sandbox(void)
{
    if (sandbox_enter())
        return 99;
    inside();
    return 7;
}

/* How a child ended that did this in there: waitpid()'s word, and what it said. */
static int status_of(void (*act)(void))
{
    inside = act;
    return child_said(in_the_sandbox, said, sizeof said);
}

static void a_workers_calls(void)
{
    char byte = 'x';
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

    if (fd < 0 || write(fd, &byte, 1) != 1 || close(fd))
        _exit(1);
}

static void make_a_socket(void)
{
    (void)!socket(AF_UNIX, SOCK_STREAM, 0);
}

static void connect_somewhere(void)
{
    (void)!connect(0, NULL, 0);
}

static void begin_a_program(void)
{
    static char *const none[] = { NULL };

    execve("/bin/true", none, none);
}

static void fork_one(void)
{
    syscall(SYS_fork);
}

static void look_into_another(void)
{
    syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void what_a_worker_needs_it_may_do(void)
{
    int status = status_of(a_workers_calls);

    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    if (strcmp(said, "x"))
        printf("    it said: %s\n", said);
    CU_ASSERT_STRING_EQUAL(said, "x");
}

static void anything_else_ends_it_with_a_line_that_names_the_call(void)
{
    static const struct { void (*act)(void); const char *name; } tries[] = {
        { make_a_socket, "(socket)" }, { connect_somewhere, "(connect)" }, { begin_a_program, "(execve)" }, { fork_one, "(fork)" },
        { look_into_another, "(ptrace)" },
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        int status = status_of(tries[i].act);

        CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        CU_ASSERT_PTR_NOT_NULL(strstr(said, tries[i].name));
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(what_a_worker_needs_it_may_do),
        TEST(anything_else_ends_it_with_a_line_that_names_the_call),
    };

    return harness_run("sandbox", tests, sizeof tests / sizeof *tests, argc, argv);
}

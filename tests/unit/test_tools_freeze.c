/* SPDX-License-Identifier: MIT */
/* test_tools_freeze.c: an agent that cannot begin the process which thaws what a former one has left frozen. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "freeze.h"
#include "harness.h"

/* In place of libc's: the 'left'-th call from now on fails, in whichever process it is made. */
static int left;

pid_t fork(void)
{
    if (--left)
        return _Fork();
    errno = ENOMEM;
    return -1;
}

static void a_process_that_cannot_be_begun_is_told(void)
{
    const char *dir = harness_directory("freeze");
    char mark[300];

    REQUIRE(dir && setenv("XVS_RUN_DIR", dir, 1) == 0);
    left = 1;
    EQ(freeze_mend(), 0);               /* there is nothing to do */
    snprintf(mark, sizeof mark, "%s/frozen", dir);
    REQUIRE(mknod(mark, S_IFREG | 0600, 0) == 0);
    for (int call = 1; call <= 2; call++) {
        left = call;
        EQ(freeze_mend(), -ENOMEM);
        EQ(access(mark, F_OK), 0);
    }
}

static const struct test tests[] = {
    TEST(a_process_that_cannot_be_begun_is_told)
};

int main(int argc, char **argv)
{
    return harness_run("freeze", tests, sizeof tests / sizeof *tests, argc, argv);
}

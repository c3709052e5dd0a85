/* SPDX-License-Identifier: MIT */
/* harness.h: CUnit with the manners of this project.
 *
 * A test is a function whose name is a sentence.  A program is one suite:
 *
 *     static const struct test tests[] = { TEST(connect_times_out), TEST(rst_is_not_answered) };
 *     int main(int argc, char **argv)
 *     { return harness_run("vconn", tests, sizeof tests / sizeof *tests, argc, argv); }
 *
 * Each test prints one line, "ok NAME", "FAIL NAME: file:line: condition" or "skip NAME: reason";
 * the last line is "N passed, N failed, N skipped", which tests/run.sh adds up.  Arguments name
 * the tests to run (all without any; with a '-' before each: all but these).  The exit status is 1 if a test failed.
 *
 * Assertions are CUnit's; REQUIRE ends the test at once. */
#ifndef XVS_TEST_HARNESS_H
#define XVS_TEST_HARNESS_H

#include <CUnit/CUnit.h>
#include <stddef.h>

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(fn) { #fn, fn }

int harness_run(const char *suite, const struct test *tests, size_t count, int argc, char **argv);

/* Marks the running test as skipped, with its reason (a string that lives on). */
void harness_skip(const char *reason);
#define SKIP(reason) do { harness_skip(reason); return; } while (0)

/* What a failing test prints after its failures: set by a test that has an object to show. */
void harness_on_failure(void (*dump)(void *object), void *object);

/* A new directory "xvs-NAME.XXXXXX" in $TMPDIR, or /tmp.  It is removed with all that is in it when the program ends, if it is
 * still there.  NULL with errno. */
const char *harness_directory(const char *name);

/* A file of which a failing test shows what was written while it ran; the path is kept. */
void harness_log(const char *path);

/* How long to wait for what must come.  It ends a test that hangs and measures nothing: on a slow machine under load
 * what takes a millisecond here takes seconds.  No test says that something took less than so long. */
#define PATIENCE_MS 60000

#define REQUIRE(cond) CU_ASSERT_TRUE_FATAL(cond)
#define EQ(actual, expected) \
    harness_equal((long long)(actual), (long long)(expected), #actual " == " #expected, __FILE__, __LINE__)

/* Asserts equality and shows both numbers when they differ. */
void harness_equal(long long actual, long long expected, const char *text, const char *file, int line);

#endif

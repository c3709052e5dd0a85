/* SPDX-License-Identifier: MIT */
/* harness.c: see harness.h.  CUnit keeps the records; this prints them a line a test. */
#include "harness.h"

#include <CUnit/TestRun.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *skipped;
static unsigned passed_count, failed_count, skipped_count;
static void (*dump_fn)(void *);
static void *dump_object;

void harness_skip(const char *reason)
{
    skipped = reason;
}

void harness_on_failure(void (*dump)(void *object), void *object)
{
    dump_fn = dump;
    dump_object = object;
}

void harness_equal(long long actual, long long expected, const char *text, const char *file, int line)
{
    static char conditions[64][160];    /* CUnit keeps the pointer until the run ends */
    static unsigned next;
    char *condition = conditions[next++ % 64];

    if (actual != expected)
        snprintf(conditions[(next - 1) % 64], sizeof conditions[0], "%.90s (%lld, not %lld)", text, actual, expected);
    CU_assertImplementation(actual == expected, line, condition, file, "", CU_FALSE);
}

/* ---- directories ---- */

struct directory {
    struct directory *next;
    pid_t owner;                /* not a child that ends by exit() */
    char path[200];
};
static struct directory *directories;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    remove(path);
    return 0;
}

static void remove_directories(void)
{
    while (directories) {
        struct directory *d = directories;

        directories = d->next;
        if (d->owner == getpid())
            nftw(d->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(d);
    }
}

const char *harness_directory(const char *name)
{
    const char *top = getenv("TMPDIR");
    struct directory *d = malloc(sizeof *d);

    if (!d)
        return NULL;
    snprintf(d->path, sizeof d->path, "%.150s/xvs-%s.XXXXXX", top && *top ? top : "/tmp", name);
    if (!mkdtemp(d->path)) {
        free(d);
        return NULL;
    }
    d->owner = getpid();
    d->next = directories;
    if (!directories)
        atexit(remove_directories);
    directories = d;
    return d->path;
}

/* ---- a log ---- */

#define LOG_SHOWN 8192          /* bytes, the last ones */

static const char *log_path;
static long log_mark;

void harness_log(const char *path)
{
    log_path = path;
}

static long log_end(void)
{
    FILE *f = log_path ? fopen(log_path, "r") : NULL;
    long at = 0;

    if (f) {
        fseek(f, 0, SEEK_END);
        at = ftell(f);
        fclose(f);
    }
    return at;
}

static void show_log(void)
{
    long end = log_end(), from = end - LOG_SHOWN > log_mark ? end - LOG_SHOWN : log_mark;
    FILE *f = end ? fopen(log_path, "r") : NULL;
    char line[1024];

    if (!f)
        return;
    fseek(f, log_mark <= end ? from : 0, SEEK_SET);      /* it may have begun anew */
    while (fgets(line, sizeof line, f))
        printf("    %s", line);
    fclose(f);
}

/* ---- tests ---- */

static void test_starts(const CU_pTest test, const CU_pSuite suite)
{
    (void)test;
    (void)suite;
    skipped = NULL;
    dump_fn = NULL;
    log_mark = log_end();
}

static void test_ends(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failure)
{
    (void)suite;
    if (failure) {
        failed_count++;
        for (CU_pFailureRecord f = failure; f; f = f->pNext)
            printf("FAIL %s: %s:%u: %s\n", test->pName, f->strFileName, f->uiLineNumber, f->strCondition);
        if (dump_fn)
            dump_fn(dump_object);
        show_log();
    } else if (skipped) {
        skipped_count++;
        printf("skip %s: %s\n", test->pName, skipped);
    } else {
        passed_count++;
        printf("ok %s\n", test->pName);
    }
    fflush(stdout);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    bool others = argc < 2 || argv[1][0] == '-';

    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i] + (argv[i][0] == '-'), name) == 0)
            return argv[i][0] != '-';
    return others;
}

int harness_run(const char *suite_name, const struct test *tests, size_t count, int argc, char **argv)
{
    CU_pSuite suite;

    if (CU_initialize_registry() != CUE_SUCCESS || !(suite = CU_add_suite(suite_name, NULL, NULL))) {
        fprintf(stderr, "%s: CUnit: %s\n", suite_name, CU_get_error_msg());
        return 2;
    }
    for (size_t i = 0; i < count; i++)
        if (is_wanted(tests[i].name, argc, argv) && !CU_add_test(suite, tests[i].name, tests[i].run)) {
            fprintf(stderr, "%s: CUnit: %s\n", tests[i].name, CU_get_error_msg());
            return 2;
        }
    printf("# %s\n", suite_name);
    CU_set_test_start_handler(test_starts);
    CU_set_test_complete_handler(test_ends);
    CU_run_all_tests();
    CU_cleanup_registry();
    printf("%u passed, %u failed, %u skipped\n", passed_count, failed_count, skipped_count);
    return failed_count ? 1 : 0;
}

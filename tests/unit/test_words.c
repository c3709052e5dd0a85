/* SPDX-License-Identifier: MIT */
/* test_words.c: each error has its own words, for whatever was tried. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "harness.h"
#include "words.h"

static const char *text_of(enum attempt what, const char *with, int err)
{
    static char text[256];

    memset(text, 'x', sizeof text);
    words_of(text, sizeof text, what, with, err);
    return text;
}

static bool says(enum attempt what, int err, const char *words)
{
    const char *text = text_of(what, "it", err);
    bool found = strstr(text, words) != NULL;

    if (!found)
        fprintf(stderr, "%s (wanted: %s)\n", text, words);
    return found;
}

static void what_was_tried_and_what_the_system_said_are_there(void)
{
    for (enum attempt what = 0; what <= TRY_FORK; what++)
        for (int err = 1; err < 134; err++) {
            const char *text = text_of(what, "", -err);

            CU_ASSERT_TRUE(strncmp(text, "cannot ", 7) == 0 && strlen(text) < 250);
            CU_ASSERT_PTR_NOT_NULL(strstr(text, strerror(err)));
            CU_ASSERT_PTR_NULL(strstr(text, "(null)"));
            CU_ASSERT_PTR_NULL(strstr(text, "  "));
        }
    CU_ASSERT_STRING_EQUAL(text_of(TRY_CHANNEL, "domain 3", -EINVAL), "cannot allocate an event channel for domain 3: Invalid argument");
    CU_ASSERT_STRING_EQUAL(text_of(TRY_TABLE, "", -EIO), "cannot make the table of connections: Input/output error");
}

/* Whatever was tried: nobody is sent to look for a module when it is descriptors that are missing. */
static void descriptors_and_memory_are_not_taken_for_something_else(void)
{
    static const struct { int err; const char *words; } known[] = {
        { -EMFILE, "ulimit" }, { -ENFILE, "fs.file-max" }, { -ENOMEM, "memory" }, { -EBUSY, "another program" },
        { -EROFS, "cannot be written" },
    };

    for (enum attempt what = 0; what <= TRY_FORK; what++)
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            CU_ASSERT_TRUE(says(what, known[i].err, known[i].words));
            CU_ASSERT_PTR_NULL(strstr(text_of(what, "", known[i].err), "loaded"));
            CU_ASSERT_PTR_NULL(strstr(text_of(what, "", known[i].err), "Xen guest"));
            CU_ASSERT_PTR_NULL(strstr(text_of(what, "", known[i].err), "gntalloc, or"));
        }
}

static void a_missing_device_names_its_module_and_a_forbidden_one_does_not(void)
{
    static const int missing[] = { -ENOENT, -ENODEV, -ENXIO }, denied[] = { -EACCES, -EPERM };

    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(says(TRY_CHANNELS, missing[i], "module xen-evtchn loaded?"));
        CU_ASSERT_TRUE(says(TRY_GRANTS, missing[i], "module xen-gntalloc loaded?"));
        CU_ASSERT_TRUE(says(TRY_XENSTORE, missing[i], "/dev/xen/xenbus"));
        CU_ASSERT_TRUE(says(TRY_LOCK, missing[i], "such a directory"));
    }
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_TRUE(says(TRY_CHANNELS, denied[i], "the mode of that file allows, as the group of the package xvs-guest"));
        CU_ASSERT_TRUE(says(TRY_GRANTS, denied[i], "the mode of that file allows, as the group of the package xvs-guest"));
        CU_ASSERT_TRUE(says(TRY_XENSTORE, denied[i], "the mode of /dev/xen/xenbus"));
        CU_ASSERT_TRUE(says(TRY_LOCK, denied[i], "only its owner may"));
        CU_ASSERT_TRUE(says(TRY_WRITE, denied[i], "not this domain's"));
    }
    CU_ASSERT_TRUE(says(TRY_XENSTORE, -ECONNREFUSED, "xenstored does not run"));
}

static void a_limit_that_is_reached_is_named(void)
{
    CU_ASSERT_TRUE(says(TRY_PAGES, -ENOSPC, "'limit' of the module xen-gntalloc"));
    CU_ASSERT_TRUE(says(TRY_CHANNEL, -ENOSPC, "max_event_channels"));
    CU_ASSERT_TRUE(says(TRY_WATCH, -ENOSPC, "as many watches"));
    CU_ASSERT_TRUE(says(TRY_WATCH, -E2BIG, "as many watches"));
    CU_ASSERT_TRUE(says(TRY_WRITE, -ENOSPC, "as many nodes"));
    CU_ASSERT_TRUE(says(TRY_DESCRIPTOR, -ENOSPC, "max_user_watches"));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(what_was_tried_and_what_the_system_said_are_there),
        TEST(descriptors_and_memory_are_not_taken_for_something_else),
        TEST(a_missing_device_names_its_module_and_a_forbidden_one_does_not),
        TEST(a_limit_that_is_reached_is_named),
    };

    return harness_run("words", tests, sizeof tests / sizeof *tests, argc, argv);
}

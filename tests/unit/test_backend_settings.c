/* SPDX-License-Identifier: MIT */
/* test_backend_settings.c: a good file, and each error with its file, line and key. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "journal.h"
#include "settings.h"
#include "spinner.h"

static char why[SETTINGS_WHY];

static struct settings *load(const char *text, int expected)
{
    char path[] = "/tmp/xvs-settings.XXXXXX";
    struct settings *s = NULL;
    int fd = mkstemp(path);

    REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    *why = '\0';
    EQ(settings_load(path, &s, why), expected);
    unlink(path);
    return s;
}

static void an_empty_file_gives_the_defaults(void)
{
    struct settings *s = load("", 0);

    REQUIRE(s != NULL);
    CU_ASSERT_TRUE(s->attach_auto);
    CU_ASSERT_FALSE(s->policy_cuts);
    CU_ASSERT_PTR_NULL(s->policy_dir);
    EQ(s->sockets.mode, 0600);
    EQ(s->held_spill_bytes, 4 << 20);
    EQ(s->spin_us, SPINNER_AUTO);
    EQ(s->guest_count, 0);
    settings_free(s);
}

static void a_good_file_is_read(void)
{
    struct settings *s = load("# a comment\n[daemon]\nrun_dir = /run/x\nattach = manual ; here, too\nlog_level = debug\n"
                              "socket_mode = 0660\nmax_connections = 100\nspin_us = 0\n"
                              "policy_dir = /etc/x/y\npolicy_cuts = yes\n"
                              "[guest web1]\ncid = 10\nsocket_mode = 0600\n[guest db1]\ncid = 11\n[guest db2]\n", 0);

    REQUIRE(s != NULL);
    EQ(strcmp(s->run_dir, "/run/x"), 0);
    EQ(strcmp(s->policy_dir, "/etc/x/y"), 0);
    CU_ASSERT_TRUE(s->policy_cuts);
    EQ(s->spin_us, 0);
    CU_ASSERT_FALSE(s->attach_auto);
    EQ(s->log_level, JOURNAL_DEBUG);
    EQ(s->max_connections, 100);
    EQ(settings_guest(s, "web1")->cid, 10);
    EQ(settings_sockets_of(s, settings_guest(s, "web1")).mode, 0600);
    EQ(settings_sockets_of(s, settings_guest(s, "db1")).mode, 0660);
    EQ(settings_sockets_of(s, settings_guest(s, "nobody")).mode, 0660);
    settings_free(s);
}

/* Who may listen for all guests is asked by itself: what holds for each guest's sockets does not hold there. */
static void those_who_listen_for_all_guests_have_a_section(void)
{
    struct settings *s = load("[daemon]\nsocket_mode = 0660\n[guest any]\ncid = 10\nsocket_mode = 0666\n", 0);

    REQUIRE(s != NULL);
    EQ(s->any.mode, 0600);
    CU_ASSERT_TRUE(s->any.user == (uid_t)-1 && s->any.group == (gid_t)-1);
    settings_free(s);
    s = load("[any]\nsocket_mode = 0660\nsocket_group = root\nsocket_user = root\n[daemon]\nattach = manual\n[guest a]\nsocket_mode = 0640\n", 0);
    REQUIRE(s != NULL);
    EQ(s->any.mode, 0660);
    EQ(s->any.group, 0);
    EQ(s->any.user, 0);
    EQ(s->sockets.mode, 0600);
    CU_ASSERT_TRUE(s->sockets.group == (gid_t)-1);
    EQ(settings_guest(s, "a")->sockets.mode, 0640);
    CU_ASSERT_FALSE(s->attach_auto);
    settings_free(s);
}

static void af_vsock_is_no_and_a_guest_s_own_goes_first(void)
{
    struct settings *s;

    REQUIRE((s = settings_default()) != NULL);
    EQ(settings_af_vsock_of(s, NULL), AF_VSOCK_NO);
    settings_free(s);
    s = load("[daemon]\naf_vsock = auto\n[guest web1]\naf_vsock = no\n[guest db1]\naf_vsock = yes\n[guest lb1]\n", 0);
    EQ(settings_af_vsock_of(s, NULL), AF_VSOCK_AUTO);
    EQ(settings_af_vsock_of(s, settings_guest(s, "web1")), AF_VSOCK_NO);
    EQ(settings_af_vsock_of(s, settings_guest(s, "db1")), AF_VSOCK_YES);
    EQ(settings_af_vsock_of(s, settings_guest(s, "lb1")), AF_VSOCK_AUTO);
    settings_free(s);
}

static void an_error_names_line_key_and_what_is_right(void)
{
    static const struct { const char *text, *has; } bad[] = {
        { "[daemon]\n\nattach = maybe\n", ":3: attach = maybe: it must be auto or manual" },
        { "[daemon]\ncolour = red\n", ":2: colour: there is no such key in [daemon]; there are run_dir," },
        { "[daemon]\ncid = 5\n", ":2: cid: there is no such key in [daemon]" },
        { "[guest a]\nrun_dir = /x\n", ":2: run_dir: there is no such key in [guest a]" },
        { "[any]\ncid = 5\n", ":2: cid: there is no such key in [any]; there are socket_mode, socket_user, socket_group" },
        { "[any]\nattach = auto\n", ":2: attach: there is no such key in [any]" },
        { "[any]\n[any]\n", ":2: section [any] is there twice" },
        { "[any x]\n", ":1: section [any x]: there are only" },
        { "[demon]\nattach = auto\n", ":1: section [demon]: there are only" },
        { "[guest ]\ncid = 5\n", ":1: section [guest" },
        { "attach = auto\n", ":1: attach is in no section" },
        { "[daemon]\nattach = auto\nattach = auto\n", ":3: attach is given twice" },
        { "[guest a]\ncid = 2\n", ":2: cid = 2: it must be a number from 3 to 999" },
        { "[guest a]\ncid = 1000\n", "from 3 to 999" },
        { "[guest a]\ncid = 5x\n", "from 3 to 999" },
        { "[guest a]\ncid = -5\n", "from 3 to 999" },
        { "[guest a]\ncid = 5\n[guest b]\ncid = 5\n", ":4: cid = 5: guest a has this CID already" },
        { "[guest a]\ncid = 5\n[daemon]\nattach = auto\n[guest a]\nsocket_mode = 0600\n", "is there twice" },
        { "[daemon]\nrun_dir = /run/a\n[guest a]\ncid = 5\n[daemon]\nrun_dir = /run/b\n", ":5: section [daemon] is there twice" },
        { "[daemon]\nrun_dir = run\n", "absolute path" },
        { "[daemon]\nsocket_mode = 0777\n", "octal mode" },
        { "[daemon]\nsocket_mode = 9\n", "octal mode" },
        { "[daemon]\nsocket_mode = 066x\n", "octal mode" },
        { "[daemon]\nsocket_mode = -6\n", "octal mode" },
        { "[daemon]\nsocket_user = no such user\n", ":2: socket_user = no such user: there is no such user" },
        { "[daemon]\nsocket_group = no such group\n", "there is no such group" },
        { "[daemon]\npolicy_dir = policy.d\n", ":2: policy_dir = policy.d: it must be an absolute path, such as /etc/xvs/policy.d" },
        { "[daemon]\npolicy_cuts = 1\n", "policy_cuts = 1: it must be yes or no" },
        { "[daemon]\nmax_ring_page_order = 5\n", "from 0 to 4" },
        { "[daemon]\nmax_pool_pages = 0\n", "from 1 to 1000" },
        { "[daemon]\nmax_pool_pages = 1001\n", "from 1 to 1000" },
        { "[daemon]\nmax_connections = 0\n", "from 1 to 65536" },
        { "[daemon]\nmax_connections = 65537\n", "from 1 to 65536" },
        { "[daemon]\nheld_spill_bytes = 4294967297\n", "from 262144 to 4294967296" },
        { "[daemon]\nheld_spill_bytes = 99999999999999999999\n", "from 262144 to 4294967296" },
        { "[daemon]\nservices = true\n", ":2: services = true: it must be yes or no" },
        { "[guest web1]\naf_vsock = on\n", ":2: af_vsock = on: it must be no, auto or yes" },
        { "[daemon]\nlog_level = loud\n", "error, warning" },
        { "[daemon]\nspin_us = 1001\n", "from 0 to 1000" },
        { "[daemon]\nspin_us = much\n", "auto or a number" },
        { "[daemon]\nspin_us = -1\n", "auto or a number" },
        { "[daemon]\nnonsense\n", ":2:" },
        { "[daemon]\nattach = never\ncolour = red\n[demon]\n", ":2: attach = never" },      /* the first is told */
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct settings *s = load(bad[i].text, -EINVAL);

        CU_ASSERT_PTR_NULL(s);
        if (!strstr(why, bad[i].has)) {
            fprintf(stderr, "said \"%s\", expected \"%s\"\n", why, bad[i].has);
            CU_FAIL("the message");
        }
    }
}

static void a_name_is_checked_as_a_name(void)
{
    static const struct { const char *text, *has; } bad[] = {
        { "\n[guest My VM]\ncid = 5\n", ":2: section [guest NAME]: \"My VM\" is no name of a guest" },
        { "[guest My VM]\n", "goes by uuid:UUID" },         /* a section without keys is checked, too */
        { "[guest a/b]\n", "\"a/b\" is no name" },
        { "[guest .a]\n", "\".a\" is no name" },
        { "[guest :5]\n", "\":5\" is no name" },
        { "[gast a]\n", ":1: section [gast a]: there are only" },
        { "[guest uuid:01234567-89ab-cdef-0123-456789abcde]\n", "is no UUID" },
        { "[guest uuid:01234567-89ab-cdef-0123-456789abcdefa]\n", "is no UUID" },
        { "[guest uuid:0123456789abcdef0123456789abcdef]\n", "is no UUID" },
        { "[guest uuid:01234567-89AB-cdef-0123-456789abcdef]\n[guest a]\n"
          "[guest uuid:01234567-89ab-CDEF-0123-456789abcdef]\n", ":3: section [guest uuid:01234567-89ab-cdef-0123-456789abcdef] is" },
        { "[guest aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n", "at most 64" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_PTR_NULL(load(bad[i].text, -EINVAL));
        if (!strstr(why, bad[i].has)) {
            fprintf(stderr, "said \"%s\", expected \"%s\"\n", why, bad[i].has);
            CU_FAIL("the message");
        }
    }
}

/* The least and the most of each, and the words beside numbers. */
static void each_value_may_be_as_small_and_as_large_as_is_said(void)
{
    struct settings *s = load("[daemon]\nattach = auto\nmax_ring_page_order = 0\nmax_pool_pages = 1\nmax_connections = 1\n"
                              "held_spill_bytes = 262144\nspin_us = auto\nservices = yes\nsocket_mode = 0\nsocket_user = root\n"
                              "socket_group = root\npolicy_cuts = yes\nlog_level = error\n[guest a]\ncid = 3\n", 0);

    REQUIRE(s != NULL);
    CU_ASSERT_TRUE(s->attach_auto && s->services && s->policy_cuts);
    EQ(s->max_ring_page_order, 0);
    EQ(s->max_pool_pages, 1);
    EQ(s->max_connections, 1);
    EQ(s->held_spill_bytes, 262144);
    EQ(s->spin_us, SPINNER_AUTO);
    EQ(s->sockets.mode, 0);
    EQ(s->sockets.user, 0);
    EQ(s->sockets.group, 0);
    EQ(s->log_level, JOURNAL_ERROR);
    EQ(settings_guest(s, "a")->cid, 3);
    settings_free(s);

    s = load("[daemon]\nattach = manual\nmax_ring_page_order = 4\nmax_pool_pages = 1000\nmax_connections = 65536\n"
             "held_spill_bytes = 4294967296\nspin_us = 1000\nservices = no\nsocket_mode = 0666\npolicy_cuts = no\n"
             "log_level = debug\n[guest a]\ncid = 999\n", 0);
    REQUIRE(s != NULL);
    CU_ASSERT_FALSE(s->attach_auto || s->services || s->policy_cuts);
    EQ(s->max_ring_page_order, 4);
    EQ(s->max_pool_pages, 1000);
    EQ(s->max_connections, 65536);
    EQ(s->held_spill_bytes, UINT64_C(1) << 32);
    EQ(s->spin_us, 1000);
    EQ(s->sockets.mode, 0666);
    EQ(s->sockets.user, (uid_t)-1);
    EQ(s->log_level, JOURNAL_DEBUG);
    EQ(settings_guest(s, "a")->cid, 999);
    settings_free(s);
}

/* inih keeps 49 bytes of a section's name and goes on: two long names would be one. */
static void a_long_name_is_read_whole(void)
{
    struct settings *s = load("[guest aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1]\ncid = 5\n"
                              "[guest aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2]\ncid = 6\n", 0);

    REQUIRE(s != NULL);
    EQ(s->guest_count, 2);
    EQ(settings_guest(s, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2")->cid, 6);
    settings_free(s);
}

static void a_line_that_is_too_long_is_refused_and_not_cut(void)
{
    char text[600] = "[group a]\nguests = ";

    while (strlen(text) < 300)
        strcat(text, "some-guest, ");
    strcat(text, "b\n");
    CU_ASSERT_PTR_NULL(load(text, -EINVAL));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, ":2: the line is longer than 198 bytes"));
}

static void a_section_may_go_by_uuid(void)
{
    struct settings *s = load("[guest uuid:01234567-89AB-cdef-0123-456789abcdef]\ncid = 10\n[guest db1]\n", 0);

    REQUIRE(s != NULL);
    REQUIRE(settings_guest(s, "uuid:01234567-89ab-cdef-0123-456789abcdef") != NULL);
    EQ(settings_guest(s, "uuid:01234567-89ab-cdef-0123-456789abcdef")->cid, 10);
    settings_free(s);
}

static void a_section_belongs_to_who_has_the_name(void)
{
    static const char uuid[] = "01234567-89ab-cdef-0123-456789abcdef";
    struct settings *s = load("[daemon]\nsocket_mode = 0660\nsocket_user = root\n"
                              "[guest web1]\ncid = 10\nsocket_mode = 0600\n"
                              "[guest uuid:01234567-89ab-cdef-0123-456789abcdef]\ncid = 11\n[guest db1]\n", 0);
    struct title newest = { .name = "web1", .uuid = "", .has_name = true }, older = { .name = "web1", .uuid = "" },
                 by_uuid = { .name = "web1", .uuid = uuid, .has_name = true, .has_uuid = true },
                 away = { .name = "x", .uuid = uuid, .has_name = true },
                 other = { .name = "other", .uuid = "" };

    REQUIRE(s != NULL);
    EQ(settings_section(s, &newest)->cid, 10);
    EQ(settings_section(s, &by_uuid)->cid, 11);
    CU_ASSERT_PTR_NULL(settings_section(s, &away));
    CU_ASSERT_PTR_NULL(settings_section(s, &other));
    EQ(settings_by_cid(s, 11)->cid, 11);
    CU_ASSERT_PTR_NULL(settings_by_cid(s, 12));

    /* An older namesake has less than nobody, not more: [daemon] would let others in. */
    REQUIRE(settings_section(s, &older) != NULL);
    EQ(settings_section(s, &older)->cid, 0);
    EQ(settings_sockets_of(s, settings_section(s, &older)).mode, 0600);
    EQ(settings_sockets_of(s, settings_section(s, &older)).user, (uid_t)-1);
    settings_free(s);
}

static void what_cannot_be_read_is_said(void)
{
    struct settings *s = NULL;

    EQ(settings_load("/", &s, why), -EISDIR);
    CU_ASSERT_PTR_NULL(s);
}

static void a_file_that_is_not_there_is_said(void)
{
    struct settings *s = NULL;

    EQ(settings_load("/nonexistent/xvsd.conf", &s, why), -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "/nonexistent/xvsd.conf"));
}

static void a_group_is_a_list_of_guests(void)
{
    struct settings *s = load("[group web]\nguests = web1, uuid:01234567-89AB-cdef-0123-456789abcdef ,yes\n[group a]\n"
                              "[guest web1]\ncid = 10\n[group b]\nguests = x\nguests = yy, z\n", 0);
    static const char web[] = "web1\0uuid:01234567-89ab-cdef-0123-456789abcdef\0yes\0";

    REQUIRE(s != NULL);
    EQ(s->group_count, 3);
    EQ(strcmp(s->groups[0].name, "web"), 0);
    EQ(memcmp(s->groups[0].guests, web, sizeof web), 0);
    EQ(strcmp(s->groups[1].guests, ""), 0);
    EQ(memcmp(s->groups[2].guests, "x\0yy\0z\0", 8), 0);
    EQ(s->guest_count, 1);
    settings_free(s);
}

/* There were two settings for what policies say now. */
static void guest_to_guest_is_an_error_that_says_what_to_write(void)
{
    static const struct { const char *text, *has; } bad[] = {
        { "[daemon]\nguest_to_guest = no\n", ":2: guest_to_guest is no setting any more: leave it out, guests reach one another only where a policy" },
        { "[daemon]\nguest_to_guest = yes\n", "and write \"* @any @any allow\" into a policy, such as /etc/xvs/policy.d/50-guests.policy; see" },
        { "[guest web1]\nguest_to_guest = yes\n", "write \"* web1 @any allow\" and \"* @any web1 allow\" into" },
        { "[guest web1]\nguest_to_guest = no\n", "write \"* web1 @any deny\" and \"* @any web1 deny\" into" },
        { "[guest web1]\nguest_to_guest = db1\n", "write \"* web1 db1 allow\" into" },
        { "[guest web1]\nguest_to_guest = db1, db2\n", "write \"* web1 db1 allow\", and so for each into" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_PTR_NULL(load(bad[i].text, -EINVAL));
        if (!strstr(why, bad[i].has))
            printf("    \"%s\", not \"%s\"\n", why, bad[i].has);
        CU_ASSERT_PTR_NOT_NULL(strstr(why, bad[i].has));
    }
    /* It is not among those that there are. */
    CU_ASSERT_PTR_NULL(load("[daemon]\ncolour = red\n", -EINVAL));
    CU_ASSERT_PTR_NULL(strstr(why, "guest_to_guest"));
}

static void an_error_in_a_group_says_what_is_right(void)
{
    static const struct { const char *text, *has; } bad[] = {
        { "[group web]\nguests = a b\n", ":2: guests: \"a b\" is not one name: there must be a comma between two, as in \"a, b\"" },
        { "[group web]\nguests =\n", ":2: guests: a name is missing: it must be names of guests with commas between them" },
        { "[group web]\nguests = a,,b\n", "a name is missing" },
        { "[group web]\nguests = a/b\n", "\"a/b\" is no name of a guest" },
        { "[group web]\nguests = @any\n", "\"@any\" is no name of a guest" },
        { "[group web]\ncid = 5\n", ":2: cid: there is no such key in [group web]; there are guests" },
        { "[guest web]\nguests = a\n", ":2: guests: there is no such key in [guest web]" },
        { "[group web]\n[group web]\n", ":2: section [group web] is there twice" },
        { "[group ]\n", ":1: section [group]: there are only [daemon], [any], [guest NAME], [guest uuid:UUID] and [group NAME]" },
        { "[groups a]\n", ":1: section [groups a]: there are only" },
        { "[group a b]\n", ":1: section [group NAME]: \"a b\" is no name of a group, which is made of letters, digits" },
        { "[group web]\nguests = a\nguests = b/\n", ":3: guests: \"b/\" is no name" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_PTR_NULL(load(bad[i].text, -EINVAL));
        if (!strstr(why, bad[i].has))
            printf("    \"%s\", not \"%s\"\n", why, bad[i].has);
        CU_ASSERT_PTR_NOT_NULL(strstr(why, bad[i].has));
    }
}

static const struct test tests[] = {
    TEST(a_group_is_a_list_of_guests), TEST(an_error_in_a_group_says_what_is_right),
    TEST(guest_to_guest_is_an_error_that_says_what_to_write),
    TEST(an_empty_file_gives_the_defaults), TEST(a_good_file_is_read), TEST(af_vsock_is_no_and_a_guest_s_own_goes_first),
    TEST(those_who_listen_for_all_guests_have_a_section),
    TEST(an_error_names_line_key_and_what_is_right), TEST(a_name_is_checked_as_a_name),
    TEST(each_value_may_be_as_small_and_as_large_as_is_said), TEST(a_long_name_is_read_whole),
    TEST(a_line_that_is_too_long_is_refused_and_not_cut), TEST(a_section_may_go_by_uuid), TEST(a_section_belongs_to_who_has_the_name),
    TEST(what_cannot_be_read_is_said),
    TEST(a_file_that_is_not_there_is_said)
};

int main(int argc, char **argv)
{
    return harness_run("settings", tests, sizeof tests / sizeof *tests, argc, argv);
}

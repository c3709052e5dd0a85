/* SPDX-License-Identifier: MIT */
/* test_backend_settings.c: a good file, and each error with its file, line and key. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "journal.h"
#include "settings_files.h"
#include "spinner.h"

static struct complaints complaints;
#define why complaints.first

/* So many texts, of files /c/0.conf, /c/1.conf, …; whatever is wrong is in complaints. */
static struct settings *read_texts(const char *const *text, size_t count)
{
    struct conf_texts texts = { 0 };
    struct settings *s;
    char path[40];
    bool no_memory;

    complaints_free(&complaints);
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/c/%zu.conf", i);
        REQUIRE(conf_text_add(&texts, path, text[i], strlen(text[i])) == 0);
    }
    s = settings_text_read(&texts, true, &complaints, &no_memory);
    REQUIRE(s != NULL);
    CU_ASSERT_FALSE(no_memory);
    conf_texts_free(&texts);
    return s;
}

static struct settings *load(const char *text, int expected)
{
    struct settings *s = read_texts(&text, 1);

    EQ(complaints.count > 0, expected != 0);
    if (!complaints.count)
        return s;
    settings_free(s);
    return NULL;
}

/* What holds for a domain that has this name, or is of this UUID. */
static struct settings_own own_of(const struct settings *s, const char *name)
{
    struct title title = { .name = name, .uuid = "", .has_name = true };
    struct settings_own own;

    settings_own(s, &title, &own);
    return own;
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
    EQ(s->limits.max_connections, 100);
    EQ(settings_guest(s, "web1")->cid, 10);
    EQ(own_of(s, "web1").sockets.mode, 0600);
    EQ(own_of(s, "db1").sockets.mode, 0660);
    EQ(own_of(s, "nobody").sockets.mode, 0660);
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
    EQ(own_of(s, "another").af_vsock, AF_VSOCK_NO);
    settings_free(s);
    s = load("[daemon]\naf_vsock = auto\n[guest web1]\naf_vsock = no\n[guest db1]\naf_vsock = yes\n[guest lb1]\n", 0);
    EQ(own_of(s, "another").af_vsock, AF_VSOCK_AUTO);
    EQ(own_of(s, "web1").af_vsock, AF_VSOCK_NO);
    EQ(own_of(s, "db1").af_vsock, AF_VSOCK_YES);
    EQ(own_of(s, "lb1").af_vsock, AF_VSOCK_AUTO);
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
        { "[daemon]\nstatus_group = no such group\n", ":2: status_group = no such group: there is no such group" },
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
        { "[daemon]\nattach = never\ncolour = red\n[demon]\n", ":2: attach = never" },
        { "[daemon\n", ":1: neither a section, nor key = value, nor a comment (# or ;)" },
        { "[daemon]\nconnect_rate = 0\n", ":2: connect_rate = 0: it must be no, or a number from 1 to 1000000" },
        { "[daemon]\nconnect_rate = 10,\n", "connect_rate = 10,: it must be no" },
        { "[daemon]\nconnect_rate = 10, 20\n", "with \", burst N\" and another such number behind that" },
        { "[daemon]\nconnect_rate = 10, burst\n", "it must be no" },
        { "[daemon]\nconnect_rate = 10, burst20\n", "it must be no" },
        { "[daemon]\nconnect_rate = 10, burst 0\n", "it must be no" },
        { "[daemon]\nbyte_rate = 65535\n", "from 65536 to 1099511627776" },
        { "[daemon]\nbyte_rate = 1025G\n", "from 65536 to 1099511627776" },
        { "[daemon]\nbyte_rate = 17179869184G\n", "from 65536 to 1099511627776" },
        { "[daemon]\nbyte_rate = 1T\n", "from 65536 to 1099511627776" },
        { "[daemon]\nbyte_rate = 1MB\n", "from 65536 to 1099511627776" },
        { "[daemon]\nbyte_rate = -1\n", "from 65536 to 1099511627776" },
        { "[daemon]\nmax_files = 0\n", "from 1 to 1048576" },
        { "[guest web1]\nmax_connections = 65537\n", "from 1 to 65536" },
        { "[guest web*]\ncid = 10\n", ":2: cid: it is one guest's, and [guest web*] are several" },
        { "[guest .*]\n", ":1: section [guest NAME]: \".*\" is no name of a guest" },
        { "[guest a b*]\n", "is no name of a guest" },
        { "[group web*]\n", "is no name of a group" },
        { "[guest a]\nchannel x = 4294967295\n", ":2: channel x = 4294967295: it must be a number from 0 to 4294967294" },
        { "[guest a]\nchannel = 5\n", ":2: channel: there is no such key in [guest a]; there are" },
        { "[guest a]\nchannels = 5\n", ":2: channels: there is no such key" },
        { "[guest a]\nchannel ../x = 5\n", ":2: channel NAME: \"../x\" is no name of a channel, which is made of letters, digits and _.+-" },
        { "[guest a]\nchannel .. = 5\n", "\"..\" is no name of a channel" },
        { "[guest a]\nchannel . = 5\n", "\".\" is no name of a channel" },
        { "[guest a]\nchannel a/b = 5\n", "\"a/b\" is no name of a channel" },
        { "[guest a]\nchannel a b = 5\n", "\"a b\" is no name of a channel" },
        { "[guest a]\nchannel aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = 5\n", "at most 64" },
        { "[guest a]\nchannel x = 5 datagram\n", ":2: channel x = 5 datagram: it must be a number" },
        { "[guest a]\nchannel x = no seqpacket\n", "no port is called so" },
        { "[guest a]\nchannel x = 5 seqpacket seqpacket\n", ":2: channel x" },
        { "[guest a]\nchannel x = 5\nchannel  x = 6\n", ":3: channel  x is given twice in [guest a]" },
        { "[daemon]\nchannel x = 5\n", ":2: channel x: there is no such key in [daemon]" },
        { "[guest web*]\n[guest web*]\n", ":2: section [guest web*] is there twice" },
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
    EQ(s->limits.max_connections, 1);
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
    EQ(s->limits.max_connections, 65536);
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

/* Editors of other systems put a mark before the first line, and a byte more at the end of each. */
static void a_text_from_elsewhere_is_read(void)
{
    struct settings *s = load("\xef\xbb\xbf[daemon]\r\nattach = manual\r\nrun_dir = /run/x\r\n\r\n[guest a]\r\ncid = 10\r\n", 0);

    REQUIRE(s != NULL);
    CU_ASSERT_FALSE(s->attach_auto);
    CU_ASSERT_STRING_EQUAL(s->run_dir, "/run/x");
    EQ(own_of(s, "a").cid, 10);
    settings_free(s);
    /* Two bytes are no mark. */
    CU_ASSERT_PTR_NULL(load("\xef\xbb[daemon]\n", -EINVAL));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, ":1: "));
    /* Two such files in one: the section would be passed over, and its keys taken for the daemon's. */
    CU_ASSERT_PTR_NULL(load("[daemon]\nattach = manual\n\xef\xbb\xbf[guest a]\nsocket_mode = 0666\n", -EINVAL));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, ":3: there is a byte order mark"));
}

static void a_section_may_go_by_uuid(void)
{
    struct settings *s = load("[guest uuid:01234567-89AB-cdef-0123-456789abcdef]\ncid = 10\n[guest db1]\n", 0);

    REQUIRE(s != NULL);
    REQUIRE(settings_guest(s, "uuid:01234567-89ab-cdef-0123-456789abcdef") != NULL);
    EQ(settings_guest(s, "uuid:01234567-89ab-cdef-0123-456789abcdef")->cid, 10);
    settings_free(s);
}

static struct settings_own own(const struct settings *s, const struct title *title)
{
    struct settings_own out;

    settings_own(s, title, &out);
    return out;
}

static void a_section_belongs_to_who_has_the_name(void)
{
    static const char uuid[] = "01234567-89ab-cdef-0123-456789abcdef";
    struct settings *s = load("[daemon]\nsocket_mode = 0660\nsocket_user = root\n"
                              "[guest web1]\ncid = 10\nsocket_mode = 0600\nconnect_rate = 10\n"
                              "[guest uuid:01234567-89ab-cdef-0123-456789abcdef]\ncid = 11\n[guest db1]\n", 0);
    struct title newest = { .name = "web1", .uuid = "", .has_name = true }, older = { .name = "web1", .uuid = "" },
                 by_uuid = { .name = "web1", .uuid = uuid, .has_name = true, .has_uuid = true },
                 away = { .name = "x", .uuid = uuid, .has_name = true },
                 other = { .name = "other", .uuid = "" };

    REQUIRE(s != NULL);
    EQ(own(s, &newest).cid, 10);
    EQ(own(s, &by_uuid).cid, 11);
    EQ(own(s, &by_uuid).sockets.mode, 0660);    /* nothing of [guest web1] */
    CU_ASSERT_PTR_NULL(settings_section(s, &away, NULL));
    CU_ASSERT_PTR_NULL(settings_section(s, &other, NULL));
    EQ(own(s, &other).sockets.mode, 0660);
    EQ(settings_by_cid(s, 11)->cid, 11);
    CU_ASSERT_PTR_NULL(settings_by_cid(s, 12));

    /* An older namesake has less than nobody, not more: [daemon] would let others in.  Nor does it get rid of a limit. */
    EQ(own(s, &older).cid, 0);
    EQ(own(s, &older).sockets.mode, 0600);
    EQ(own(s, &older).sockets.user, (uid_t)-1);
    EQ(own(s, &older).af_vsock, AF_VSOCK_NO);
    EQ(own(s, &older).limits.connects.per_second, 10);
    settings_free(s);
}

/* Of each key the closest section that has it. */
static void a_pattern_is_for_all_that_it_fits_and_the_closest_goes_first(void)
{
    struct settings *s = load("[guest *]\nsocket_mode = 0640\nmax_files = 100\nconnect_rate = 1\n"
                              "[guest w*]\nmax_files = 50\naf_vsock = auto\nconnect_rate = 2\n"
                              "[guest *-db]\nconnect_rate = 4\nmax_connections = 7\n"
                              "[guest web*]\nconnect_rate = 3, burst 9\nmax_connections = 8\n"
                              "[guest web1]\ncid = 10\nmax_files = no\n[daemon]\nbyte_rate = 2M\n", 0);
    struct title lost = { .name = "web1", .uuid = "" }, odd = { .name = "web 1", .uuid = "" };

    REQUIRE(s != NULL);
    EQ(own_of(s, "web1").cid, 10);
    EQ(own_of(s, "web1").limits.max_files, UINT32_MAX);
    EQ(own_of(s, "web1").limits.connects.per_second, 3);
    EQ(own_of(s, "web1").limits.connects.burst, 9);
    EQ(own_of(s, "web1").limits.bytes.per_second, 2 << 20);
    EQ(own_of(s, "web1").limits.bytes.burst, 2 << 20);
    EQ(own_of(s, "web1").af_vsock, AF_VSOCK_AUTO);
    EQ(own_of(s, "web1").sockets.mode, 0640);
    EQ(own_of(s, "web2").limits.max_files, 50);
    EQ(own_of(s, "web2").cid, 0);
    EQ(own_of(s, "w").limits.connects.per_second, 2);
    EQ(own_of(s, "other").limits.connects.per_second, 1);
    EQ(own_of(s, "other").limits.max_connections, 16384);
    EQ(own_of(s, "web-db").limits.connects.per_second, 4);      /* as close as web*, and read before it */
    EQ(own_of(s, "web-db").limits.max_connections, 7);
    EQ(own_of(s, "a-db").limits.max_files, 100);
    /* One that lost its name has no rights by a pattern, but the limits. */
    EQ(own(s, &lost).sockets.mode, 0600);
    EQ(own(s, &lost).af_vsock, AF_VSOCK_NO);
    EQ(own(s, &lost).limits.connects.per_second, 3);
    /* One whose name is none is fitted by "*" alone. */
    EQ(own(s, &odd).sockets.mode, 0640);
    EQ(own(s, &odd).limits.connects.per_second, 1);
    settings_free(s);
}

static void of_each_channel_the_closest_section_decides(void)
{
    struct settings *s = load("[guest *]\nchannel a = 1\nchannel b = 2\nchannel c = 3\n[guest web1]\nchannel b = 20\nchannel c = no\n", 0);
    struct title web = { .name = "web1", .uuid = "", .has_name = true }, other = { .name = "x", .uuid = "" }, lost = { .name = "web1", .uuid = "" };
    struct settings_channel list[4];

    REQUIRE(s != NULL);
    EQ(settings_channels(s, &web, list, 4), 2);
    CU_ASSERT_TRUE(!strcmp(list[0].name, "b") && list[0].port == 20 && !strcmp(list[1].name, "a") && list[1].port == 1);
    EQ(settings_channels(s, &other, list, 4), 3);
    EQ(settings_channels(s, &other, list, 2), 2);
    EQ(settings_channels(s, &lost, list, 4), 0);
    settings_free(s);
}

static void of_a_channel_in_two_files_the_later_one_holds(void)
{
    static const char *const text[] = {
        "[guest a]\nchannel x = 1\nchannel y = 2\n", "[guest a]\nchannel x = 3 seqpacket\n", "[guest a]\nchannel y = no\n",
    };
    struct title a = { .name = "a", .uuid = "", .has_name = true };
    struct settings *s = read_texts(text, 3);
    struct settings_channel list[4];

    EQ(complaints.count, 0);
    REQUIRE(settings_channels(s, &a, list, 4) == 1);
    CU_ASSERT_STRING_EQUAL(list[0].name, "x");
    EQ(list[0].port, 3);
    CU_ASSERT_TRUE(list[0].messages);
    settings_free(s);
}

static void a_section_has_so_many_channels_and_no_more(void)
{
    char text[SETTINGS_CHANNELS * 20 + 100] = "[guest a]\n";
    struct title a = { .name = "a", .uuid = "", .has_name = true };
    struct settings_channel list[SETTINGS_CHANNELS + 1];
    struct settings *s;
    size_t n = strlen(text);

    for (unsigned i = 1; i <= SETTINGS_CHANNELS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "channel c%u = %u\n", i, i);
    s = load(text, 0);
    REQUIRE(s != NULL);
    EQ(settings_channels(s, &a, list, SETTINGS_CHANNELS + 1), SETTINGS_CHANNELS);
    EQ(list[SETTINGS_CHANNELS - 1].port, SETTINGS_CHANNELS);
    settings_free(s);
    /* Another section counts by itself. */
    snprintf(text + n, sizeof text - n, "[guest b]\nchannel x = 1\n");
    settings_free(load(text, 0));
    snprintf(text + n, sizeof text - n, "channel x = 1\n");
    CU_ASSERT_PTR_NULL(load(text, -EINVAL));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, ":66: channel x: a section has at most 64 channels"));
}

static void a_pattern_fits_as_people_think(void)
{
    static const struct { const char *pattern, *name; bool fits; } list[] = {
        { "*", "a", true }, { "a*", "a", true }, { "a*", "ba", false }, { "*a", "ba", true }, { "*a", "ab", false },
        { "a*b", "ab", true }, { "a*b", "axxb", true }, { "a*b", "axbx", false }, { "*ab*", "xxabxx", true },
        { "*ab*", "aab", true }, { "a**b", "ab", true }, { "*a*a", "a", false }, { "*a*a", "aa", true }, { "web*.prod", "web1.prod", true },
        { "web*.prod", "web1-prod", false }, { "*aaab", "aaaaaaaab", true },
    };

    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (names_fit(list[i].pattern, list[i].name) != list[i].fits) {
            printf("    %s and %s\n", list[i].pattern, list[i].name);
            CU_FAIL("fits, or does not");
        }
    CU_ASSERT_TRUE(names_is_pattern("web*") && names_is_pattern("*"));
    CU_ASSERT_FALSE(names_is_pattern("web1") || names_is_pattern(".w*") || names_is_pattern("w *") || names_is_pattern("w*/") ||
                    names_is_pattern("") || names_is_pattern("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa*"));
}

/* Of a later file what it says again holds; guests of a group are added. */
static void a_later_file_says_it_again(void)
{
    static const char *const text[] = {
        "[daemon]\nattach = manual\nrun_dir = /a\n[guest web1]\ncid = 10\nsocket_mode = 0640\n[group g]\nguests = a\n",
        "[guest web1]\ncid = 11\n[daemon]\nrun_dir = /b\n[group g]\nguests = b\n",
        "[guest db1]\ncid = 10\n",
    };
    struct settings *s = read_texts(text, 3);

    EQ(complaints.count, 0);
    CU_ASSERT_FALSE(s->attach_auto);
    EQ(strcmp(s->run_dir, "/b"), 0);
    EQ(own_of(s, "web1").cid, 11);
    EQ(own_of(s, "web1").sockets.mode, 0640);
    EQ(own_of(s, "db1").cid, 10);
    EQ(memcmp(s->groups[0].guests, "a\0b\0", 5), 0);
    settings_free(s);
}

static void count_line(const char *line, void *arg)
{
    static const char *const expected[] = {
        "/c/0.conf:2: attach = x: it must be auto or manual",
        "/c/0.conf:3: colour: there is no such key in [daemon]; there are",
        "/c/0.conf:4: section [demon]: there are only",
        "/c/0.conf:6: neither a section",
        "/c/0.conf:8: cid = 1: it must be a number",
        "/c/1.conf:1: neither a section",
        "/c/1.conf:2: x is in no section",
        "/c/1.conf:4: cid = 12: guest a has this CID already",
    };
    size_t *n = arg;

    REQUIRE(*n < sizeof expected / sizeof *expected);
    if (strncmp(line, expected[*n], strlen(expected[*n])))
        printf("    said \"%s\", expected \"%s\"\n", line, expected[*n]);
    CU_ASSERT_TRUE(!strncmp(line, expected[*n], strlen(expected[*n])));
    ++*n;
}

/* What is in a section that is none cannot be judged; all else is. */
static void all_errors_of_all_files_are_told_at_once(void)
{
    static const char *const text[] = {
        "[daemon]\nattach = x\ncolour = red\n[demon]\nred = green\n nonsense\n[guest b]\ncid = 1\n[guest a]\ncid = 12\n",
        "more nonsense\nx = 5\n[guest c]\ncid = 12\n",
    };
    struct settings *s = read_texts(text, 2);
    char sum[COMPLAINT];
    size_t told = 0;

    EQ(complaints.count, 8);
    complaints_tell(&complaints, count_line, &told);
    EQ(told, 8);
    complaints_sum(&complaints, sum);
    CU_ASSERT_PTR_NOT_NULL(strstr(sum, "auto or manual (and 7 errors more: xvsd -t shows them)"));
    settings_free(s);
    CU_ASSERT_PTR_NULL(load("[daemon]\nattach = x\ncolour = red\n", -EINVAL));
    complaints_sum(&complaints, sum);
    CU_ASSERT_PTR_NOT_NULL(strstr(sum, " (and 1 error more: "));
}

static void last_of(const char *line, void *arg)
{
    snprintf(arg, COMPLAINT, "%s", line);
}

static void ten_thousand_errors_are_some_and_a_number(void)
{
    static char text[20000];
    char last[COMPLAINT] = "";

    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "x\n", 3);
    CU_ASSERT_PTR_NULL(load(text, -EINVAL));
    EQ(complaints.count, 9999);
    complaints_tell(&complaints, last_of, last);
    EQ(strcmp(last, "and 9799 errors more"), 0);
}

/* Whoever takes it has no users and groups to look up, and none that are wrong. */
static void what_was_read_can_be_handed_over(void)
{
    static const char names[] = "[guest a]\nsocket_user = nobody at all\nsocket_group = none at all\n[daemon]\nstatus_group = nor this\n";
    struct conf_texts texts = { 0 };
    struct settings *s = NULL;
    size_t len;
    char *bytes = NULL;
    int fd = memfd_create("pack", MFD_CLOEXEC);

    REQUIRE(fd >= 0 && !conf_text_add(&texts, "/a", "", 0) && !conf_text_add(&texts, "/b", names, sizeof names - 1) &&
            !conf_text_add(&texts, "/c", "[guest a]\ncid = 10", 18) && (bytes = settings_pack(&texts, &len)));
    EQ(write(fd, bytes, len), len);
    lseek(fd, 0, SEEK_SET);
    EQ(settings_take(dup(fd), &s), 0);
    REQUIRE(s != NULL);
    EQ(own_of(s, "a").cid, 10);
    CU_ASSERT_TRUE(own_of(s, "a").sockets.user == (uid_t)-1 && own_of(s, "a").sockets.group == (gid_t)-1);
    settings_free(s);
    /* Not all of it. */
    for (size_t cut = 1; cut < len; cut++) {
        struct settings *none = NULL;
        int err;

        EQ(ftruncate(fd, (off_t)(len - cut)), 0);
        lseek(fd, 0, SEEK_SET);
        err = settings_take(dup(fd), &none);
        CU_ASSERT_TRUE(err ? err == -EPROTO && !none : none != NULL);
        settings_free(none);
    }
    close(fd);
    free(bytes);
    conf_texts_free(&texts);
}

/* The names are read before what uses them, and go with it to whoever can read no file. */
static void a_channel_s_port_may_have_a_name(void)
{
    static const char ports[] = "qga 1024\nbad x\n", conf[] = "[guest a]\nchannel x = qga\nchannel y = qgb\n";
    struct conf_texts texts = { 0 };
    struct settings *s;
    struct title a = { .name = "a", .uuid = "", .has_name = true };
    struct settings_channel c;
    bool no_memory;

    complaints_free(&complaints);
    REQUIRE(!conf_text_add(&texts, "/c/ports", ports, sizeof ports - 1) &&
            !conf_text_add(&texts, "/c/x.conf", conf, sizeof conf - 1));
    texts.files->is_ports = true;
    s = settings_text_read(&texts, true, &complaints, &no_memory);
    REQUIRE(s != NULL);
    EQ(complaints.count, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(complaints.lines, "/c/ports:2: bad x: a port is a number"));
    CU_ASSERT_PTR_NOT_NULL(strstr(complaints.lines, "/c/x.conf:3: channel y = qgb: no port is called so in the file ports beside xvsd.conf"));
    EQ(settings_channels(s, &a, &c, 1), 1);
    EQ(c.port, 1024);
    settings_free(s);
    conf_texts_free(&texts);
}

/* ---- files ---- */

static const char *dir;

static void put(const char *name, const char *text, mode_t mode)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    REQUIRE((f = fopen(path, "w")) != NULL);
    fputs(text, f);
    fclose(f);
    REQUIRE(chmod(path, mode) == 0);
}

static int load_files(const char *name, bool given, struct settings **s)
{
    struct conf_texts texts = { 0 };
    char path[300];
    int err;

    complaints_free(&complaints);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    err = settings_load(path, given, s, &texts, &complaints);
    conf_texts_free(&texts);
    return err;
}

static void make_dir(const char *name)
{
    char path[300];

    if (!dir)
        dir = harness_directory("settings");
    REQUIRE(dir != NULL);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    REQUIRE(mkdir(path, 0755) == 0);
}

static void files_beside_it_are_read_in_the_order_of_their_names(void)
{
    struct settings *s = NULL;

    make_dir("x.conf.d");
    put("x.conf", "[daemon]\nmax_connections = 1\n[guest a]\ncid = 10\n", 0644);
    put("x.conf.d/20-b.conf", "[daemon]\nmax_connections = 3\n", 0644);
    put("x.conf.d/10-a.conf", "[daemon]\nmax_connections = 2\n[guest b]\ncid = 11\n", 0644);
    put("x.conf.d/30-c.conf.bak", "nonsense\n", 0666);
    put("x.conf.d/.40-d.conf", "nonsense\n", 0666);
    EQ(load_files("x.conf", true, &s), 0);
    EQ(s->limits.max_connections, 3);
    EQ(own_of(s, "a").cid, 10);
    EQ(own_of(s, "b").cid, 11);
    settings_free(s);
}

static void without_the_file_those_beside_it_hold(void)
{
    struct settings *s = NULL;

    make_dir("y.conf.d");
    EQ(load_files("y.conf", false, &s), 0);
    settings_free(s);
    put("y.conf.d/a.conf", "[daemon]\nmax_connections = 2\n", 0644);
    EQ(load_files("y.conf", false, &s), 0);
    EQ(s->limits.max_connections, 2);
    settings_free(s);
    EQ(load_files("y.conf", true, &s), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "/y.conf: No such file"));
    settings_free(s);
}

static void a_file_that_others_can_write_is_refused(void)
{
    struct settings *s = NULL;
    char path[300];

    make_dir("z.conf.d");
    put("z.conf", "", 0644);
    put("z.conf.d/a.conf", "[daemon]\n", 0646);
    EQ(load_files("z.conf", true, &s), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "z.conf.d/a.conf: everybody may write it (mode 0646), and we obey it as root: chmod o-w"));
    settings_free(s);
    put("z.conf.d/a.conf", "[daemon]\n", 0644);
    snprintf(path, sizeof path, "%s/z.conf.d", dir);
    REQUIRE(chmod(path, 0777) == 0);
    EQ(load_files("z.conf", true, &s), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "z.conf.d: everybody may write it (mode 0777)"));
    settings_free(s);
    REQUIRE(chmod(path, 0755) == 0);
    if (!geteuid()) {
        snprintf(path, sizeof path, "%s/z.conf.d/a.conf", dir);
        REQUIRE(chown(path, 65534, 0) == 0);
        EQ(load_files("z.conf", true, &s), -EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(why, "z.conf.d/a.conf: it belongs to user 65534, and we obey it as root: chown root"));
        settings_free(s);
    }
    /* One file is bad, and what is wrong in another one is told as well. */
    put("z.conf.d/b.conf", "nonsense\n", 0644);
    make_dir("z.conf.d/c.conf");
    EQ(load_files("z.conf", true, &s), -EINVAL);
    EQ(complaints.count, geteuid() ? 2 : 3);
    settings_free(s);
}

static void what_cannot_be_read_is_said(void)
{
    struct settings *s = NULL;

    make_dir("v.conf");
    EQ(load_files("v.conf", true, &s), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "/v.conf: Is a directory"));
    settings_free(s);
}

/* In place of libc's: somebody removes it just before. */
static const char *removed;

int openat(int at, const char *name, int flags, ...)
{
    if (removed && !strcmp(name, removed))
        unlinkat(at, name, 0);
    return (int)syscall(SYS_openat, at, name, flags, 0);
}

static void a_file_that_goes_while_its_directory_is_read_is_not_there(void)
{
    struct settings *s = NULL;
    char path[300];

    make_dir("w.conf.d");
    put("w.conf", "", 0644);
    put("w.conf.d/a.conf", "[daemon]\nmax_connections = 2\n", 0644);
    put("w.conf.d/b.conf", "[daemon]\nmax_connections = 3\n", 0644);
    removed = "b.conf";
    EQ(load_files("w.conf", true, &s), 0);
    removed = NULL;
    EQ(s->limits.max_connections, 2);
    settings_free(s);
    /* A link to nothing is there, and no settings. */
    snprintf(path, sizeof path, "%s/w.conf.d/b.conf", dir);
    REQUIRE(symlink("nothing", path) == 0);
    EQ(load_files("w.conf", true, &s), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "w.conf.d/b.conf: No such file"));
    settings_free(s);
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
        { "[group ]\n", ":1: section [group]: there are only [daemon], [any], [guest NAME], [guest uuid:UUID], [guest PATTERN*] and [group NAME]" },
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
    TEST(a_line_that_is_too_long_is_refused_and_not_cut), TEST(a_text_from_elsewhere_is_read),
    TEST(a_section_may_go_by_uuid), TEST(a_section_belongs_to_who_has_the_name),
    TEST(a_pattern_is_for_all_that_it_fits_and_the_closest_goes_first), TEST(a_pattern_fits_as_people_think),
    TEST(of_each_channel_the_closest_section_decides),
    TEST(of_a_channel_in_two_files_the_later_one_holds), TEST(a_section_has_so_many_channels_and_no_more),
    TEST(a_channel_s_port_may_have_a_name),
    TEST(a_later_file_says_it_again), TEST(all_errors_of_all_files_are_told_at_once), TEST(ten_thousand_errors_are_some_and_a_number),
    TEST(what_was_read_can_be_handed_over), TEST(files_beside_it_are_read_in_the_order_of_their_names),
    TEST(without_the_file_those_beside_it_hold), TEST(a_file_that_others_can_write_is_refused),
    TEST(what_cannot_be_read_is_said), TEST(a_file_that_goes_while_its_directory_is_read_is_not_there)
};

int main(int argc, char **argv)
{
    return harness_run("settings", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_copy_tricks.c: what an archive from a hostile guest may try, and what comes of it: nothing outside of the target is made, changed or
 * read, the trick is told by its name, and the rest of the archive is there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy_lab.h"
#include "harness.h"

static const struct lab_outcome *out;

static void entry(const char *name, char type, const char *link, const char *content)
{
    lab_tar(&(struct lab_entry){ .name = name, .type = type, .link = link, .content = content });
}

static void file(const char *name, const char *content)
{
    entry(name, '0', NULL, content);
}

/* Behind each trick comes an honest file: the rest goes on. */
static void unpack(unsigned problems)
{
    file("honest", "honest");
    out = lab_unpack_anybodys();
    EQ(out->err, 0);
    if (out->err)
        printf("    %s\n", out->why);
    EQ(out->report.problems, problems);
    CU_ASSERT_TRUE(lab_has("target/honest", "honest"));
}

static void an_absolute_name_is_refused(void)
{
    char dir[200], name[260];

    lab_begin();
    REQUIRE(getcwd(dir, sizeof dir) != NULL);
    snprintf(name, sizeof name, "%.80s/x", dir);
    file(name, "x");
    unpack(1);
    CU_ASSERT_TRUE(lab_told("would leave the target"));
    lab_end();
}

static void dots_that_climb_are_refused_wherever_they_stand(void)
{
    lab_begin();
    file("../x", "x");
    file("a/../../x", "x");
    file("a/..", "x");
    entry("..", '5', NULL, NULL);
    entry("b/../c", '5', NULL, NULL);
    unpack(5);
    EQ(lab_count("target"), 1);
    lab_end();
}

static void a_single_dot_and_double_slashes_are_nothing(void)
{
    lab_begin();
    file(".//a/./b", "b");
    unpack(0);
    CU_ASSERT_TRUE(lab_has("target/a/b", "b"));
    lab_end();
}

static void a_link_to_a_directory_is_made_and_not_walked(void)
{
    lab_begin();
    entry("door", '2', "../outside", NULL);
    file("door/x", "x");
    file("door/secret", "changed");
    entry("door/d", '5', NULL, NULL);
    unpack(3);
    CU_ASSERT_TRUE(lab_told("door/x: a link or a file is in its way"));
    lab_end();
}

static void a_link_that_was_there_before_is_not_walked(void)
{
    lab_begin();
    EQ(symlink("../outside", "target/door"), 0);
    file("door/secret", "changed");
    entry("door", '5', NULL, NULL);
    unpack(2);
    lab_end();
}

static void a_link_deep_in_a_name_is_not_walked(void)
{
    lab_begin();
    entry("a", '5', NULL, NULL);
    entry("a/door", '2', "../../outside", NULL);
    file("a/door/b/x", "x");
    unpack(1);
    lab_end();
}

static void a_directory_is_not_replaced_by_a_link(void)
{
    lab_begin();
    entry("d", '5', NULL, NULL);
    entry("d", '2', "../outside", NULL);
    file("d/x", "x");
    unpack(1);
    CU_ASSERT_TRUE(lab_told("d: there is a directory of this name"));
    CU_ASSERT_TRUE(lab_has("target/d/x", "x"));
    lab_end();
}

static void a_file_replaces_a_link_and_does_not_write_through_it(void)
{
    lab_begin();
    entry("f", '2', "../outside/secret", NULL);
    file("f", "mine");
    unpack(0);
    CU_ASSERT_TRUE(lab_has("target/f", "mine"));
    lab_end();
}

/* Its rights would be those of the file that it points to. */
static void rights_are_not_given_through_a_link(void)
{
    lab_begin();
    lab_tar(&(struct lab_entry){ .name = "f", .type = '2', .link = "../outside/secret", .mode = 0777 });
    lab_tar(&(struct lab_entry){ .name = "d", .type = '2', .link = "../outside", .mode = 0777 });
    lab_tar(&(struct lab_entry){ .name = "d", .type = '5', .mode = 0777 });
    unpack(1);
    lab_end();
}

static void a_hard_link_to_what_is_outside_is_refused(void)
{
    lab_begin();
    entry("a", '1', "../outside/secret", NULL);
    entry("b", '1', "/etc/passwd", NULL);
    unpack(2);
    CU_ASSERT_TRUE(lab_told("a: it is a hard link to what is outside of the target"));
    lab_end();
}

static void a_hard_link_by_way_of_a_link_is_refused(void)
{
    lab_begin();
    entry("door", '2', "../outside", NULL);
    entry("a", '1', "door/secret", NULL);
    entry("s", '2', "../outside/secret", NULL);
    entry("b", '1', "s", NULL);
    unpack(2);
    CU_ASSERT_TRUE(lab_has_not("target/a") && lab_has_not("target/b"));
    lab_end();
}

static void a_hard_link_within_the_target_is_one(void)
{
    struct stat st;

    lab_begin();
    file("d/a", "a");
    entry("b", '1', "d/a", NULL);
    entry("b", '1', "d/a", NULL);
    unpack(0);
    EQ(stat("target/b", &st), 0);
    EQ(st.st_nlink, 2);
    EQ(lab_count("target"), 3);
    lab_end();
}

static void devices_and_fifos_are_not_made(void)
{
    lab_begin();
    entry("null", '3', NULL, NULL);
    entry("disk", '4', NULL, NULL);
    entry("fifo", '6', NULL, NULL);
    unpack(3);
    CU_ASSERT_TRUE(lab_told("null: it is a device, a FIFO or a socket"));
    EQ(lab_count("target"), 1);
    lab_end();
}

static void set_user_bits_are_dropped_unless_they_are_asked_for(void)
{
    static const struct unpack_options special = { .quick = true, .special = true };
    struct stat st;

    lab_begin();
    lab_tar(&(struct lab_entry){ .name = "su", .mode = 06755, .type = '0', .content = "su" });
    lab_tar(&(struct lab_entry){ .name = "tmp", .mode = 03777, .type = '5' });
    unpack(0);
    EQ(stat("target/su", &st), 0);
    EQ(st.st_mode & 07777, 0755);
    EQ(stat("target/tmp", &st), 0);
    EQ(st.st_mode & 07777, 0777);
    out = lab_unpack(&special, NULL);
    EQ(out->err, 0);
    EQ(stat("target/su", &st), 0);
    EQ(st.st_mode & 07777, 06755);
    lab_end();
}

static void of_a_name_twice_the_last_one_stays(void)
{
    lab_begin();
    file("f", "first");
    file("f", "second");
    unpack(0);
    CU_ASSERT_TRUE(lab_has("target/f", "second"));
    EQ(lab_count("target"), 2);
    lab_end();
}

static void a_file_does_not_replace_a_directory_nor_the_other_way_round(void)
{
    lab_begin();
    file("d/x", "x");
    file("d", "file");
    file("f", "f");
    entry("f", '5', NULL, NULL);
    file("f/x", "x");
    unpack(3);
    CU_ASSERT_TRUE(lab_has("target/d/x", "x") && lab_has("target/f", "f"));
    lab_end();
}

static void the_target_itself_is_not_replaced(void)
{
    lab_begin();
    file(".", "x");
    entry("./", '2', "../outside", NULL);
    unpack(2);
    CU_ASSERT_TRUE(lab_told("it would replace the target itself"));
    lab_end();
}

static void names_that_are_too_long_are_told(void)
{
    char name[6000];

    lab_begin();
    memset(name, 'n', sizeof name);
    name[300] = '\0';
    lab_pax("path", name);
    file("short", "x");
    for (size_t i = 0; i < sizeof name - 2; i += 2)
        memcpy(name + i, "d/", 2);
    name[sizeof name - 3] = '\0';              /* one that ends with a slash would be a directory */
    lab_pax("path", name);
    file("short", "x");
    unpack(2);
    CU_ASSERT_TRUE(lab_told("the name is too long"));
    EQ(lab_count("target"), 1);
    lab_end();
}

static void names_are_bytes(void)
{
    lab_begin();
    file("new\nline", "1");
    file("\xff\xfe", "2");
    lab_pax("path", "gr\xc3\xbc\xc3\x9f" "e");
    file("x", "3");
    unpack(0);
    CU_ASSERT_TRUE(lab_has("target/new\nline", "1") && lab_has("target/\xff\xfe", "2") && lab_has("target/gr\xc3\xbc\xc3\x9f" "e", "3"));
    lab_end();
}

static void an_archive_that_ends_in_the_middle_of_a_file_leaves_none(void)
{
    lab_begin();
    file("whole", "whole");
    lab_tar(&(struct lab_entry){ .name = "half", .type = '0', .content = "half", .size = 100000 });
    lab_data_end();
    out = lab_unpack(&(struct unpack_options){ .quick = true }, NULL);
    EQ(out->err, -EPROTO);
    CU_ASSERT_TRUE(strstr(out->why, "what comes is no good archive") != NULL);
    EQ(lab_count("target"), 1);
    lab_end();
}

static void a_stream_that_breaks_in_the_middle_of_a_file_leaves_none(void)
{
    lab_begin();
    lab_tar(&(struct lab_entry){ .name = "half", .type = '0', .content = "half", .size = 100000 });
    out = lab_unpack(&(struct unpack_options){ .quick = true }, NULL);
    EQ(out->err, -ECONNRESET);
    EQ(lab_count("target"), 0);
    lab_end();
}

static void what_is_no_archive_is_said_to_be_none(void)
{
    lab_begin();
    lab_frame(FRAME_DATA, "this is no archive, but a text of some length", 45);
    lab_data_end();
    out = lab_unpack(&(struct unpack_options){ .quick = true }, NULL);
    EQ(out->err, -EPROTO);
    CU_ASSERT_TRUE(strstr(out->why, "no good archive") != NULL);
    lab_end();
}

/* Sparse maps: offsets that overlap, or lie outside of the file that they are said to be in. */
static void a_piece_outside_of_its_file_is_refused(void)
{
    lab_begin();
    lab_pax("GNU.sparse.size", "10");
    lab_pax("GNU.sparse.map", "1000000,4");
    file("s", "abcd");
    lab_tar_end();
    lab_data_end();
    out = lab_unpack(&(struct unpack_options){ .quick = true }, NULL);
    CU_ASSERT_TRUE(out->err == -EPROTO || lab_count("target") == 0 || lab_has("target/s", "abcd"));
    lab_end();
}

/* ---- sources and sums ---- */

static const struct unpack_options with_sums = { .sums = true, .quick = true };

static void a_file_with_another_checksum_does_not_appear(void)
{
    lab_begin();
    lab_root(0, 0, LAND_CONTENT, "");
    file("a", "good");
    lab_sum(0, "good", 0);
    file("b", "goof");
    lab_sum(1, "good", 0);
    file("c", "half");
    lab_sum(2, "half", SAID_DROP);
    lab_tar_end();
    lab_data_end();
    out = lab_unpack(&with_sums, NULL);
    EQ(out->err, 0);
    EQ(out->report.problems, 1);
    CU_ASSERT_TRUE(lab_told("b: its checksum is not that of what was read"));
    CU_ASSERT_TRUE(lab_has("target/a", "good"));
    EQ(lab_count("target"), 1);
    lab_end();
}

static void a_file_whose_checksum_does_not_come_does_not_appear(void)
{
    lab_begin();
    lab_root(0, 0, LAND_CONTENT, "");
    file("a", "good");
    lab_tar_end();
    lab_data_end();
    out = lab_unpack(&with_sums, NULL);
    EQ(out->err, -EPROTO);
    EQ(lab_count("target"), 0);
    lab_end();
}

static void an_entry_of_another_name_than_its_source_is_refused(void)
{
    lab_begin();
    lab_root(0, 0, LAND_DIRECTORY, "www");
    entry("www", '5', NULL, NULL);
    file("www/a", "a");
    lab_sum(1, "a", 0);
    file("etc/passwd", "x");
    lab_sum(2, "x", 0);
    file("wwwx", "x");
    lab_sum(3, "x", 0);
    entry("www/b", '1', "other", NULL);
    lab_tar_end();
    lab_data_end();
    out = lab_unpack(&with_sums, NULL);
    EQ(out->err, 0);
    EQ(out->report.problems, 3);
    CU_ASSERT_TRUE(lab_has("target/www/a", "a"));
    EQ(lab_count("target"), 1);
    EQ(lab_count("target/www"), 1);
    lab_end();
}

static void an_entry_without_a_source_ends_it(void)
{
    lab_begin();
    file("a", "a");
    lab_tar_end();
    lab_data_end();
    EQ(lab_unpack(&with_sums, NULL)->err, -EPROTO);
    EQ(lab_count("target"), 0);
    lab_end();
}

static void a_source_whose_name_is_a_path_ends_it(void)
{
    static const char *const names[] = { "..", "a/b", ".", "/" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        lab_begin();
        lab_root(0, 0, LAND_DIRECTORY, names[i]);
        entry("a", '5', NULL, NULL);
        lab_tar_end();
        lab_data_end();
        EQ(lab_unpack(&with_sums, NULL)->err, -EPROTO);
        EQ(lab_count("target"), 0);
        lab_end();
    }
}

static void sums_out_of_order_end_it(void)
{
    lab_begin();
    lab_root(0, 0, LAND_CONTENT, "");
    lab_sum(5, "a", 0);
    lab_sum(5, "a", 0);
    lab_tar_end();
    lab_data_end();
    EQ(lab_unpack(&with_sums, NULL)->err, -EPROTO);
    lab_end();
}

/* Nobody can make us keep more than so many. */
static void sums_for_files_that_do_not_come_are_bounded(void)
{
    lab_begin();
    lab_root(0, 0, LAND_CONTENT, "");
    for (unsigned i = 0; i < 300000; i++) {
        struct said_sum s = { .entry = i };
        uint8_t body[SAID_SUM];

        lab_frame(FRAME_SUM, body, said_put_sum(body, &s));
    }
    lab_tar_end();
    lab_data_end();
    EQ(lab_unpack(&with_sums, NULL)->err, -EPROTO);
    lab_end();
}

/* 2000 of them fit into a name. */
static void directories_as_deep_as_a_name_can_be_get_their_times(void)
{
    char name[NAME_ROOM];
    struct stat st;

    lab_begin();
    for (size_t i = 0; i + 2 < sizeof name; i += 2) {
        memcpy(name + i, "d/", 3);
        lab_pax("path", name);
        entry("d", '5', NULL, NULL);
    }
    unpack(0);
    EQ(stat("target/d/d/d", &st), 0);
    EQ(st.st_mtime, 1000000000);
    lab_end();
    EQ(system("rm -rf target/d"), 0);           /* deeper than a path can be long: the harness could not */
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(an_absolute_name_is_refused),
        TEST(dots_that_climb_are_refused_wherever_they_stand),
        TEST(a_single_dot_and_double_slashes_are_nothing),
        TEST(a_link_to_a_directory_is_made_and_not_walked),
        TEST(a_link_that_was_there_before_is_not_walked),
        TEST(a_link_deep_in_a_name_is_not_walked),
        TEST(a_directory_is_not_replaced_by_a_link),
        TEST(a_file_replaces_a_link_and_does_not_write_through_it),
        TEST(rights_are_not_given_through_a_link),
        TEST(a_hard_link_to_what_is_outside_is_refused),
        TEST(a_hard_link_by_way_of_a_link_is_refused),
        TEST(a_hard_link_within_the_target_is_one),
        TEST(devices_and_fifos_are_not_made),
        TEST(set_user_bits_are_dropped_unless_they_are_asked_for),
        TEST(of_a_name_twice_the_last_one_stays),
        TEST(a_file_does_not_replace_a_directory_nor_the_other_way_round),
        TEST(the_target_itself_is_not_replaced),
        TEST(names_that_are_too_long_are_told),
        TEST(names_are_bytes),
        TEST(an_archive_that_ends_in_the_middle_of_a_file_leaves_none),
        TEST(a_stream_that_breaks_in_the_middle_of_a_file_leaves_none),
        TEST(what_is_no_archive_is_said_to_be_none),
        TEST(a_piece_outside_of_its_file_is_refused),
        TEST(a_file_with_another_checksum_does_not_appear),
        TEST(a_file_whose_checksum_does_not_come_does_not_appear),
        TEST(an_entry_of_another_name_than_its_source_is_refused),
        TEST(an_entry_without_a_source_ends_it),
        TEST(a_source_whose_name_is_a_path_ends_it),
        TEST(sums_out_of_order_end_it),
        TEST(sums_for_files_that_do_not_come_are_bounded),
        TEST(directories_as_deep_as_a_name_can_be_get_their_times),
    };

    return harness_run("copy_tricks", tests, sizeof tests / sizeof *tests, argc, argv);
}

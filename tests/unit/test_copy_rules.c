/* SPDX-License-Identifier: MIT */
/* test_copy_rules.c: the pure parts of copying, by tables: what a word means, where a source lands, names, what is said beside an archive,
 * what put and get are asked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "place.h"
#include "queue.h"
#include "request.h"
#include "said.h"

static void a_word_is_a_path_here_or_at_a_peer(void)
{
    static const struct {
        const char *word;
        int kind;
        const char *peer, *path;
    } cases[] = {
        { "a", PLACE_HERE, "", "a" },
        { "/a/b", PLACE_HERE, "", "/a/b" },
        { "./a:b", PLACE_HERE, "", "./a:b" },
        { "/a:b", PLACE_HERE, "", "/a:b" },
        { "d/a:b", PLACE_HERE, "", "d/a:b" },
        { "web1:a", PLACE_PEER_PATH, "web1", "a" },
        { "web1:/a:b", PLACE_PEER_PATH, "web1", "/a:b" },
        { "web1:", PLACE_PEER_PATH, "web1", "." },
        { "web1:new\nline\xff", PLACE_PEER_PATH, "web1", "new\nline\xff" },
        { "5:/a", PLACE_PEER_PATH, "5", "/a" },
        { "cid:42:/a", PLACE_PEER_PATH, "cid:42", "/a" },
        { "cid:42", PLACE_PEER_PATH, "cid", "42" },
        { "-", PLACE_STREAM, "", "-" },
        { "./-", PLACE_HERE, "", "./-" },
    };
    struct place p;
    char longest[200];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EQ(place_read(cases[i].word, &p), 0);
        EQ(p.kind, cases[i].kind);
        EQ(strcmp(p.peer, cases[i].peer), 0);
        EQ(strcmp(p.path, cases[i].path), 0);
    }
    EQ(place_read("", &p), -EINVAL);
    EQ(place_read(":a", &p), -EINVAL);
    memset(longest, 'x', sizeof longest);
    longest[199] = '\0';
    longest[198] = ':';
    EQ(place_read(longest, &p), -EINVAL);
}

/* docker cp's manual page, line by line, and what it does not say. */
static void where_a_source_lands(void)
{
#define F LAND_FILE
#define D LAND_DIRECTORY
#define C LAND_CONTENT
#define N LAND_NOTHING
    static const struct {
        enum land_kind source, target;
        bool slash, many, parents;
        enum land_where where;
        bool make;
    } cases[] = {
        /* source, target, slash, many, parents */
        { F, N, 0, 0, 0, LAND_AT, 0 },
        { F, N, 1, 0, 0, LAND_ABSENT, 0 },
        { F, N, 1, 0, 1, LAND_IN, 1 },
        { F, N, 0, 1, 0, LAND_ABSENT, 0 },
        { F, N, 0, 1, 1, LAND_IN, 1 },
        { F, F, 0, 0, 0, LAND_AT, 0 },
        { F, F, 1, 0, 0, LAND_NO_DIRECTORY, 0 },
        { F, F, 0, 1, 0, LAND_NO_DIRECTORY, 0 },
        { F, D, 0, 0, 0, LAND_IN, 0 },
        { F, D, 1, 1, 1, LAND_IN, 0 },
        { D, N, 0, 0, 0, LAND_AT, 0 },
        { D, N, 1, 0, 0, LAND_AT, 0 },
        { D, N, 0, 1, 0, LAND_ABSENT, 0 },
        { D, N, 0, 1, 1, LAND_IN, 1 },
        { D, F, 0, 0, 0, LAND_ONTO_FILE, 0 },
        { D, D, 0, 0, 0, LAND_IN, 0 },
        { D, D, 1, 0, 0, LAND_IN, 0 },
        { C, N, 0, 0, 0, LAND_AT, 0 },
        { C, N, 0, 1, 1, LAND_OVER, 1 },
        { C, F, 0, 0, 0, LAND_ONTO_FILE, 0 },
        { C, D, 0, 0, 0, LAND_OVER, 0 },
        { C, D, 0, 1, 0, LAND_OVER, 0 },
    };
#undef F
#undef D
#undef C
#undef N

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct landing l = land(&(struct land_question){ cases[i].source, cases[i].target, cases[i].slash, cases[i].many, cases[i].parents });

        EQ(l.where, cases[i].where);
        EQ(l.make, cases[i].make);
        if (l.where != cases[i].where)
            printf("    case %zu\n", i);
    }
}

static void what_a_source_is_called(void)
{
    static const char *const cases[][2] = {
        { "a", "a" }, { "/a/b", "b" }, { "/a/b//", "b" }, { "a/", "a" }, { "/", "" }, { "//", "" }, { ".", "" }, { "..", "" }, { "a/.", "" },
        { "a/..", "" }, { "a/./", "" }, { "...", "..." }, { "a/.b", ".b" },
    };
    size_t len;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *name = land_name(cases[i][0], &len);

        EQ(len, strlen(cases[i][1]));
        EQ(strncmp(name, cases[i][1], len), 0);
    }
}

static void names_are_judged_and_moved(void)
{
    static const struct {
        const char *text;
        int err;
        const char *name;
        const char *first, *as;
        int moved;
        const char *to;
    } cases[] = {
        { "a/b", 0, "a/b", "a", "x", 0, "x/b" },
        { "a/b", 0, "a/b", "a", "", 0, "b" },
        { "a", 0, "a", "a", "x", 0, "x" },
        { "a", 0, "a", "a", "", 0, "" },
        { "ab", 0, "ab", "a", "x", -EXDEV, "" },
        { "b/a", 0, "b/a", "a", "x", -EXDEV, "" },
        { "./", 0, "", "", "x", 0, "x" },
        { "./b//c/", 0, "b/c", "", "x", 0, "x/b/c" },
        { "b", 0, "b", "", "", 0, "b" },
        { "...", 0, "...", "", "", 0, "..." },
        { "/a", -EXDEV, "", NULL, NULL, 0, NULL },
        { "..", -EXDEV, "", NULL, NULL, 0, NULL },
        { "a/..", -EXDEV, "", NULL, NULL, 0, NULL },
        { "a/../b", -EXDEV, "", NULL, NULL, 0, NULL },
    };
    char name[NAME_ROOM], text[NAME_ROOM + 10];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EQ(name_judge(cases[i].text, name), cases[i].err);
        if (cases[i].err)
            continue;
        EQ(strcmp(name, cases[i].name), 0);
        EQ(name_move(name, cases[i].first, strlen(cases[i].first), cases[i].as), cases[i].moved);
        if (!cases[i].moved)
            EQ(strcmp(name, cases[i].to), 0);
    }
    memset(text, 'x', sizeof text);
    text[NAME_PART] = '\0';
    EQ(name_judge(text, name), 0);
    text[NAME_PART] = 'x';
    text[NAME_PART + 1] = '\0';
    EQ(name_judge(text, name), -ENAMETOOLONG);
    /* 4095 bytes are the longest name; one that grows by being moved may become too long. */
    for (size_t i = 0; i < NAME_ROOM; i++)
        text[i] = i % 2 ? '/' : 'd';
    text[NAME_ROOM - 1] = '\0';
    EQ(name_judge(text, name), 0);
    EQ(strlen(name), NAME_ROOM - 1);
    EQ(name_move(name, "d", 1, "dd"), -ENAMETOOLONG);
    memcpy(text + NAME_ROOM - 1, "/d", 3);
    EQ(name_judge(text, name), -ENAMETOOLONG);
}

static void what_is_said_comes_back_as_it_was(void)
{
    uint8_t body[SAID_PROBLEM];
    struct said_root root = { .first = UINT64_C(1) << 40, .source = 7, .kind = LAND_FILE, .name = "n\xff" }, root2;
    struct said_sum sum = { .entry = 3, .flags = SAID_DROP, .sum = { 1, 2, 3 } }, sum2;
    struct said_total total = { 5, 6 }, total2;
    struct said_problem problem;
    struct report r = { .files = 1, .directories = 2, .links = 3, .bytes = 4, .problems = 5 }, r2 = { 0 };

    CU_ASSERT_TRUE(said_get_root(body, said_put_root(body, &root), &root2));
    EQ(memcmp(&root, &root2, sizeof root), 0);
    CU_ASSERT_TRUE(said_get_sum(body, said_put_sum(body, &sum), &sum2));
    EQ(sum2.entry, 3);
    EQ(sum2.flags, SAID_DROP);
    EQ(memcmp(sum.sum, sum2.sum, SUM_SIZE), 0);
    CU_ASSERT_TRUE(said_get_total(body, said_put_total(body, &total), &total2));
    EQ(total2.bytes, 5);
    EQ(total2.entries, 6);
    CU_ASSERT_TRUE(said_get_problem(body, said_put_problem(body, "a\nb", "why"), &problem));
    EQ(strcmp(problem.name, "a\nb"), 0);
    EQ(strcmp(problem.why, "why"), 0);
    CU_ASSERT_TRUE(said_get_done(body, said_put_done(body, &r), &r2));
    EQ(r2.bytes, 4);
    EQ(r2.problems, 5);
}

static void what_is_said_wrongly_is_refused(void)
{
    uint8_t body[SAID_PROBLEM] = "";
    struct said_problem problem;
    struct said_root root = { .kind = LAND_FILE, .name = "a" };
    size_t len = said_put_root(body, &root);

    CU_ASSERT_FALSE(said_get_root(body, 12, &root));
    CU_ASSERT_FALSE(said_get_root(body, 13, &root));            /* no name */
    body[12] = LAND_CONTENT;
    CU_ASSERT_FALSE(said_get_root(body, len, &root));           /* a name */
    CU_ASSERT_TRUE(said_get_root(body, 13, &root));
    body[12] = LAND_NOTHING;
    CU_ASSERT_FALSE(said_get_root(body, len, &root));
    body[12] = LAND_FILE;
    memcpy(body + 13, "a\0b", 3);
    CU_ASSERT_FALSE(said_get_root(body, 16, &root));
    CU_ASSERT_FALSE(said_get_problem((const uint8_t *)"abc", 3, &problem));
    CU_ASSERT_FALSE(said_get_problem((const uint8_t *)"abc", 4, &problem));
    CU_ASSERT_FALSE(said_get_problem((const uint8_t *)"a\0b\0c", 5, &problem));
    CU_ASSERT_TRUE(said_get_problem((const uint8_t *)"\0b", 2, &problem));
}

static int parse(const char *text, struct request *r)
{
    char why[JSON_WHY] = "";
    int err = request_parse(text, strlen(text), r, why);

    CU_ASSERT_TRUE(!err || why[0]);
    return err;
}

static void a_request_comes_back_as_it_was(void)
{
    char *paths[] = { (char[]){ "/srv/\xff" }, (char[]){ "b" }, NULL };
    struct request r = { .paths = paths, .count = 2, .many = true, .parents = true }, s;
    char *text, why[JSON_WHY];
    size_t len;

    r.pack = (struct pack_options){ .zstd = true, .follow = true, .sums = true };
    r.unpack = (struct unpack_options){ .owner = true, .has_uid = true, .uid = 33, .has_mode = true, .mode = 0640 };
    text = request_text(&r, &len);
    REQUIRE(text != NULL);
    EQ(request_parse(text, len, &s, why), 0);
    free(text);
    EQ(s.count, 2);
    EQ(strcmp(s.paths[0], "/srv/\xff"), 0);
    CU_ASSERT_TRUE(s.many && s.parents && s.pack.zstd && s.unpack.zstd && s.pack.follow && s.unpack.owner && s.pack.sums && s.unpack.sums);
    CU_ASSERT_TRUE(!s.tar && !s.measure && !s.unpack.special && !s.unpack.quick && !s.unpack.has_gid);
    CU_ASSERT_TRUE(s.unpack.has_uid && s.unpack.uid == 33 && s.unpack.has_mode && s.unpack.mode == 0640);
    request_free(&s);
}

static void wrong_requests_are_refused_with_a_reason(void)
{
    static const char *const texts[] = {
        "", "{}", "[]", "{\"paths\":[]}", "{\"paths\":\"a\"}", "{\"paths\":[\"\"]}", "{\"paths\":[1]}", "{\"paths\":[\"a\",null]}",
        "{\"paths\":[\"a\"],\"tar\":1}", "{\"paths\":[\"a\"],\"uid\":-1}", "{\"paths\":[\"a\"],\"uid\":4294967295}",
        "{\"paths\":[\"a\"],\"mode\":4096}", "{\"paths\":[\"a\"],\"mode\":\"0644\"}", "{\"paths\":[\"a\"],\"nosuch\":true}",
        "{\"paths\":[\"a\\u0000b\"]}", "{\"paths\":[\"a\"]",
    };
    struct request r;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        EQ(parse(texts[i], &r), -EPROTO);
        request_free(&r);
    }
    EQ(parse("{\"paths\":[\"a\"],\"tar\":true}", &r), 0);
    CU_ASSERT_TRUE(r.tar && !r.pack.sums && !r.unpack.sums);
    request_free(&r);
}

static void a_queue_gives_back_what_it_got_in_order(void)
{
    struct queue q;
    uint32_t in = 0, out = 0, got = 0;

    queue_init(&q, sizeof in);
    CU_ASSERT_FALSE(queue_take(&q, &got));
    for (unsigned round = 0; round < 1000; round++) {
        for (unsigned i = 0; i < round % 7; i++, in++)
            EQ(queue_put(&q, &in), 0);
        for (unsigned i = 0; i < round % 5 && queue_take(&q, &got); i++, out++)
            EQ(got, out);
    }
    while (queue_take(&q, &got))
        EQ(got, out++);
    EQ(in, out);
    queue_free(&q);
}

static void a_sum_knows_where_a_piece_lies_and_not_how_it_was_cut(void)
{
    struct sum *s = sum_new();
    uint8_t whole[SUM_SIZE], cut[SUM_SIZE], moved[SUM_SIZE], longer[SUM_SIZE];

    REQUIRE(s != NULL);
    sum_begin(s);
    sum_add(s, 0, "abcdef", 6);
    sum_end(s, 6, whole);
    sum_begin(s);
    sum_add(s, 0, "ab", 2);
    sum_add(s, 2, "cdef", 4);
    sum_end(s, 6, cut);
    sum_begin(s);
    sum_add(s, 0, "ab", 2);
    sum_add(s, 10, "cdef", 4);
    sum_end(s, 14, moved);
    sum_begin(s);
    sum_add(s, 0, "abcdef", 6);
    sum_end(s, 7, longer);
    EQ(memcmp(whole, cut, SUM_SIZE), 0);
    CU_ASSERT_TRUE(memcmp(whole, moved, SUM_SIZE) && memcmp(whole, longer, SUM_SIZE));
    sum_free(s);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_word_is_a_path_here_or_at_a_peer),
        TEST(where_a_source_lands),
        TEST(what_a_source_is_called),
        TEST(names_are_judged_and_moved),
        TEST(what_is_said_comes_back_as_it_was),
        TEST(what_is_said_wrongly_is_refused),
        TEST(a_request_comes_back_as_it_was),
        TEST(wrong_requests_are_refused_with_a_reason),
        TEST(a_queue_gives_back_what_it_got_in_order),
        TEST(a_sum_knows_where_a_piece_lies_and_not_how_it_was_cut),
    };

    return harness_run("copy_rules", tests, sizeof tests / sizeof *tests, argc, argv);
}

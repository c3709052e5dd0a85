/* SPDX-License-Identifier: MIT */
/* test_tools_lstable.c: the table of xvs ls fits whatever terminal there is, and leaves out what matters least. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fit.h"
#include "harness.h"
#include "lstable.h"

static char *text;

#define GUEST(name, use, says, more) "{\"name\":\"" name "\",\"domid\":5,\"device\":0,\"cid\":1005,\"use\":\"" use "\",\"says\":\"" says "\",\"connections\":3," \
    "\"from_guest\":{\"bytes\":1234567},\"to_guest\":{\"bytes\":89},\"notifications\":{\"sent\":4,\"received\":6}" more "}"

static const char *table(const char *guests, unsigned columns, bool colour)
{
    json_error_t error;
    json_t *list = json_loads(guests, 0, &error);
    size_t size;
    FILE *f;

    REQUIRE(list != NULL);
    free(text);
    REQUIRE((f = open_memstream(&text, &size)) != NULL);
    lstable_print(f, list, columns, colour);
    fclose(f);
    json_decref(list);
    return text;
}

static void is(const char *got, const char *expected)
{
    if (strcmp(got, expected))
        fprintf(stderr, "%snot\n%s", got, expected);
    CU_ASSERT_STRING_EQUAL(got, expected);
}

static const char some[] = "[" GUEST("web1", "in use", "in use", "") "," GUEST("a-name-that-is-somewhat-longer-than-others-are", "idle",
                           "attached, no program has it open", "") "," GUEST("db\\u001b1", "refused", "refused: why", ",\"error\":\"why\"") "]";

static void without_a_terminal_nothing_is_cut(void)
{
    is(table(some, 0, false),
       "NAME                                            DOMID  DEV         CID  STATE     CONNS      FROM        TO   NOTIFIED\n"
       "web1                                                5    0        1005  in use        3      1.2M        89         10\n"
       "a-name-that-is-somewhat-longer-than-others-are      5    0        1005  idle          3      1.2M        89         10  attached, no program has it open\n"
       "db?1                                                5    0        1005  refused       3      1.2M        89         10  refused: why\n");
}

static void what_matters_least_goes_first(void)
{
    is(table(some, 100, false),
       "NAME                                            STATE     CONNS      FROM        TO\n"
       "web1                                            in use        3      1.2M        89\n"
       "a-name-that-is-somewhat-longer-than-others-are  idle          3      1.2M        89  attached, no p\xe2\x80\xa6\n"
       "db?1                                            refused       3      1.2M        89  refused: why\n");
}

static unsigned widest(void)
{
    unsigned most = 0;
    char *rest = text, *line;

    while ((line = strsep(&rest, "\n")))
        most = fit_columns(line) > most ? fit_columns(line) : most;
    return most;
}

static void no_line_is_longer_than_the_terminal(void)
{
    for (unsigned columns = 14; columns < 200; columns++) {
        table(some, columns, false);
        if (widest() > columns)
            fprintf(stderr, "%u columns: %u\n", columns, widest());
        REQUIRE(widest() <= columns);
    }
}

static void a_cut_text_ends_with_an_ellipsis_at_a_character(void)
{
    static const struct { const char *text, *shown; unsigned width; } cases[] = {
        { "abc", "abc", 3 }, { "abcd", "ab\xe2\x80\xa6", 3 }, { "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "\xc3\xa9\xc3\xa9\xe2\x80\xa6", 3 },
        { "abc", "\xe2\x80\xa6", 1 }, { "abc", "", 0 }, { "a", "a  ", 3 }, { "\033[31m", "?[31m", 5 }, { "", "   ", 3 }
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        FILE *f;

        free(text);
        REQUIRE((f = open_memstream(&text, &size)) != NULL);
        fit_print(f, cases[i].text, cases[i].width, true);
        fclose(f);
        is(text, cases[i].shown);
    }
}

/* As a terminal shows them: two columns for a Chinese character, none for an accent that stands on the letter before it. */
static void what_takes_two_columns_or_none_counts_so(void)
{
    static const struct { const char *text, *shown; unsigned columns, width; } cases[] = {
        { "\xe8\xae\xa1\xe7\xae\x97\xe6\x9c\xba", "\xe8\xae\xa1\xe7\xae\x97\xe6\x9c\xba ", 6, 7 },
        { "\xe8\xae\xa1\xe7\xae\x97\xe6\x9c\xba", "\xe8\xae\xa1\xe7\xae\x97\xe2\x80\xa6", 6, 5 },
        { "\xe8\xae\xa1\xe7\xae\x97\xe6\x9c\xba", "\xe8\xae\xa1\xe2\x80\xa6 ", 6, 4 },
        { "e\xcc\x81x", "e\xcc\x81x ", 2, 3 },
        { "\xff\xfe", "\xff\xfe ", 2, 3 },              /* no UTF-8 */
        { "\xe8\xae", "\xe8\xae ", 2, 3 },              /* …and cut off */
        { "a\xc2\x9b", "a?? ", 3, 4 },                   /* a control character of 8 bits, cleaned */
        { "\xe2\x80\xae""eman\xe2\x81\xa6", "???eman??? ", 10, 11 }    /* what turns the text around, likewise */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        FILE *f;

        free(text);
        REQUIRE((f = open_memstream(&text, &size)) != NULL);
        fit_print(f, cases[i].text, cases[i].width, true);
        fclose(f);
        is(text, cases[i].shown);
        CU_ASSERT_EQUAL(fit_columns(cases[i].text), cases[i].columns);
    }
}

static void colours_end_where_they_should(void)
{
    table("[" GUEST("web1", "in use", "in use", "") "]", 0, true);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\033[32min use\033[0m  "));
}

static void an_answer_that_makes_no_sense_is_a_table_all_the_same(void)
{
    table("[null,3,[],{},{\"name\":7,\"cid\":\"x\",\"from_guest\":[]}]", 80, false);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "NAME"));
    table("[]", 80, false);
}

static const struct test tests[] = {
    TEST(without_a_terminal_nothing_is_cut), TEST(what_matters_least_goes_first), TEST(no_line_is_longer_than_the_terminal),
    TEST(a_cut_text_ends_with_an_ellipsis_at_a_character), TEST(what_takes_two_columns_or_none_counts_so),
    TEST(colours_end_where_they_should), TEST(an_answer_that_makes_no_sense_is_a_table_all_the_same)
};

int main(int argc, char **argv)
{
    int status = harness_run("lstable", tests, sizeof tests / sizeof *tests, argc, argv);

    free(text);
    return status;
}

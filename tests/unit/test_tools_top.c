/* SPDX-License-Identifier: MIT */
/* test_tools_top.c: what xvs top shows: rates of two looks at the daemon, the order of rows, a screen of any size, and keys. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "topdraw.h"

static char *text;
static struct top_rows rows;

static json_t *loads(const char *answer)
{
    json_error_t error;
    json_t *object = json_loads(answer, 0, &error);

    if (!object)
        fprintf(stderr, "%s: %s\n", answer, error.text);
    REQUIRE(object != NULL);
    return object;
}

/* A look with these two answers; NULL for none. */
static struct top_look look(const char *metrics, const char *dumps, double at)
{
    return (struct top_look){ metrics ? loads(metrics) : NULL, dumps ? loads(dumps) : NULL, (uint64_t)(at * 1e9) };
}

static void drop(struct top_look *l)
{
    json_decref((json_t *)(uintptr_t)l->metrics);
    json_decref((json_t *)(uintptr_t)l->dumps);
}

static const char first_look[] =
    "{\"daemon\":{\"uptime_ms\":3661000,\"guests\":3,\"connected\":2,\"connections\":5,\"resident_bytes\":12582912,\"fds\":34,\"rounds\":100},\"guests\":["
    "{\"name\":\"web1\",\"domid\":5,\"device\":0,\"state\":\"Connected\",\"connections\":4,\"from_guest\":{\"bytes\":1000,\"packets\":10},"
    " \"to_guest\":{\"bytes\":0,\"packets\":0},\"stalls\":1,\"held\":{\"pool\":5,\"daemon\":7}},"
    "{\"name\":\"db1\",\"domid\":6,\"device\":0,\"state\":\"Connected\",\"connections\":1,\"from_guest\":{\"bytes\":9000},\"to_guest\":{\"bytes\":50}}]}";
static const char second_look[] =
    "{\"daemon\":{\"uptime_ms\":3663000,\"guests\":3,\"connected\":2,\"connections\":5,\"resident_bytes\":12582912,\"fds\":34,\"rounds\":300},\"guests\":["
    "{\"name\":\"web1\",\"domid\":5,\"device\":0,\"state\":\"Connected\",\"connections\":4,\"from_guest\":{\"bytes\":3001000,\"packets\":110},"
    " \"to_guest\":{\"bytes\":2000,\"packets\":100},\"stalls\":5,\"held\":{\"pool\":5,\"daemon\":7},"
    " \"connects\":{\"from_guest\":{\"steps\":[1,2]},\"to_guest\":{\"steps\":[3]}},\"refused\":{\"from_guest\":{\"policy\":7}}},"
    "{\"name\":\"db1\",\"domid\":6,\"device\":0,\"state\":\"Connected\",\"connections\":1,\"from_guest\":{\"bytes\":1000},\"to_guest\":{\"bytes\":50}},"
    "{\"name\":\"new\\u001b[31m\\u00e9\",\"domid\":7,\"device\":1,\"state\":\"InitWait\",\"connections\":0}]}";

/* The screen of the two looks, two seconds apart, in text. */
static const char *screen(struct top_view *v, const char *before, const char *now, const char *dumps_before, const char *dumps_now)
{
    struct top_look a = look(before, dumps_before, 10), b = look(now, dumps_now, 12);
    size_t size;
    FILE *f;

    top_rows_free(&rows);
    EQ((v->page == TOP_GUESTS ? top_guests : top_streams)(&rows, &a, &b), 0);
    top_sort(&rows, v->by, v->reversed);
    free(text);
    REQUIRE((f = open_memstream(&text, &size)) != NULL);
    top_draw(f, v, &rows, &a, &b);
    fclose(f);
    drop(&a);
    drop(&b);
    return text;
}

static void is(const char *got, const char *expected)
{
    if (strcmp(got, expected))
        fprintf(stderr, "%snot\n%s", got, expected);
    CU_ASSERT_STRING_EQUAL(got, expected);
}

static void guests_are_shown_by_what_they_did_between_two_looks(void)
{
    struct top_view v = { .columns = 120, .by = TOP_BOTH, .clock = "14:02:11" };

    is(screen(&v, first_look, second_look, NULL, NULL),
       "xvs top  14:02:11  up 1:01:03, guests 2 of 3, streams 5; 12M, 34 files, 100 turns/s\n"
       "3 guests by bytes both ways\n"
       "NAME         DOMID STATE         CONNS  FROM/s    TO/s PACKETS/s  NEW/s REFUSED/s STALLS/s DROPS/s   HELD\n"
       "web1             5 Connected         4    1.4M    1.0K       100    3.0       3.5      2.0       0     12\n"
       "db1              6 Connected         1     500       0         0      0         0        0       0      0\n"    /* begun anew */
       "new?[31m\xc3\xa9        7 InitWait          0       -       -         -      -         -        -       -      0\n");
}

static void without_a_look_before_no_rate_is_known(void)
{
    struct top_view v = { .columns = 60, .by = TOP_BOTH, .clock = "14:02:11" };

    screen(&v, NULL, second_look, NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "db1"));
    CU_ASSERT_PTR_NULL(strstr(text, "1.4M"));
    screen(&v, second_look, NULL, NULL, NULL);          /* …nor without a daemon */
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "0 guests"));
}

static const char *first_name(void)
{
    return rows.row[0].name;
}

static void each_order_has_its_first(void)
{
    static const struct { enum top_value by; bool reversed; const char *first; } cases[] = {
        { TOP_BOTH, false, "web1" }, { TOP_FROM, false, "web1" }, { TOP_DOMID, false, "new\033[31m\xc3\xa9" }, { TOP_DOMID, true, "web1" },
        { TOP_VALUES, false, "db1" }, { TOP_VALUES, true, "web1" }, { TOP_CONNECTIONS, false, "web1" },
        { TOP_BOTH, true, "new\033[31m\xc3\xa9" }, { TOP_STALLS, false, "web1" }, { TOP_REFUSED, false, "web1" }, { TOP_HELD, false, "web1" }
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct top_view v = { .columns = 120, .by = cases[i].by, .reversed = cases[i].reversed };

        screen(&v, first_look, second_look, NULL, NULL);
        CU_ASSERT_STRING_EQUAL(first_name(), cases[i].first);
    }
}

/* The width of a line on the screen. */
static unsigned widest(const char *lines)
{
    unsigned most = 0, n = 0;

    for (; *lines; lines++) {
        n = *lines == '\n' ? 0 : n + (((unsigned char)*lines & 0xc0) != 0x80);
        most = n > most ? n : most;
    }
    return most;
}

static unsigned count_lines(const char *lines)
{
    unsigned n = 0;

    for (; *lines; lines++)
        n += *lines == '\n';
    return n;
}

static void no_line_is_longer_and_no_screen_higher_than_the_terminal(void)
{
    for (unsigned columns = 1; columns < 200; columns += columns < 100 ? 1 : 13)
        for (unsigned height = 1; height < 12; height++) {
            struct top_view v = { .columns = columns, .rows = height, .selected = 2, .by = TOP_BOTH, .clock = "14:02:11" };

            screen(&v, first_look, second_look, NULL, NULL);
            if (columns >= 40 && widest(text) > columns)
                fprintf(stderr, "%u columns:\n%s", columns, text);
            REQUIRE(columns < 40 || widest(text) <= columns);
            REQUIRE(height < 4 || count_lines(text) <= height);
            v.page = TOP_HELP;
            screen(&v, first_look, second_look, NULL, NULL);
            REQUIRE(widest(text) <= columns);
        }
}

static void the_least_important_columns_make_way_first(void)
{
    struct top_view v = { .columns = 58, .by = TOP_BOTH, .clock = "14:02:11" };

    screen(&v, first_look, second_look, NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "NAME         STATE         CONNS  FROM/s    TO/s   HELD\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "web1         Connected         4    1.4M    1.0K     12\n"));
}

static void the_selected_row_is_always_on_the_screen(void)
{
    struct top_view v = { .columns = 100, .rows = 6, .by = TOP_DOMID, .reversed = true, .selected = 2, .clock = "14:02:11" };

    screen(&v, first_look, second_look, NULL, NULL);
    EQ(v.first, 1);
    CU_ASSERT_PTR_NULL(strstr(text, "web1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "new"));
    v.selected = 99;            /* guests may go */
    screen(&v, first_look, second_look, NULL, NULL);
    EQ(v.selected, 2);
    v.selected = 0;
    screen(&v, first_look, second_look, NULL, NULL);
    EQ(v.first, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "web1"));
}

/* ---- streams ---- */

#define STREAM(port, rx, tx, held, more) "{\"local\":{\"cid\":2,\"port\":5000},\"peer\":{\"cid\":10,\"port\":" #port "},\"state\":\"ESTABLISHED\"," \
    "\"rx_cnt\":" #rx ",\"tx_cnt\":" #tx ",\"held\":" #held ",\"room\":1024" more "}"

static void streams_are_found_again_and_their_counts_wrap(void)
{
    struct top_view v = { .columns = 120, .page = TOP_STREAMS, .by = TOP_BOTH, .clock = "14:02:11" };
    static const char before[] = "[{\"guests\":[{\"name\":\"web1\",\"domid\":5,\"device\":0,\"streams\":["
        STREAM(1, 100, 0, 0, "") "," STREAM(2, 4294967000, 7, 0, "") "]}]}]";
    static const char now[] = "[{\"guests\":[{\"name\":\"web1\",\"domid\":5,\"device\":0,\"streams\":["
        STREAM(2, 1704, 7, 900, ",\"writable\":false") "," STREAM(1, 100, 4000, 0, "") "," STREAM(3, 5, 5, 0, "") "]}]}]";

    is(screen(&v, first_look, second_look, before, now) + strcspn(text, "\n") + 1,
       "3 streams by bytes both ways\n"
       "GUEST    PORT - PEER              STATE         FROM/s    TO/s   HELD   ROOM WAITS\n"
       "web1     1 - host:5000            ESTABLISHED        0    2.0K      0   1.0K \n"
       "web1     2 - host:5000            ESTABLISHED     1.0K       0    900   1.0K guest waits for its reader\n"
       "web1     3 - host:5000            ESTABLISHED        -       -      0   1.0K \n");
    v.page = TOP_GUEST;
    snprintf(v.name, sizeof v.name, "web1");
    v.domid = 5;
    screen(&v, first_look, second_look, before, now);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nweb1 (domid 5, device 0): 3 streams by bytes both ways\nPORT - PEER "));
    screen(&v, first_look, second_look, before, "[{\"guests\":[{\"name\":\"web1\",\"domid\":5,\"device\":0,\"streams\":[" STREAM(2, 1704, 7, 900, "") "]}]}]");
    CU_ASSERT_PTR_NOT_NULL(strstr(text, ": 1 stream by bytes both ways\n"));
}

static void an_answer_that_makes_no_sense_is_believed_nothing(void)
{
    static const char *const answers[] = { "{\"guests\":7}", "{\"guests\":[1,null,[],{}]}", "{\"guests\":[{\"name\":3,\"connects\":[],\"held\":4,\"refused\":null}]}" };
    static const char *const dumps[] = { "[]", "[3,{\"guests\":{}}]", "[{\"guests\":[1,{\"streams\":[1,{}]}]}]" };

    for (size_t i = 0; i < 3; i++) {
        struct top_view v = { .columns = 100, .by = TOP_BOTH };

        screen(&v, answers[i], answers[i], NULL, NULL);
        v.page = TOP_STREAMS;
        screen(&v, answers[i], answers[i], dumps[i], dumps[i]);
    }
}

static void a_daemon_that_does_not_answer_is_said_so(void)
{
    struct top_view v = { .columns = 60, .by = TOP_BOTH, .clock = "14:02:11", .trouble = "xvsd is not running\033[31m: start it" };

    screen(&v, first_look, second_look, NULL, NULL);
    CU_ASSERT_TRUE(strncmp(text, "xvs top  14:02:11  xvsd is not running?[31m: start it\n", 54) == 0);
}

/* ---- keys ---- */

static void keys_are_told_apart_in_what_a_terminal_sends(void)
{
    static const struct { const char *bytes; int key; size_t used; } cases[] = {
        { "q", 'q', 1 }, { "\033[A", TOP_KEY_UP, 3 }, { "\033OB", TOP_KEY_DOWN, 3 }, { "\033[6~x", TOP_KEY_PAGE_DOWN, 4 }, { "\r", TOP_KEY_ENTER, 1 },
        { "\177", TOP_KEY_BACK, 1 }, { "\033", TOP_KEY_BACK, 0 }, { "\033q", TOP_KEY_BACK, 1 }, { "\033[", TOP_KEY_NONE, 0 },
        { "\033[1;5", TOP_KEY_NONE, 0 }, { "\033[1;5Aq", TOP_KEY_NONE, 6 }, { "\033[200~", TOP_KEY_NONE, 6 },
        { "\033[1111111111111111111", TOP_KEY_NONE, 21 }, { "\xc3\xa9", 0xc3, 1 }, { "", TOP_KEY_NONE, 0 }
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t used;

        EQ(top_key(cases[i].bytes, strlen(cases[i].bytes), &used), cases[i].key);
        EQ(used, cases[i].used);
    }
}

static void keys_lead_from_page_to_page_and_back(void)
{
    struct top_view v = { .columns = 100, .rows = 24, .by = TOP_BOTH, .delay = 2 };

    screen(&v, first_look, second_look, NULL, NULL);
    top_press(&v, TOP_KEY_DOWN, &rows);
    EQ(v.selected, 1);
    top_press(&v, TOP_KEY_ENTER, &rows);
    EQ(v.page, TOP_GUEST);
    EQ(v.domid, 6);
    CU_ASSERT_STRING_EQUAL(v.name, "db1");
    top_press(&v, '?', &rows);
    EQ(v.page, TOP_HELP);
    top_press(&v, '?', &rows);
    top_press(&v, TOP_KEY_BACK, &rows);
    EQ(v.page, TOP_GUEST);
    top_press(&v, TOP_KEY_BACK, &rows);
    EQ(v.page, TOP_GUESTS);
    top_press(&v, 'a', &rows);
    EQ(v.page, TOP_STREAMS);
    top_press(&v, 's', &rows);
    EQ(v.by, TOP_STALLS);
    top_press(&v, 'R', &rows);
    CU_ASSERT_TRUE(v.reversed);
    top_press(&v, 'f', &rows);
    CU_ASSERT_TRUE(v.by == TOP_FROM && !v.reversed);
    top_press(&v, TOP_KEY_END, &rows);
    EQ(v.selected, rows.count - 1);
    top_press(&v, TOP_KEY_PAGE_DOWN, &rows);
    EQ(v.selected, rows.count - 1);
    top_press(&v, TOP_KEY_PAGE_UP, &rows);
    EQ(v.selected, 0);
    for (int i = 0; i < 20; i++)
        top_press(&v, '-', &rows);
    CU_ASSERT_TRUE(v.delay > 0.05);
    for (int i = 0; i < 20; i++)
        top_press(&v, '+', &rows);
    CU_ASSERT_TRUE(v.delay < 130);
    top_press(&v, ' ', &rows);
    CU_ASSERT_TRUE(v.paused);
    top_press(&v, 'q', &rows);
    CU_ASSERT_TRUE(v.quits);
}

static const struct test tests[] = {
    TEST(guests_are_shown_by_what_they_did_between_two_looks), TEST(without_a_look_before_no_rate_is_known), TEST(each_order_has_its_first),
    TEST(no_line_is_longer_and_no_screen_higher_than_the_terminal), TEST(the_least_important_columns_make_way_first),
    TEST(the_selected_row_is_always_on_the_screen), TEST(streams_are_found_again_and_their_counts_wrap),
    TEST(an_answer_that_makes_no_sense_is_believed_nothing), TEST(a_daemon_that_does_not_answer_is_said_so),
    TEST(keys_are_told_apart_in_what_a_terminal_sends), TEST(keys_lead_from_page_to_page_and_back)
};

int main(int argc, char **argv)
{
    int status = harness_run("top", tests, sizeof tests / sizeof *tests, argc, argv);

    free(text);
    top_rows_free(&rows);
    return status;
}

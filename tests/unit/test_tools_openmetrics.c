/* SPDX-License-Identifier: MIT */
/* test_tools_openmetrics.c: the daemon's counters as text, in both formats, whatever a guest is called and a daemon answers. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "openmetrics.h"

static char *text;

/* As text, which is static; answer NULL: no daemon. */
static const char *printed(const char *answer, enum metrics_format format)
{
    json_error_t error;
    json_t *object = answer ? json_loads(answer, 0, &error) : NULL;
    size_t size;
    FILE *f;

    REQUIRE(!answer || object != NULL);
    free(text);
    REQUIRE((f = open_memstream(&text, &size)) != NULL);
    metrics_print(f, object, format);
    fclose(f);
    json_decref(object);
    return text;
}

static void has(const char *line)
{
    const char *at = text;
    size_t len = strlen(line);

    while (at && (strncmp(at, line, len) || at[len] != '\n'))
        at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
    if (!at || !*at)
        fprintf(stderr, "%swithout\n%s\n", text, line);
    CU_ASSERT_TRUE(at && *at);
}

static void has_not(const char *part)
{
    if (strstr(text, part))
        fprintf(stderr, "%swith\n%s\n", text, part);
    CU_ASSERT_PTR_NULL(strstr(text, part));
}

static void without_a_daemon_it_says_so_and_nothing_else(void)
{
    CU_ASSERT_STRING_EQUAL(printed(NULL, METRICS_OPENMETRICS),
                           "# HELP xvs_up 1 if the daemon answers, 0 if not.\n# TYPE xvs_up gauge\nxvs_up 0\n# EOF\n");
    CU_ASSERT_STRING_EQUAL(printed(NULL, METRICS_PROMETHEUS),
                           "# HELP xvs_up 1 if the daemon answers, 0 if not.\n# TYPE xvs_up gauge\nxvs_up 0\n");
}

static const char one[] =
    "{\"ok\":true, \"connect_bounds_us\":[100,2500,1000000], \"daemon\":{\"version\":\"0.1.0\",\"uptime_ms\":61500,\"guests\":2,\"rounds\":77,\"fds\":9},"
    " \"guests\":[{\"name\":\"web1\",\"uuid\":\"u-1\",\"domid\":5,\"device\":0,\"cid\":10,\"state\":\"Connected\",\"connected\":true,\"connections\":3,"
    "  \"from_guest\":{\"packets\":4,\"bytes\":18446744073},\"to_guest\":{\"packets\":6,\"bytes\":7},\"notifications\":{\"from_guest\":8,\"to_guest\":9},"
    "  \"held\":{\"pool\":1,\"daemon\":2,\"sockets\":3},\"stalls\":11,\"refused\":{\"from_guest\":{\"policy\":12},\"to_guest\":{\"nobody\":13}},"
    "  \"connects\":{\"from_guest\":{\"steps\":[1,0,2,1],\"sum_us\":3500000},\"to_guest\":{\"steps\":[0,0,0,0],\"sum_us\":0}}}]}";

static void each_number_has_its_name_and_its_labels(void)
{
    printed(one, METRICS_OPENMETRICS);
    has("xvs_up 1");
    has("# TYPE xvs_build info");
    has("xvs_build_info{version=\"0.1.0\"} 1");
    has("xvs_daemon_uptime_seconds 61.5");
    has("# TYPE xvs_daemon_loop_turns counter");
    has("xvs_daemon_loop_turns_total 77");
    has("xvs_daemon_descriptors 9");
    has("xvs_guest_info{guest=\"web1\",domid=\"5\",device=\"0\",cid=\"10\",uuid=\"u-1\",state=\"Connected\"} 1");
    has("xvs_guest_connected{guest=\"web1\",domid=\"5\",device=\"0\"} 1");
    has("# TYPE xvs_guest_bytes counter");
    has("# UNIT xvs_guest_bytes bytes");
    has("xvs_guest_bytes_total{guest=\"web1\",domid=\"5\",device=\"0\",direction=\"from_guest\"} 18446744073");
    has("xvs_guest_bytes_total{guest=\"web1\",domid=\"5\",device=\"0\",direction=\"to_guest\"} 7");
    has("xvs_guest_refusals_total{guest=\"web1\",domid=\"5\",device=\"0\",direction=\"from_guest\",reason=\"policy\"} 12");
    has("xvs_guest_refusals_total{guest=\"web1\",domid=\"5\",device=\"0\",direction=\"to_guest\",reason=\"nobody\"} 13");
    has("xvs_guest_held_bytes{guest=\"web1\",domid=\"5\",device=\"0\",where=\"sockets\"} 3");
    has("xvs_guest_stalls_total{guest=\"web1\",domid=\"5\",device=\"0\"} 11");
    CU_ASSERT_STRING_EQUAL(strstr(text, "# EOF"), "# EOF\n");
}

/* The families of counters are called otherwise there, and there are neither units nor infos. */
static void the_older_format_has_the_same_samples(void)
{
    printed(one, METRICS_PROMETHEUS);
    has("# TYPE xvs_guest_bytes_total counter");
    has("xvs_guest_bytes_total{guest=\"web1\",domid=\"5\",device=\"0\",direction=\"to_guest\"} 7");
    has("# TYPE xvs_build_info gauge");
    has("xvs_build_info{version=\"0.1.0\"} 1");
    has("# TYPE xvs_guest_connect_seconds histogram");
    has_not("# UNIT");
    has_not("# EOF");
}

static void a_histogram_adds_up_and_ends_with_all(void)
{
    printed(one, METRICS_OPENMETRICS);
    has("xvs_guest_connect_seconds_bucket{guest=\"web1\",domid=\"5\",device=\"0\",direction=\"from_guest\",le=\"0.0001\"} 1");
    has("xvs_guest_connect_seconds_bucket{guest=\"web1\",domid=\"5\",device=\"0\",direction=\"from_guest\",le=\"0.0025\"} 1");
    has("xvs_guest_connect_seconds_bucket{guest=\"web1\",domid=\"5\",device=\"0\",direction=\"from_guest\",le=\"1.0\"} 3");
    has("xvs_guest_connect_seconds_bucket{guest=\"web1\",domid=\"5\",device=\"0\",direction=\"from_guest\",le=\"+Inf\"} 4");
    has("xvs_guest_connect_seconds_sum{guest=\"web1\",domid=\"5\",device=\"0\",direction=\"from_guest\"} 3.5");
    has("xvs_guest_connect_seconds_count{guest=\"web1\",domid=\"5\",device=\"0\",direction=\"from_guest\"} 4");
}

/* A toolstack takes names from people: none may end a label or a line, or play with a terminal. */
static void a_hostile_name_stays_within_its_label(void)
{
    printed("{\"guests\":[{\"name\":\"a\\\"} 1\\nxvs_up 0\\\\\\u001b[31m\\u007f\\u00e9\",\"domid\":1,\"device\":0,\"connections\":2}]}", METRICS_OPENMETRICS);
    has("xvs_guest_connections{guest=\"a\\\"} 1\\nxvs_up 0\\\\?[31m?\xc3\xa9\",domid=\"1\",device=\"0\"} 2");
    has_not("\nxvs_up 0");
    has_not("\033");
}

/* An answer of another version, or of nobody's: whatever is not there or makes no sense is left out. */
static void what_is_not_in_the_answer_is_left_out(void)
{
    static const char *const answers[] = {
        "{}", "{\"daemon\":3,\"guests\":{}}", "{\"guests\":[null,3,[],{}]}", "{\"guests\":[{\"connects\":{\"from_guest\":{\"steps\":[]}}}]}",
        "{\"connect_bounds_us\":[1],\"guests\":[{\"connects\":{\"from_guest\":{\"steps\":[1,2,3],\"sum_us\":1}}}]}",
        "{\"guests\":[{\"stalls\":-1,\"spills\":\"x\",\"refused\":{\"from_guest\":[1]},\"from_guest\":{\"bytes\":null}}]}"
    };

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        printed(answers[i], METRICS_OPENMETRICS);
        has_not("_total{");
        has_not("_bucket");
        has_not("_sum");
        has("# EOF");
    }
}

static const struct test tests[] = {
    TEST(without_a_daemon_it_says_so_and_nothing_else), TEST(each_number_has_its_name_and_its_labels),
    TEST(the_older_format_has_the_same_samples), TEST(a_histogram_adds_up_and_ends_with_all),
    TEST(a_hostile_name_stays_within_its_label), TEST(what_is_not_in_the_answer_is_left_out)
};

int main(int argc, char **argv)
{
    int status = harness_run("openmetrics", tests, sizeof tests / sizeof *tests, argc, argv);

    free(text);
    return status;
}

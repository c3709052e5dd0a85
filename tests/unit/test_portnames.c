/* SPDX-License-Identifier: MIT */
/* test_portnames.c: a file that gives ports names, line by line, and what is wrong with each bad one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "portnames.h"

static char wrongs[4096];

static void hear(void *arg, unsigned line, const char *what)
{
    char text[PORTNAMES_WHY + 20];

    (void)arg;
    snprintf(text, sizeof text, "%u: %s\n", line, what);
    if (strlen(wrongs) + strlen(text) < sizeof wrongs)
        strcat(wrongs, text);
}

static struct portnames read_text(const char *text, size_t len, int expected)
{
    struct portnames p;

    *wrongs = '\0';
    EQ(portnames_read(&p, text, len, hear, NULL), expected);
    if (!expected && *wrongs)
        printf("    %s", wrongs);
    EQ(*wrongs != '\0', expected != 0);
    return p;
}

static uint32_t find(const struct portnames *p, const char *name)
{
    uint32_t number = UINT32_MAX;

    return portnames_find(p, name, &number) ? number : UINT32_MAX;
}

static void a_port_has_a_name_and_others(void)
{
    static const char text[] = "# a comment\n\nssh 22\n\thttp\t80 www  web # why\r\nlast 4294967294\nx.y_z+1-a 0 x";
    struct portnames p = read_text(text, sizeof text - 1, 0);

    EQ(find(&p, "ssh"), 22);
    EQ(find(&p, "http"), 80);
    EQ(find(&p, "www"), 80);
    EQ(find(&p, "web"), 80);
    EQ(find(&p, "last"), 4294967294);
    EQ(find(&p, "x.y_z+1-a"), 0);
    EQ(find(&p, "x"), 0);
    EQ(find(&p, "why"), UINT32_MAX);
    EQ(find(&p, "SSH"), UINT32_MAX);
    EQ(find(&p, ""), UINT32_MAX);
    EQ(find(NULL, "ssh"), UINT32_MAX);
    EQ(p.count, 7);
    portnames_free(&p);
    portnames_free(&p);
}

/* What is right is in the table all the same. */
static void each_bad_line_is_told_with_what_is_right(void)
{
    static const struct { const char *text, *has; } bad[] = {
        { "ssh\n", "1: ssh: its number is missing, as in \"ssh 22\"" },
        { "\nssh 22/tcp\n", "2: ssh 22/tcp: a port is a number from 0 to 4294967294 and nothing else" },
        { "ssh 4294967295\n", "a port is a number" }, { "ssh -1\n", "a port is a number" }, { "22 ssh\n", "22 ssh: a port is a number" },
        { "22 22\n", "\"22\" is no name of a port: a letter, and then letters, digits and _.+-, at most 32 of them" },
        { "a,b 1\n", "\"a,b\" is no name" }, { "ssh 22 *\n", "\"*\" is no name" },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1\n", "is no name" },
        { "a 1\nb 2 a\n", "2: a is port 1 already" },
    };
    struct portnames p;
    char text[1000];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        p = read_text(bad[i].text, strlen(bad[i].text), -EINVAL);
        if (!strstr(wrongs, bad[i].has))
            printf("    \"%s\", not \"%s\"\n", wrongs, bad[i].has);
        CU_ASSERT_PTR_NOT_NULL(strstr(wrongs, bad[i].has));
        portnames_free(&p);
    }
    p = read_text("a x\nb 2\nc y\n", 12, -EINVAL);
    CU_ASSERT_TRUE(strstr(wrongs, "1: ") && strstr(wrongs, "3: "));
    EQ(find(&p, "b"), 2);
    portnames_free(&p);
    p = read_text("a 1\0b 2\n", 8, -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(wrongs, "there is a byte 0 in the line"));
    portnames_free(&p);
    memset(text, 'x', sizeof text);
    p = read_text(text, sizeof text, -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(wrongs, "the line is longer than 511 bytes"));
    portnames_free(&p);
}

static void so_many_names_and_no_more(void)
{
    static char text[PORTNAMES_MOST * 12 + 100];
    struct portnames p;
    size_t n = 0;

    for (unsigned i = 0; i <= PORTNAMES_MOST; i++)
        n += (size_t)sprintf(text + n, "n%u %u\n", i, i);
    p = read_text(text, n, -EINVAL);
    EQ(p.count, PORTNAMES_MOST);
    EQ(find(&p, "n4095"), 4095);
    CU_ASSERT_PTR_NOT_NULL(strstr(wrongs, "4097: these are more than 4096 names"));
    portnames_free(&p);
}

static void the_file_that_we_come_with_is_good(void)
{
    struct portnames p = read_text(portnames_default, (size_t)(portnames_default_end - portnames_default), 0);

    EQ(find(&p, "tcpmux"), 1);
    EQ(find(&p, "ssh"), 22);
    portnames_free(&p);
}

static const struct test tests[] = {
    TEST(a_port_has_a_name_and_others), TEST(each_bad_line_is_told_with_what_is_right), TEST(so_many_names_and_no_more),
    TEST(the_file_that_we_come_with_is_good)
};

int main(int argc, char **argv)
{
    return harness_run("portnames", tests, sizeof tests / sizeof *tests, argc, argv);
}

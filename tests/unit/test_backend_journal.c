/* SPDX-License-Identifier: MIT */
/* test_backend_journal.c: what a guest can provoke is bounded and counted, and no line says what a guest wrote unbridled. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <xentoollog.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "journal.h"
#include "journald.h"
#include "xenlog.h"

/* The journal's clock, which stands still until a test says otherwise. */
static time_t now = 1000;

int clock_gettime(clockid_t which, struct timespec *ts)
{
    if (which == CLOCK_MONOTONIC) {
        *ts = (struct timespec){ .tv_sec = now };
        return 0;
    }
    return (int)syscall(SYS_clock_gettime, which, ts);
}

static char text[65536];        /* what was logged */
static int stderr_fd = -1, file = -1;

/* Standard error is journald's stream, or with 'other' it is not what JOURNAL_STREAM names. */
static void tell_stream(int other, const char *path)
{
    char stream[64];
    struct stat st;

    REQUIRE(fstat(STDERR_FILENO, &st) == 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino + (unsigned)other);
    setenv("JOURNAL_STREAM", stream, 1);
    journal_begin(path);
}

static void begin(void)
{
    char path[] = "/tmp/xvs-journal.XXXXXX";

    REQUIRE((file = mkstemp(path)) >= 0);
    unlink(path);
    stderr_fd = dup(STDERR_FILENO);
    REQUIRE(stderr_fd >= 0 && dup2(file, STDERR_FILENO) >= 0);
    tell_stream(0, "/nonexistent");
}

static void end(void)
{
    ssize_t n;

    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    n = pread(file, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(file);
}

static int lines(const char *with)
{
    int n = 0;

    for (const char *at = text, *next; (next = strchr(at, '\n')); at = next + 1) {
        const char *found = strstr(at, with);

        n += found && found < next;
    }
    return n;
}

static void what_a_guest_provokes_is_bounded_and_counted(void)
{
    struct journal_guest g;

    begin();
    journal_guest_init(&g, "web1", 5, 0);
    for (int i = 0; i < 100; i++)
        journal_guest(&g, JOURNAL_ERROR, "rule %d is broken", i);
    end();
    EQ(lines("<3>guest web1 (domid 5): rule "), JOURNAL_BURST);
    EQ(lines(""), JOURNAL_BURST);
    EQ(g.errors, 100);
    EQ(g.left_out, 100 - JOURNAL_BURST);

    /* Time brings one line in two seconds, and before it the sum. */
    begin();
    now += 2 * JOURNAL_REFILL_MS / 1000;
    for (int i = 0; i < 10; i++)
        journal_guest(&g, JOURNAL_INFO, "again");
    end();
    EQ(lines("80 lines about this guest were left out"), 1);
    EQ(lines("again"), 2);

    /* The last words: nothing is left out without a word. */
    begin();
    journal_guest_end(&g);
    journal_guest_end(&g);
    end();
    EQ(lines("<4>guest web1 (domid 5): 8 lines about this guest were left out"), 1);
    EQ(lines(""), 1);
}

static void a_new_name_is_no_new_allowance(void)
{
    struct journal_guest g;

    begin();
    journal_guest_init(&g, "web1--incoming", 5, 3);
    for (int i = 0; i < 15; i++)
        journal_guest(&g, JOURNAL_INFO, "line");
    journal_guest_name(&g, "web1", 5, 3);
    for (int i = 0; i < 15; i++)
        journal_guest(&g, JOURNAL_INFO, "line");
    end();
    EQ(lines("guest web1--incoming (domid 5, device 3): line"), 15);
    EQ(lines("guest web1 (domid 5, device 3): line"), JOURNAL_BURST - 15);
}

static void lines_about_nobody_are_bounded_too(void)
{
    struct journal_guest g;

    begin();
    journal_nobody_init(&g);
    for (int i = 0; i < 100; i++)
        journal_guest(&g, JOURNAL_WARNING, "too many domains");
    journal_guest_end(&g);
    end();
    EQ(lines("<4>too many domains"), JOURNAL_BURST);
    EQ(lines("<4>80 lines like the last were left out"), 1);
}

static void what_is_not_shown_costs_nothing(void)
{
    struct journal_guest g;

    begin();
    journal_guest_init(&g, "web1", 5, 0);
    for (int i = 0; i < 100; i++)
        journal_guest(&g, JOURNAL_DEBUG, "detail");
    journal_guest(&g, JOURNAL_ERROR, "what counts");
    end();
    EQ(lines(""), 1);
    EQ(lines("what counts"), 1);
}

static void control_characters_do_not_reach_the_log(void)
{
    struct journal_guest g;

    begin();
    journal_guest_init(&g, "a\nb", 5, 0);
    journal_guest(&g, JOURNAL_INFO, "one\n<0>two\x1b[2J\x7f");
    end();
    EQ(lines(""), 1);
    EQ(lines("<6>guest a b (domid 5): one <0>two [2J "), 1);
}

static void a_line_that_is_too_long_is_cut_and_remains_one_line(void)
{
    static char much[20000];

    memset(much, 'x', sizeof much - 1);
    begin();
    journal(JOURNAL_ERROR, "%s and an end", much);
    journal(JOURNAL_ERROR, "another");
    end();
    EQ(lines("xxxx"), 1);
    EQ(lines("and an end"), 0);
    EQ(lines("another"), 1);
    EQ(lines(""), 2);
}

/* Nobody reads what we say: that is no reason to end, nor to say it elsewhere. */
static void without_a_log_the_daemon_goes_on(void)
{
    begin();
    close(STDERR_FILENO);
    journal(JOURNAL_ERROR, "nobody hears this");
    REQUIRE(dup2(file, STDERR_FILENO) >= 0);
    journal(JOURNAL_ERROR, "but this");
    end();
    EQ(lines(""), 1);
    EQ(lines("but this"), 1);
}

/* ---- journald's own socket ---- */

static char dir[] = "/tmp/xvs-journald.XXXXXX", path[sizeof dir + 8];
static int socket_fd, stream_fd;        /* where journald hears entries, and standard error's lines */

static void begin_journald(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int pair[2];

    strcpy(strrchr(dir, '.'), ".XXXXXX");
    REQUIRE(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/socket", dir);
    strcpy(address.sun_path, path);
    REQUIRE((socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) >= 0);
    REQUIRE(bind(socket_fd, (const struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    stderr_fd = dup(STDERR_FILENO);
    REQUIRE(stderr_fd >= 0 && dup2(pair[0], STDERR_FILENO) >= 0);
    close(pair[0]);
    stream_fd = pair[1];
    tell_stream(0, path);
}

static void end_journald(void)
{
    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    close(socket_fd);
    close(stream_fd);
    unlink(path);
    rmdir(dir);
    unsetenv("JOURNAL_STREAM");
    journal_begin("/nonexistent");
}

/* What has come at either, in text. */
static size_t come(int fd)
{
    ssize_t n = recv(fd, text, sizeof text - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static void a_line_has_its_facts_as_fields(void)
{
    struct journal_guest g;

    begin_journald();
    journal_guest_init(&g, "web1", 5, 0);
    journal_event(&g, EVENT_ATTACHED, NULL, "taken in");
    come(socket_fd);
    CU_ASSERT_STRING_EQUAL(text, "MESSAGE=guest web1 (domid 5): taken in\nPRIORITY=6\nSYSLOG_IDENTIFIER=xvsd\n"
                           "MESSAGE_ID=413c512d35ca4b74901760c48ae7215c\nXVS_EVENT=attach\nXVS_GUEST=web1\nXVS_DOMID=5\n");
    journal_guest_name(&g, "web1", 5, 2);
    g.cid = 4294967294u;
    journal_event(&g, EVENT_FORBIDDEN, "policy", "no");
    come(socket_fd);
    CU_ASSERT_STRING_EQUAL(text, "MESSAGE=guest web1 (domid 5, device 2): no\nPRIORITY=5\nSYSLOG_IDENTIFIER=xvsd\n"
                           "MESSAGE_ID=0b0c4ef6a40a430d8f19a0cb46fb4889\nXVS_EVENT=refuse\nXVS_REASON=policy\n"
                           "XVS_GUEST=web1\nXVS_DOMID=5\nXVS_DEVICE=2\nXVS_CID=4294967294\n");
    /* What is no event, and what is about nobody. */
    journal_guest(&g, JOURNAL_WARNING, "hm");
    come(socket_fd);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "PRIORITY=4\nSYSLOG_IDENTIFIER=xvsd\nXVS_GUEST=web1\n"));
    journal_event(NULL, EVENT_READY, NULL, "ready");
    come(socket_fd);
    CU_ASSERT_STRING_EQUAL(text, "MESSAGE=ready\nPRIORITY=5\nSYSLOG_IDENTIFIER=xvsd\n"
                           "MESSAGE_ID=4daec737be32498e91dd799070985575\nXVS_EVENT=ready\n");
    EQ(come(stream_fd), 0);
    /* What has none goes by the stream, which is its unit's whatever becomes of the process. */
    journal(JOURNAL_ERROR, "cannot begin");
    come(stream_fd);
    CU_ASSERT_STRING_EQUAL(text, "<3>cannot begin\n");
    EQ(come(socket_fd), 0);
    end_journald();
}

/* A guest's name is a guest's: it makes no field of its own. */
static void a_newline_in_a_value_begins_no_other_field(void)
{
    static const char name[] = "XVS_GUEST\n\x0e\0\0\0\0\0\0\0a\nMESSAGE_ID=b\nXVS_DOMID=5\n";
    struct journal_guest g;
    size_t len;

    begin_journald();
    journal_guest_init(&g, "a\nMESSAGE_ID=b", 5, 0);
    journal_guest(&g, JOURNAL_INFO, "one\nPRIORITY=0");
    len = come(socket_fd);
    CU_ASSERT_EQUAL(strncmp(text, "MESSAGE=guest a MESSAGE_ID=b (domid 5): one PRIORITY=0\nPRIORITY=6\n", 66), 0);
    CU_ASSERT_TRUE(len > sizeof name - 1 && !memcmp(text + len - (sizeof name - 1), name, sizeof name - 1));
    end_journald();
}

static void what_does_not_fit_into_an_entry_is_none(void)
{
    static char much[JOURNALD_ENTRY];
    struct journald_entry e;

    journald_begin(&e);
    journald_add(&e, "A", much, sizeof much - 3);
    CU_ASSERT_FALSE(e.is_cut);
    EQ(e.len, JOURNALD_ENTRY);
    journald_add(&e, "B", "", 0);
    CU_ASSERT_TRUE(e.is_cut);
    CU_ASSERT_FALSE(journald_send(-1, &e));
}

/* It does not read: the lines go to its stream, and when that is full, too, nobody waits. */
static void a_journald_that_does_not_read_holds_nobody_up(void)
{
    char first[64] = "";
    int n = 0;

    begin_journald();
    for (int i = 0; i < 20000; i++)
        journal_event(NULL, EVENT_UNREADABLE, NULL, "line %d", i);
    while (come(socket_fd))
        n++;
    CU_ASSERT_TRUE(n > 0 && n < 20000);
    snprintf(first, sizeof first, "<3>line %d\n", n);
    come(stream_fd);
    CU_ASSERT_EQUAL(strncmp(text, first, strlen(first)), 0);
    while (come(stream_fd))
        ;
    journal_event(NULL, EVENT_UNREADABLE, NULL, "again");
    come(socket_fd);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "MESSAGE=again\n"));
    come(stream_fd);
    CU_ASSERT_EQUAL(strncmp(text, "<4>", 3), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " lines are lost: journald took none of them in time\n"));
    /* …and it is said once. */
    journal_event(NULL, EVENT_UNREADABLE, NULL, "and again");
    EQ(come(stream_fd), 0);
    end_journald();
}

static void without_its_socket_lines_go_by_standard_error(void)
{
    begin_journald();
    unlink(path);
    close(socket_fd);
    socket_fd = dup(stream_fd);
    journal_event(NULL, EVENT_UNREADABLE, NULL, "it has gone");
    come(stream_fd);
    CU_ASSERT_STRING_EQUAL(text, "<3>it has gone\n");
    journal_begin(path);
    journal_event(NULL, EVENT_UNREADABLE, NULL, "it was never there");
    come(stream_fd);
    CU_ASSERT_STRING_EQUAL(text, "<3>it was never there\n");
    end_journald();
}

/* It is no other socket's either, whose path begins like it. */
static void a_path_that_is_too_long_for_a_socket_is_nobodys(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char longer[sizeof address.sun_path + 1] = "/tmp/";

    memset(longer + strlen(longer), 'x', sizeof longer - 1 - strlen(longer));
    EQ(journald_connect(longer), -ENAMETOOLONG);
    longer[sizeof longer - 2] = '\0';
    EQ(journald_connect(longer), -ENOENT);
}

/* …nor is there one without a descriptor for it. */
static void without_a_descriptor_there_is_no_socket(void)
{
    struct rlimit was, none;
    int err;

    begin_journald();
    REQUIRE(getrlimit(RLIMIT_NOFILE, &was) == 0);
    none = was;
    none.rlim_cur = 0;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    err = journald_connect(path);
    setrlimit(RLIMIT_NOFILE, &was);
    EQ(err, -EMFILE);
    REQUIRE((err = journald_connect(path)) >= 0);
    close(err);
    end_journald();
}

/* JOURNAL_STREAM is inherited by whatever a service starts, and does not say that its standard error still is that. */
static void what_is_not_journalds_stream_is_a_persons(void)
{
    begin_journald();
    tell_stream(1, path);
    journal_event(NULL, EVENT_UNREADABLE, NULL, "for people");
    come(stream_fd);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " xvsd: for people\n"));
    EQ(come(socket_fd), 0);
    CU_ASSERT_FALSE(journald_is_ours(NULL, STDERR_FILENO));
    CU_ASSERT_FALSE(journald_is_ours("", STDERR_FILENO));
    CU_ASSERT_FALSE(journald_is_ours("1:", STDERR_FILENO));
    end_journald();
}

/* ---- Xen's libraries ---- */

__attribute__((format(printf, 2, 3)))
static void library_says(int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    xenlog()->vmessage(xenlog(), XTL_ERROR, err, "gnttab", format, args);
    va_end(args);
}

static void what_xens_libraries_say_is_for_debugging_and_bounded(void)
{
    begin();
    library_says(EINVAL, "grant %d", 7);
    end();
    EQ(lines(""), 0);
    begin();
    journal_set_level(JOURNAL_DEBUG);
    for (int i = 0; i < 100; i++)
        library_says(EINVAL, "grant %d", i);
    journal_set_level(JOURNAL_INFO);
    end();
    EQ(lines("<7>gnttab: grant 19: Invalid argument"), 1);
    EQ(lines(""), JOURNAL_BURST);
}

/* Whoever opens a library with our logger may close it with that: it is no one's to free, and says the next one's lines. */
static void xens_libraries_neither_show_progress_nor_end_the_log(void)
{
    struct xentoollog_logger *logger = xenlog();

    begin();
    now += 1000;                /* others have said much */
    journal_set_level(JOURNAL_DEBUG);
    logger->progress(logger, "gnttab", "mapping", 50, 1, 2);
    logger->destroy(logger);
    CU_ASSERT_PTR_EQUAL(xenlog(), logger);
    library_says(0, "it goes on");
    journal_set_level(JOURNAL_INFO);
    end();
    EQ(lines("<7>gnttab: it goes on"), 1);
    EQ(lines("gnttab"), 1);
}

/* ---- events ---- */

static void each_kind_has_a_word_and_an_identity_of_its_own(void)
{
    for (int k = EVENT_NONE + 1; k < EVENTS_END; k++) {
        const char *id = event_id(k);

        CU_ASSERT_TRUE(strlen(event_word(k)) > 2 && strspn(event_word(k), "abcdefghijklmnopqrstuvwxyz") == strlen(event_word(k)));
        /* Who has no line has no identity. */
        EQ(event_level(k) == JOURNAL_DEBUG, !*id);
        if (!*id)
            continue;
        CU_ASSERT_TRUE(strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32);
        for (int other = EVENT_NONE + 1; other < k; other++)
            CU_ASSERT_STRING_NOT_EQUAL(id, event_id(other));
    }
    CU_ASSERT_STRING_EQUAL(event_word(EVENT_NONE), "");
    CU_ASSERT_STRING_EQUAL(event_word(EVENTS_END), "");
}

static const struct test tests[] = {
    TEST(what_a_guest_provokes_is_bounded_and_counted), TEST(a_new_name_is_no_new_allowance),
    TEST(lines_about_nobody_are_bounded_too), TEST(what_is_not_shown_costs_nothing),
    TEST(control_characters_do_not_reach_the_log), TEST(a_line_that_is_too_long_is_cut_and_remains_one_line),
    TEST(without_a_log_the_daemon_goes_on), TEST(a_line_has_its_facts_as_fields),
    TEST(a_newline_in_a_value_begins_no_other_field), TEST(what_does_not_fit_into_an_entry_is_none),
    TEST(a_journald_that_does_not_read_holds_nobody_up), TEST(without_its_socket_lines_go_by_standard_error),
    TEST(a_path_that_is_too_long_for_a_socket_is_nobodys), TEST(without_a_descriptor_there_is_no_socket),
    TEST(what_is_not_journalds_stream_is_a_persons), TEST(what_xens_libraries_say_is_for_debugging_and_bounded),
    TEST(xens_libraries_neither_show_progress_nor_end_the_log),
    TEST(each_kind_has_a_word_and_an_identity_of_its_own)
};

int main(int argc, char **argv)
{
    return harness_run("journal", tests, sizeof tests / sizeof *tests, argc, argv);
}

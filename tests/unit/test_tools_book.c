/* SPDX-License-Identifier: MIT */
/* test_tools_book.c: the broker's streams by their numbers, and what those who ask are told.  The loop is a real one, turned by hand. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "book.h"
#include "harness.h"

static struct loop loop;
static struct holders holders;
static struct book book;
static struct entry entry;
static char happened[64];
static struct reason said;

static void vouched(struct entry *e) { (void)e; strcat(happened, "v"); }
static void said_end(struct entry *e) { (void)e; strcat(happened, "e"); }
static void said_reset(struct entry *e, struct reason why) { (void)e; said = why; strcat(happened, "r"); }
static void abandoned(struct entry *e) { (void)e; strcat(happened, "a"); }
static const struct entry_kind kind = { vouched, said_end, said_reset, abandoned };

static void begin(uid_t uid)
{
    REQUIRE(loop_begin(&loop) == 0);
    holders_init(&holders, 100);
    book_begin(&book, &loop, &holders);
    happened[0] = '\0';
    entry = (struct entry){ .uid = uid, .kind = &kind };
    entry_open(&book, &entry, 77);
}

static void end(void)
{
    if (entry.link.next)
        entry_end(&book, &entry, BOOK_ORDER, REASON(NONE));
    CU_ASSERT_EQUAL(holders.count, 0);
    book_free(&book);
    loop_end(&loop, 0);
}

static void over(struct timer *t)
{
    (void)t;
    loop_stop(&loop, 0);
}

/* All that waits is done: what is readable is before a timer that is due. */
static void turn(void)
{
    struct timer t = { 0 };

    for (int i = 0; i < 4; i++) {
        loop.stopping = false;
        timer_set(&loop, &t, 0, over);
        loop_run(&loop);
    }
}

/* The asker's own end. */
static int ask(uid_t uid, uint32_t number, bool vouches)
{
    struct holder *h = holder_take(&holders, uid);
    int fds[2];

    if (!h || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    book_ask(&book, fds[1], h, number, vouches);
    return fds[0];
}

static bool hears(int fd, const char *line)
{
    char got[200] = "";
    ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);

    if (n < 0)
        n = 0;
    got[n] = '\0';
    if (strcmp(got, line) != 0)
        printf("    heard '%s', not '%s'\n", got, line);
    return strcmp(got, line) == 0;
}

static bool has_ended(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void who_watches_hears_of_the_end_and_is_let_go(void)
{
    int fd;

    begin(5);
    fd = ask(5, 77, false);
    CU_ASSERT_TRUE(hears(fd, "WATCHING 77\n"));
    CU_ASSERT_STRING_EQUAL(happened, "");
    entry_end(&book, &entry, BOOK_CUT, REASON(NONE));
    entry.link.next = NULL;
    CU_ASSERT_TRUE(hears(fd, "ENDED 77 cut the vsock device went down, or the agent stops\n"));
    CU_ASSERT_TRUE(has_ended(fd));
    close(fd);
    /* And afterwards, with the reason. */
    fd = ask(5, 77, false);
    CU_ASSERT_TRUE(hears(fd, "ENDED 77 cut the vsock device went down, or the agent stops\n") && has_ended(fd));
    close(fd);
    end();
}

static void each_end_has_its_words(void)
{
    static const struct { enum book_end end; struct reason reason; const char *line; } ends[] = {
        { BOOK_ORDER, { 0, 0 }, "ENDED 77 order\n" },
        { BOOK_RESET_THERE, { VSOCKIF_REASON_STATUS, 3 }, "ENDED 77 reset by the program at the other end (status 3)\n" },
        { BOOK_RESET_HERE, { VSOCKIF_REASON_SIGNAL, 9 }, "ENDED 77 reset by this guest's program (signal 9)\n" },
        { BOOK_UNREAD_THERE, { 0, 0 }, "ENDED 77 unread the program at the other end did not read everything\n" },
        { BOOK_UNREAD_HERE, { 0, 0 }, "ENDED 77 unread this guest's program did not read everything\n" },
    };

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int fd;

        begin(0);
        entry_end(&book, &entry, ends[i].end, ends[i].reason);
        entry.link.next = NULL;
        fd = ask(0, 77, true);
        CU_ASSERT_TRUE(hears(fd, ends[i].line));
        close(fd);
        end();
    }
}

static void a_stream_is_known_to_its_user_and_to_root_alone(void)
{
    static const struct { uid_t uid; const char *living, *past; } askers[] = {
        { 5, "WATCHING 77\n", "ENDED 77 order\n" }, { 0, "WATCHING 77\n", "ENDED 77 order\n" }, { 6, "UNKNOWN 77\n", "UNKNOWN 77\n" }
    };
    int fds[3];

    begin(5);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_TRUE(hears(fds[i] = ask(askers[i].uid, 77, false), askers[i].living));
    entry_end(&book, &entry, BOOK_ORDER, REASON(NONE));
    entry.link.next = NULL;
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
        CU_ASSERT_TRUE(hears(fds[i] = ask(askers[i].uid, 77, true), askers[i].past));
        close(fds[i]);
    }
    CU_ASSERT_TRUE(hears(fds[0] = ask(0, 0, false), "UNKNOWN 0\n"));
    close(fds[0]);
    CU_ASSERT_STRING_EQUAL(happened, "");
    end();
}

static void who_vouches_says_the_end_in_whatever_pieces(void)
{
    int fd;

    begin(5);
    fd = ask(5, 77, true);
    CU_ASSERT_STRING_EQUAL(happened, "v");
    CU_ASSERT_TRUE(hears(fd, "WATCHING 77\n"));
    for (const char *c = "END\n"; *c; c++) {
        CU_ASSERT_EQUAL(write(fd, c, 1), 1);
        turn();
        CU_ASSERT_STRING_EQUAL(happened, c[1] ? "v" : "ve");
    }
    /* He may still say that it is a reset, and go then. */
    CU_ASSERT_EQUAL(write(fd, "RESET status 3\n", 15), 15);
    turn();
    CU_ASSERT_STRING_EQUAL(happened, "ver");
    CU_ASSERT_EQUAL(said.code, VSOCKIF_REASON_STATUS);
    CU_ASSERT_EQUAL(said.detail, 3);
    close(fd);
    turn();
    CU_ASSERT_STRING_EQUAL(happened, "ver");
    CU_ASSERT_EQUAL(holders.count, 0);
    end();
}

static void who_vouches_and_goes_or_says_nonsense_has_abandoned_it(void)
{
    static const char *const words[] = { "", "END", "END\nNONSENSE\n", "RESET\n", "RESET nosuchreason\n", "x", "\n",
                                         "RESET status 3 and a line that is longer than any that there is\n" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t len = strlen(words[i]);
        int fd;

        begin(5);
        fd = ask(5, 77, true);
        CU_ASSERT_EQUAL(write(fd, words[i], len), (ssize_t)len);
        turn();
        close(fd);
        turn();
        CU_ASSERT_EQUAL(happened[strlen(happened) - 1], 'a');
        CU_ASSERT_EQUAL(holders.count, 0);
        end();
    }
}

/* The daemon alone says that it is the policy, or that the guest is gone. */
static void a_program_speaks_for_nobody_else(void)
{
    int fd;

    begin(5);
    fd = ask(5, 77, true);
    CU_ASSERT_EQUAL(write(fd, "RESET policy\n", 13), 13);
    turn();
    CU_ASSERT_STRING_EQUAL(happened, "vr");
    CU_ASSERT_EQUAL(said.code, VSOCKIF_REASON_NONE);
    close(fd);
    end();
}

static void so_many_may_ask_about_one_stream_and_no_more(void)
{
    int fds[BOOK_MOST + 1];

    begin(5);
    for (unsigned i = 0; i < BOOK_MOST; i++)
        CU_ASSERT_TRUE(hears(fds[i] = ask(5, 77, false), "WATCHING 77\n"));
    fds[BOOK_MOST] = ask(5, 77, false);
    CU_ASSERT_TRUE(has_ended(fds[BOOK_MOST]));
    CU_ASSERT_EQUAL(holders.count, BOOK_MOST);
    for (unsigned i = 0; i <= BOOK_MOST; i++)
        close(fds[i]);
    turn();
    CU_ASSERT_EQUAL(holders.count, 0);
    end();
}

static void the_oldest_ends_are_forgotten(void)
{
    int fd;

    begin(5);
    for (uint32_t n = 1000; n < 1000 + BOOK_PAST; n++) {
        struct entry e = { .uid = 5, .kind = &kind };

        entry_open(&book, &e, n);
        entry_end(&book, &e, BOOK_ORDER, REASON(NONE));
    }
    entry_end(&book, &entry, BOOK_ORDER, REASON(NONE));
    entry.link.next = NULL;
    CU_ASSERT_TRUE(hears(fd = ask(5, 1000, false), "UNKNOWN 1000\n"));
    close(fd);
    CU_ASSERT_TRUE(hears(fd = ask(5, 1001, false), "ENDED 1001 order\n"));
    close(fd);
    for (int i = 0; i < 100; i++) {
        uint32_t n = book_number(&book);

        CU_ASSERT_TRUE(n && n != 77);
    }
    end();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(who_watches_hears_of_the_end_and_is_let_go),
        TEST(each_end_has_its_words),
        TEST(a_stream_is_known_to_its_user_and_to_root_alone),
        TEST(who_vouches_says_the_end_in_whatever_pieces),
        TEST(who_vouches_and_goes_or_says_nonsense_has_abandoned_it),
        TEST(a_program_speaks_for_nobody_else),
        TEST(so_many_may_ask_about_one_stream_and_no_more),
        TEST(the_oldest_ends_are_forgotten),
    };

    return harness_run("book", tests, sizeof tests / sizeof *tests, argc, argv);
}

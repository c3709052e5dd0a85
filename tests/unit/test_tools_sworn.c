/* SPDX-License-Identifier: MIT */
/* test_tools_sworn.c: a program's socket in the broker of a guest's agent, while its program goes on between any two of the agent's calls. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "sworn.h"

#define CALLS 8                 /* of the agent's, at least, until it has read all */

static struct loop loop;
static struct edges edges;
static int program, calls, sends_at, ends_at;
static char got[16];
static size_t len;

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
ssize_t __wrap_recv(int fd, void *to, size_t most, int flags);
ssize_t __real_recv(int fd, void *to, size_t most, int flags);

static void go_on(void)
{
    calls++;
    if (calls == sends_at)
        EQ(send(program, "x", 1, 0), 1);
    if (calls == ends_at)
        EQ(shutdown(program, SHUT_WR), 0);
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    go_on();
    return __real_poll(fds, n, timeout);
}

ssize_t __wrap_recv(int fd, void *to, size_t most, int flags)
{
    go_on();
    return __real_recv(fd, to, most, flags);
}

/* Before which of the agent's calls the program does what.  Its line has been read but for the newline. */
static struct end *begin(int sends, int ends)
{
    struct end *e;
    int pair[2];

    calls = 0;
    sends_at = sends;
    ends_at = ends;
    len = 0;
    REQUIRE(loop_begin(&loop) == 0 && edges_begin(&edges, &loop) == 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    program = pair[0];
    EQ(send(program, "\n", 1, 0), 1);
    e = sworn_socket(&loop, pair[1], false, &edges, true);
    REQUIRE(e != NULL);
    return e;
}

static void end(void)
{
    close(program);
    edges_end(&edges);
    loop_end(&loop, 0);
}

/* 0 at the end, or what went wrong. */
static ssize_t read_all(struct end *e)
{
    ssize_t n;

    do {
        n = e->ops->read(e, got + len, sizeof got - len);
        len += n > 0 ? (size_t)n : 0;
    } while (n > 0 || (n == -EAGAIN && calls < 4 * CALLS));
    return n;
}

/* A program that sent, and ended its sending, while the agent looked at it: what it had sent was lost, and as it was unread when the
 * agent closed the socket the program was reset. */
static void what_is_sent_before_the_end_is_read_before_it(void)
{
    for (int sends = 1; sends <= CALLS; sends++)
        for (int ends = sends; ends <= CALLS; ends++) {
            struct end *e = begin(sends, ends);
            char byte;

            EQ(read_all(e), 0);
            EQ(len, 1);
            EQ(got[0], 'x');
            e->ops->close(e, false);
            EQ(__real_recv(program, &byte, 1, 0), 0);
            end();
        }
}

static void nothing_may_be_sent_before_the_end(void)
{
    for (int ends = 1; ends <= CALLS; ends++) {
        struct end *e = begin(0, ends);
        char byte;

        EQ(read_all(e), 0);
        EQ(len, 0);
        e->ops->close(e, false);
        EQ(__real_recv(program, &byte, 1, 0), 0);
        end();
    }
}

/* It has sent nothing behind its line, which is what makes that a reset. */
static void a_program_that_only_reads_hears_of_a_reset(void)
{
    struct end *e = begin(0, 1);
    char byte;

    EQ(read_all(e), 0);
    e->ops->close(e, true);
    EQ(__real_recv(program, &byte, 1, 0), -1);
    EQ(errno, ECONNRESET);
    end();
}

/* ---- what is thrown away ---- */

/* Nobody reads it at the other end any more.  It was thrown away without a word if it came behind the agent's last look, and the end was told
 * as order. */
static void what_comes_behind_the_last_look_is_known_to_be_dropped(void)
{
    for (int lines = 0; lines <= 1; lines++) {
        struct end *e = begin(0, 0);
        char byte;

        if (!lines)
            EQ(send(program, "x", 1, 0), 1);
        EQ(e->ops->read(e, got, 1), lines ? -EAGAIN : 1);
        EQ(e->ops->read(e, got, 1), -EAGAIN);
        EQ(send(program, "y", 1, 0), 1);
        e->ops->stop(e);
        EQ(sworn_has_dropped(e), true);
        EQ(send(program, "z", 1, MSG_NOSIGNAL), -1);
        e->ops->close(e, true);
        EQ(__real_recv(program, &byte, 1, 0), -1);
        EQ(errno, ECONNRESET);
        end();
    }
}

static void nothing_is_dropped_of_a_program_that_only_reads(void)
{
    struct end *e = begin(0, 0);
    char byte;

    EQ(e->ops->read(e, got, 1), -EAGAIN);
    e->ops->stop(e);
    EQ(sworn_has_dropped(e), false);
    e->ops->close(e, false);
    EQ(__real_recv(program, &byte, 1, 0), 0);
    end();
}

static const struct test tests[] = {
    TEST(what_is_sent_before_the_end_is_read_before_it), TEST(nothing_may_be_sent_before_the_end),
    TEST(a_program_that_only_reads_hears_of_a_reset), TEST(what_comes_behind_the_last_look_is_known_to_be_dropped),
    TEST(nothing_is_dropped_of_a_program_that_only_reads)
};

int main(int argc, char **argv)
{
    return harness_run("sworn", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_tools_greet.c: programs that come in to the broker of a guest's agent, while it has as many as it hears at a time. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"
#include "inside.h"
#include "say.h"

#define AT_A_TIME 1u

static struct loop loop;
static struct broker broker;
static struct sockaddr_un address;
static socklen_t address_len;
static bool is_short_of_files;

int __wrap_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags);
int __real_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags);

int __wrap_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    if (!is_short_of_files)
        return __real_accept4(fd, from, len, flags);
    errno = EMFILE;
    return -1;
}

/* ---- what is behind it, and nobody here gets to ---- */

uid_t stream_user(int fd) { (void)fd; return 0; }
void stream_tell_why(struct broker *b, int fd, uint32_t cid, uint32_t port) { (void)b; (void)fd; (void)cid; (void)port; }

void stream_call(struct broker *b, int fd, struct holder *holder, uint32_t cid, uint32_t port, bool calls)
{
    (void)b; (void)fd; (void)holder; (void)cid; (void)port; (void)calls;
}

void stream_refuse(struct broker *b, int fd, uint32_t cid, uint32_t port, bool calls, const char *by, struct reason why)
{
    (void)b; (void)fd; (void)cid; (void)port; (void)calls; (void)by; (void)why;
}

void book_ask(struct book *b, int fd, struct holder *holder, uint32_t number, bool vouches)
{
    (void)b; (void)fd; (void)holder; (void)number; (void)vouches;
}

/* ---- the broker ---- */

static void knocked(struct watch *w)
{
    (void)w;
    greet_more(&broker);
}

static void begin(void)
{
    address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    address_len = sizeof address;
    broker = (struct broker){ .loop = &loop };
    is_short_of_files = false;
    REQUIRE(loop_begin(&loop) == 0);
    holders_init(&broker.greeting, AT_A_TIME);
    list_init(&broker.greeted);
    broker.door.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Any name that is free. */
    REQUIRE(bind(broker.door.fd, (struct sockaddr *)&address, sizeof address.sun_family) == 0 && listen(broker.door.fd, 8) == 0);
    REQUIRE(getsockname(broker.door.fd, (struct sockaddr *)&address, &address_len) == 0);
    watch_add(&loop, &broker.door, broker.door.fd, knocked);
    broker.door.want = POLLIN;
}

static void end(void)
{
    greet_end(&broker);
    timer_drop(&broker.again);
    watch_drop(&loop, &broker.door);
    close(broker.door.fd);
    loop_end(&loop, 0);
}

static int come_in(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    REQUIRE(fd >= 0 && connect(fd, (struct sockaddr *)&address, address_len) == 0);
    return fd;
}

static void over(struct timer *t)
{
    (void)t;
    loop_stop(&loop, 0);
}

static void turn(void)
{
    struct timer t = { 0 };

    loop.stopping = false;
    timer_set(&loop, &t, 0, over);
    loop_run(&loop);
}

/* True: so many are heard, within some time. */
static bool hears(unsigned count)
{
    int64_t until = clock_ns() + 10 * SECOND;

    while (broker.greeting.count != count && clock_ns() < until)
        turn();
    return broker.greeting.count == count;
}

static void who_comes_when_it_is_full_waits_for_who_goes(void)
{
    int first, second;

    begin();
    first = come_in();
    EQ(hears(1), true);
    second = come_in();
    turn();
    EQ(broker.door.want, 0);
    close(first);
    EQ(hears(0), true);
    EQ(hears(1), true);
    close(second);
    end();
}

/* The pause that it had made once was taken for one that goes on: nobody was accepted any more once it had been full. */
static void also_after_descriptors_were_short(void)
{
    int first, second;

    begin();
    is_short_of_files = true;
    first = come_in();
    turn();
    turn();
    EQ(broker.door.want, 0);
    is_short_of_files = false;
    EQ(hears(1), true);
    second = come_in();
    turn();
    close(first);
    EQ(hears(0), true);
    EQ(hears(1), true);
    close(second);
    end();
}

static const struct test tests[] = { TEST(who_comes_when_it_is_full_waits_for_who_goes), TEST(also_after_descriptors_were_short) };

int main(int argc, char **argv)
{
    return harness_run("greet", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* process.c: see process.h. */
#include "process.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "mock.h"

#define STACK     (2u << 20)
#define BUSY_NS   UINT64_C(20000)       /* what a round costs that does not sleep */
#define BUSY_MAX  20000u                /* rounds without a sleep */
#define END_MS    60000u
#define LOG       (64u << 10)
#define FILES     1024

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define WITH_ASAN 1
#endif


bool process_is_loud;

static ucontext_t test_context, its_context;
static char *stack;
static int (*its_main)(int argc, char **argv);
static int its_argc, its_status;
static char **its_argv;
static bool running;
static uint64_t wake_at;                /* ns: it sleeps until then */
static unsigned busy;
static uint64_t rounds;
static char said[LOG];
static size_t said_len;

/* ---- two stacks ---- */

#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
size_t __sanitizer_get_current_allocated_bytes(void);   /* gcc has no header for it */
static const void *test_stack;
static size_t test_stack_size;
static void *test_fake, *its_fake;
#endif

static void to_it(void)
{
    mock_in_product = true;
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(&test_fake, stack, STACK);
#endif
    swapcontext(&test_context, &its_context);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(test_fake, NULL, NULL);
#endif
    mock_in_product = false;
}

static void to_test(void)
{
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(running ? &its_fake : NULL, test_stack, test_stack_size);
#endif
    swapcontext(&its_context, &test_context);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(its_fake, &test_stack, &test_stack_size);
#endif
}

static void run(void)
{
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(NULL, &test_stack, &test_stack_size);
#endif
    its_status = its_main(its_argc, its_argv);
    mock_in_product = false;
    running = false;
    to_test();
}

/* ---- running ---- */

/* In the program, in place of epoll_wait(). */
int process_sleep(int ep, void *events, int max, int timeout)
{
    uint64_t until = timeout < 0 ? UINT64_MAX : mock_now_ns + (uint64_t)timeout * 1000000;
    int n;

    rounds++;
    for (;;) {
        n = epoll_wait(ep, events, max, 0);
        if (n != 0 || timeout == 0) {
            MOCK_MUST(++busy < BUSY_MAX, "the program does not come to rest: %u rounds without a sleep", busy);
            mock_now_ns += BUSY_NS;
            return n;
        }
        wake_at = until;        /* however often the test looks in meanwhile */
        busy = 0;
        to_test();
        if (mock_now_ns >= wake_at)
            timeout = 0;
    }
}

bool process_begin(int (*main_of_it)(int argc, char **argv), int argc, char **argv)
{
    if (!stack) {
        stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        MOCK_MUST(stack != MAP_FAILED, "no stack");
    }
    MOCK_MUST(!running, "it runs already");
    its_main = main_of_it;
    its_argc = argc;
    its_argv = argv;
    optind = 1;
    busy = 0;
    said_len = 0;
    running = true;
    getcontext(&its_context);
    its_context.uc_stack.ss_sp = stack;
    its_context.uc_stack.ss_size = STACK;
    its_context.uc_link = NULL;
    makecontext(&its_context, run, 0);
    its_context.uc_stack.ss_size = 0;   /* or the sanitizer clears its notes of the whole stack at each switch */
    to_it();
    return running;
}

bool process_rest(void)
{
    if (running)
        to_it();
    return running;
}

bool process_pass(uint64_t ms)
{
    uint64_t end = mock_now_ns + ms * 1000000;
    unsigned woken = 0;

    while (process_rest() && mock_now_ns < end) {
        mock_now_ns = wake_at < end ? wake_at : end;
        woken++;
    }
    MOCK_MUST(woken < 2000 + ms, "it was woken %u times in %llu ms", woken, (unsigned long long)ms);
    return running;
}

bool process_end(void)
{
    if (!running)
        return true;
    raise(SIGTERM);
    process_pass(END_MS);
    return !running;
}

bool process_is_running(void)
{
    return running;
}

int process_status(void)
{
    return its_status;
}

uint64_t process_rounds(void)
{
    return rounds;
}

/* ---- what it says ---- */

void process_say(const void *bytes, unsigned long len)
{
    if (process_is_loud)
        (void)!write(STDERR_FILENO, bytes, len);
    if (len > sizeof said - 1 - said_len)
        said_len = 0;
    if (len > sizeof said - 1)
        len = sizeof said - 1;
    memcpy(said + said_len, bytes, len);
    said_len += len;
}

const char *process_log(void)
{
    said[said_len] = '\0';
    return said;
}

void process_log_clear(void)
{
    said_len = 0;
}

/* ---- what is left over ---- */

static bool was_open[FILES];
static size_t was_allocated;

static void open_files(struct pollfd *files)
{
    for (int i = 0; i < FILES; i++)
        files[i] = (struct pollfd){ .fd = i };
    poll(files, FILES, 0);              /* one call tells of all: those that are not open give POLLNVAL */
}

static size_t allocated(void)
{
#ifdef WITH_ASAN
    return __sanitizer_get_current_allocated_bytes();
#else
    return 0;
#endif
}

void process_count(void)
{
    static struct pollfd files[FILES];

    open_files(files);
    for (int i = 0; i < FILES; i++)
        was_open[i] = !(files[i].revents & POLLNVAL);
    was_allocated = allocated();
}

const char *process_left_over(void)
{
    static struct pollfd files[FILES];
    static char text[160];

    open_files(files);
    for (int i = 0; i < FILES; i++)
        if (!(files[i].revents & POLLNVAL) != was_open[i]) {
            char path[40], target[100] = "";

            snprintf(path, sizeof path, "/proc/self/fd/%d", i);
            (void)!readlink(path, target, sizeof target - 1);
            snprintf(text, sizeof text, "descriptor %d is %s: %s", i, was_open[i] ? "closed" : "open", target);
            return text;
        }
    if (allocated() != was_allocated) {
        snprintf(text, sizeof text, "%zd bytes of memory", (ssize_t)(allocated() - was_allocated));
        return text;
    }
    return "";
}

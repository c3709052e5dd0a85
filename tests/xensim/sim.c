/* SPDX-License-Identifier: MIT */
#include "sim.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

char sim_out[16384];

xenevtchn_handle *evtchn_as(unsigned domid)
{
    xenevtchn_handle *xce;

    xensim_become(domid);
    xce = xenevtchn_open(NULL, 0);
    REQUIRE(xce != NULL);
    return xce;
}

xengnttab_handle *gnttab_as(unsigned domid)
{
    xengnttab_handle *xgt;

    xensim_become(domid);
    xgt = xengnttab_open(NULL, 0);
    REQUIRE(xgt != NULL);
    return xgt;
}

xengntshr_handle *gntshr_as(unsigned domid)
{
    xengntshr_handle *xgs;

    xensim_become(domid);
    xgs = xengntshr_open(NULL, 0);
    REQUIRE(xgs != NULL);
    return xgs;
}

struct xs_handle *xs_as(unsigned domid)
{
    struct xs_handle *xs;

    xensim_become(domid);
    xs = xs_open(0);
    REQUIRE(xs != NULL);
    return xs;
}

int next_event(xenevtchn_handle *xce, int ms)
{
    struct pollfd pfd = { .fd = xenevtchn_fd(xce), .events = POLLIN };
    int port;

    if (poll(&pfd, 1, ms) != 1)
        return -1;
    port = xenevtchn_pending(xce);
    EQ(xenevtchn_unmask(xce, (evtchn_port_t)port), 0);
    return port;
}

struct pair pair_open(unsigned a, unsigned b)
{
    struct pair p = { .a = evtchn_as(a), .b = evtchn_as(b) };

    p.at_a = xenevtchn_bind_unbound_port(p.a, b);
    REQUIRE(p.at_a > 0);
    p.at_b = xenevtchn_bind_interdomain(p.b, a, (evtchn_port_t)p.at_a);
    REQUIRE(p.at_b > 0);
    EQ(next_event(p.b, PATIENCE_MS), p.at_b);
    return p;
}

void pair_close(struct pair *p)
{
    EQ(xenevtchn_close(p->a), 0);
    EQ(xenevtchn_close(p->b), 0);
}

const char *sim_dir(void)
{
    return getenv("XENSIM_DIR");
}

int sim(const char *format, ...)
{
    const char *bin = getenv("XENSIM_BIN");
    char command[2048];
    size_t n, got = 0;
    va_list al;
    FILE *f;
    int len, status;

    len = snprintf(command, sizeof command, "exec 2>&1; LSAN_OPTIONS= %s/xensim ", bin ? bin : "build/xensim/bin");
    va_start(al, format);
    vsnprintf(command + len, sizeof command - (size_t)len, format, al);
    va_end(al);
    REQUIRE((f = popen(command, "r")) != NULL);
    while ((n = fread(sim_out + got, 1, sizeof sim_out - 1 - got, f)) > 0)
        got += n;
    sim_out[got] = '\0';
    status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

long count_of(unsigned domid, const char *what)
{
    char key[64], *line, *value, *end;

    if (sim("ls --json %s", sim_dir()) != 0)
        return -1;
    snprintf(key, sizeof key, "{\"domid\": %u,", domid);
    if (!(line = strstr(sim_out, key)))
        return -1;
    end = strchr(line, '\n');
    snprintf(key, sizeof key, "\"%s\": ", what);
    value = strstr(line, key);
    return value && value < end ? strtol(value + strlen(key), NULL, 10) : -1;
}

void await_count(unsigned domid, const char *what, long value)
{
    time_t end = time(NULL) + PATIENCE_MS / 1000;
    long now;

    while ((now = count_of(domid, what)) != value && time(NULL) < end)
        ;
    EQ(now, value);
}

void say_byte(int fd)
{
    EQ(write(fd, "x", 1), 1);
}

void await_byte(int fd)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    char byte;

    EQ(poll(&pfd, 1, PATIENCE_MS), 1);
    EQ(read(fd, &byte, 1), 1);
}

struct child child_start(void (*run)(int in, int out))
{
    int to[2], from[2];
    struct child c;

    REQUIRE(pipe(to) == 0 && pipe(from) == 0);
    fflush(NULL);
    if (!(c.pid = fork())) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(to[1]);
        close(from[0]);
        run(to[0], from[1]);
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    c.in = from[0];
    c.out = to[1];
    return c;
}

void child_tell(struct child *c)
{
    say_byte(c->out);
}

void child_await(struct child *c)
{
    await_byte(c->in);
}

void child_kill(struct child *c)
{
    kill(c->pid, SIGKILL);
    EQ(waitpid(c->pid, NULL, 0), c->pid);
    close(c->in);
    close(c->out);
}

int open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = -1;                        /* the directory's own */

    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

/* SPDX-License-Identifier: MIT */
/* daemon.c: see daemon.h. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "harness.h"

static const char *dir;
static pid_t pid;
static bool three;
static unsigned most_files;

static const char *in_dir(const char *name)
{
    static char path[4][256];
    static int turn;
    char *out = path[turn++ % 4];

    snprintf(out, sizeof path[0], "%s/%s", dir, name);
    return out;
}

const char *daemon_path(const char *format, ...)
{
    char name[200];
    va_list args;

    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return in_dir(name);
}

const char *daemon_program(void)
{
    static char path[4200];
    ssize_t n;

    if (getenv("XVSD"))
        return getenv("XVSD");
    n = readlink("/proc/self/exe", path, 4096);
    path[n > 0 ? n : 0] = '\0';
    for (int up = 0; up < 2 && strrchr(path, '/'); up++)
        *strrchr(path, '/') = '\0';
    strcat(path, "/xvsd");
    return path;
}

static int connect_as(int type, const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

static int connect_to(const char *path)
{
    return connect_as(SOCK_STREAM, path);
}

static void kill_at_exit(void)
{
    if (daemon_lives())
        daemon_stop(SIGKILL);
}

/* It is removed when the program ends, and before that the daemon. */
static int make_dir(void)
{
    static char log[256];

    if (!(dir = harness_directory("hostile")))
        return -errno;
    snprintf(log, sizeof log, "%s/log", dir);
    harness_log(log);
    atexit(kill_at_exit);
    return 0;
}

void daemon_policy(const char *text)
{
    FILE *f = NULL;
    int err = dir ? 0 : make_dir();

    if (!err) {
        unlink(in_dir("policy.d/" TEST_POLICY));
        rmdir(in_dir("policy.d"));
    }
    if (!err && !text)
        return;
    if (err || mkdir(in_dir("policy.d"), 0755) || !(f = fopen(in_dir("policy.d/" TEST_POLICY), "w"))) {
        perror("the test's policy");            /* there need be no test yet */
        exit(2);
    }
    fputs(text, f);
    fclose(f);
}

void daemon_limit_files(unsigned most)
{
    most_files = most;
}

void daemon_in_processes(bool in_three)
{
    three = in_three;
}

/* Whether a process is xvsd's of that name. */
static bool is_child(int child, const char *name)
{
    char path[40], words[80] = "", option[20];
    size_t n;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/cmdline", child);
    snprintf(option, sizeof option, "--%s", name);
    if (!(f = fopen(path, "re")))
        return false;
    n = fread(words, 1, sizeof words - 1, f);
    fclose(f);
    return n > 6 && !strcmp(words + strlen(words) + 1, option);
}

int daemon_child(const char *name, int other)
{
    char path[60];
    int child;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
        FILE *f = fopen(path, "re");

        while (f && fscanf(f, "%d", &child) == 1)
            if (child != other && is_child(child, name)) {
                fclose(f);
                return child;
            }
        if (f)
            fclose(f);
        poll(NULL, 0, 10);
    }
    return 0;
}

/* What is done in the child is prepared here: a thread of libxenstore's may have the heap's lock. */
static void run(void)
{
    const char *program = daemon_program(), *log = in_dir("log"), *conf = in_dir("conf"), *run_dir = in_dir("run");
    struct rlimit files = { most_files, most_files };
    int fd;

    if ((pid = child_fork()))
        return;
    if (most_files)
        setrlimit(RLIMIT_NOFILE, &files);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDERR_FILENO);
    execl(program, "xvsd", "-c", conf, "-r", run_dir, three ? (char *)NULL : "-1", (char *)NULL);
    _exit(127);
}

int daemon_start(const char *conf)
{
    int err, status = 0, waited = 0;
    FILE *f;

    if (!dir && (err = make_dir()))
        return err;
    if (!(f = fopen(in_dir("conf"), "w")))
        return -errno;
    fputs(conf, f);
    fclose(f);
    run();
    if (pid < 0)
        return -errno;
    for (; waited < PATIENCE_MS && !waitpid(pid, &status, WNOHANG); waited += 10) {
        /* Its sockets are there one after the other, and none of them answers before it is ready. */
        if (*daemon_ask("{\"verb\":\"stats\"}"))
            return 0;
        poll(NULL, 0, 10);
    }
    if (waited < PATIENCE_MS) {
        printf("    xvsd has ended at its start: wait status %x\n", status);
        pid = 0;
    } else {
        printf("    xvsd does not answer\n");
    }
    return -ETIMEDOUT;
}

int daemon_pid(void)
{
    return pid;
}

bool daemon_lives(void)
{
    return pid > 0 && waitpid(pid, NULL, WNOHANG) == 0;
}

void daemon_signal(int signal)
{
    kill(pid, signal);
}

/* Stopped where it sleeps, not within a request: xenstored waits for the rest of one, and for nothing else.  True where nobody can say. */
static bool stands_between_requests(void)
{
    char path[40];
    long number;
    FILE *f;
    bool stands = true;

    snprintf(path, sizeof path, "/proc/%d/syscall", pid);
    if (!(f = fopen(path, "re")))
        return true;
    if (fscanf(f, "%ld", &number) == 1) {
        stands = number == SYS_epoll_pwait;
#ifdef SYS_epoll_wait
        stands |= number == SYS_epoll_wait;
#endif
    }
    fclose(f);
    return stands;
}

void daemon_freeze(void)
{
    int status;

    for (;;) {
        kill(pid, SIGSTOP);
        waitpid(pid, &status, WUNTRACED);
        if (stands_between_requests())
            return;
        kill(pid, SIGCONT);
        poll(NULL, 0, 1);
    }
}

int daemon_stop(int signal)
{
    int status;

    if (pid <= 0 || kill(pid, signal) || waitpid(pid, &status, 0) != pid)
        return -1;
    pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- the log ---- */

long daemon_log_mark(void)
{
    FILE *f = fopen(in_dir("log"), "r");
    long at = 0;

    if (f) {
        fseek(f, 0, SEEK_END);
        at = ftell(f);
        fclose(f);
    }
    return at;
}

int daemon_log_count(long mark, const char *text)
{
    FILE *f = fopen(in_dir("log"), "r");
    char line[2048];
    int count = 0;

    if (!f)
        return 0;
    fseek(f, mark, SEEK_SET);
    while (fgets(line, sizeof line, f))
        count += strstr(line, text) != NULL;
    fclose(f);
    return count;
}

bool daemon_log_has(long mark, const char *text)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
        if (daemon_log_count(mark, text))
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

/* ---- the control socket ---- */

static const char *ask_at(const char *name, const char *format, va_list args)
{
    static char answer[65536];
    char request[512];
    size_t at = 0;
    int fd = connect_to(in_dir(name)), len;

    *answer = '\0';
    if (fd < 0)
        return answer;
    len = vsnprintf(request, sizeof request - 1, format, args);
    request[len++] = '\n';
    if (write(fd, request, (size_t)len) == len)
        while (at < sizeof answer - 1 && !memchr(answer, '\n', at)) {
            ssize_t n = read(fd, answer + at, sizeof answer - 1 - at);

            if (n <= 0)
                break;
            at += (size_t)n;
        }
    answer[at] = '\0';
    close(fd);
    return answer;
}

const char *daemon_ask(const char *format, ...)
{
    const char *answer;
    va_list args;

    va_start(args, format);
    answer = ask_at("run/control.sock", format, args);
    va_end(args);
    return answer;
}

const char *daemon_ask_status(const char *format, ...)
{
    const char *answer;
    va_list args;

    va_start(args, format);
    answer = ask_at("run/status.sock", format, args);
    va_end(args);
    return answer;
}

void daemon_show(void *unused)
{
    char name[64], to[256];
    ssize_t n;

    (void)unused;
    for (int fd = 0; fd < 1024; fd++) {
        snprintf(name, sizeof name, "/proc/%d/fd/%d", pid, fd);
        if ((n = readlink(name, to, sizeof to)) > 0)
            printf("    descriptor %d: %.*s\n", fd, (int)n, to);
    }
    printf("    %s", daemon_ask("{\"verb\":\"stats\"}"));
    printf("    %s", daemon_ask("{\"verb\":\"ls\"}"));
}

/* An answer may be given before what came in the same round is served, and a piece of work may be done in several rounds. */
void daemon_rounds(void)
{
    for (int i = 0; i < 16; i++)
        daemon_ask("{\"verb\":\"stats\"}");
}

int daemon_control(void)
{
    return connect_to(in_dir("run/control.sock"));
}

long long daemon_number(const char *answer, const char *key)
{
    char quoted[64];
    const char *at;

    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    at = strstr(answer, quoted);
    return at ? strtoll(at + strlen(quoted), NULL, 10) : -1;
}

/* ---- host programs ---- */

int host_listen(const char *guest, uint32_t port)
{
    return host_listen_as(guest, port, SOCK_STREAM);
}

int host_listen_as(const char *guest, uint32_t port, int type)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "%s/run/guest/%s/vsock_%u", dir, guest, port);
    unlink(a.sun_path);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 16)) {
        close(fd);
        return -1;
    }
    return fd;
}

int host_connect(const char *guest)
{
    char name[64];

    snprintf(name, sizeof name, "run/guest/%s/vsock", guest);
    return connect_to(in_dir(name));
}

int host_connect_messages(const char *guest)
{
    char name[80];

    snprintf(name, sizeof name, "run/guest/%s/vsock.seqpacket", guest);
    return connect_as(SOCK_SEQPACKET, in_dir(name));
}

int host_accept(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, PATIENCE_MS) == 1 ? accept4(fd, NULL, NULL, SOCK_CLOEXEC) : -1;
}

size_t host_read(int fd, void *buffer, size_t len)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    size_t at = 0;

    while (at < len && poll(&p, 1, PATIENCE_MS) == 1) {
        ssize_t n = read(fd, (char *)buffer + at, len - at);

        if (n <= 0)
            break;
        at += (size_t)n;
    }
    return at;
}

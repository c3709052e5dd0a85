/* SPDX-License-Identifier: MIT */
/* test_start.c: options, starts that cannot be, what an init system hears, and stops. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "hosted.h"
#include "rawfront.h"
#include "settings.h"
#include "toolstack.h"

#define GUEST 1u

static const char *dir;

/* A path in the test's directory; static, four at a time. */
static const char *in_dir(const char *name)
{
    static char path[4][160];
    static unsigned turn;
    char *out = path[turn++ % 4];

    snprintf(out, sizeof path[0], "%s/%s", dir, name);
    return out;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
}

/* ---- programs that end ---- */

static char output[8192];

/* xvsd with these arguments, up to a NULL: its status; what it said is in output. */
static int xvsd(const char *first, ...)
{
    const char *argv[8] = { "xvsd", first };
    int ends[2], status, n = 2;
    size_t len = 0;
    va_list args;
    pid_t pid;

    va_start(args, first);
    while (first && n < 7 && (argv[n] = va_arg(args, const char *)))
        n++;
    va_end(args);
    REQUIRE(pipe(ends) == 0);
    pid = child_fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(daemon_program(), (char **)(uintptr_t)argv);
        _exit(127);
    }
    close(ends[1]);
    while (len < sizeof output - 1) {
        ssize_t got = read(ends[0], output + len, sizeof output - 1 - len);

        if (got <= 0)
            break;
        len += (size_t)got;
    }
    output[len] = '\0';
    close(ends[0]);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void said(const char *text)
{
    if (!strstr(output, text))
        fprintf(stderr, "it says \"%s\", not \"%s\"\n", output, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, text));
}

static void options_that_only_print(void)
{
    static const char *const options[] = {
        "--config=", "--run-dir=", "--check-config", "--verbose", "--foreground", "--version", "--help"
    };

    EQ(xvsd("--version", NULL), 0);
    CU_ASSERT_STRING_EQUAL(output, "xvsd " XVS_VERSION "\n");
    EQ(xvsd("-V", NULL), 0);
    EQ(xvsd("--help", NULL), 0);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        said(options[i]);
    EQ(xvsd("-h", NULL), 0);
    said("Usage: xvsd");
}

static void options_that_are_none(void)
{
    EQ(xvsd("--quiet", NULL), 2);
    said("--help");
    EQ(xvsd("-c", NULL), 2);
    EQ(xvsd("start", NULL), 2);
    said("there is no argument \"start\"");
}

static void a_configuration_is_checked_without_a_start(void)
{
    write_file(in_dir("good"), "[daemon]\nattach = manual\n");
    write_file(in_dir("bad"), "[daemon]\nattach = manual\nfoo = 1\n");
    EQ(xvsd("--check-config", "--config", in_dir("good"), NULL), 0);
    said("good is good");
    EQ(xvsd("-t", "-c", in_dir("bad"), NULL), 1);
    said("bad:3: foo: there is no such key");
    EQ(xvsd("-t", "-c", in_dir("none"), NULL), 1);
    said("cannot read");
    said("No such file");
    EQ(access(in_dir("run"), F_OK), -1);
}

/* Nobody has to write one. */
static void without_a_configuration_the_defaults_are_good(void)
{
    if (access(SETTINGS_FILE, F_OK) == 0)
        SKIP("this machine has " SETTINGS_FILE);
    EQ(xvsd("-t", NULL), 0);
    said(SETTINGS_FILE " is good");
}

static void a_start_that_cannot_be_says_why(void)
{
    char before[200];

    write_file(in_dir("conf"), "[daemon]\n");
    EQ(xvsd("-c", in_dir("conf"), "-r", "/proc/xvs/run", NULL), 1);
    said("/proc/xvs/run");
    said("--run-dir");
    write_file(in_dir("file"), "");
    EQ(xvsd("-c", in_dir("conf"), "-r", in_dir("file/run"), NULL), 1);
    said("Not a directory");

    snprintf(before, sizeof before, "%s", getenv("XENSTORED_RUNDIR"));
    setenv("XENSTORED_RUNDIR", "/nonexistent", 1);
    EQ(xvsd("-c", in_dir("conf"), "-r", in_dir("run"), NULL), 1);
    setenv("XENSTORED_RUNDIR", before, 1);
    said("cannot connect to xenstored");
    said("is this dom0");
}

/* ---- a daemon that runs ---- */

/* With up to three arguments; the daemon's log is in DIR/log.  The process. */
static pid_t running(const char *a, const char *b, const char *c)
{
    int fd = open(in_dir("log"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    pid_t pid = child_fork();

    if (pid == 0) {
        dup2(fd, STDERR_FILENO);
        execl(daemon_program(), "xvsd", "-c", in_dir("conf"), a, b, c, (char *)NULL);
        _exit(127);
    }
    close(fd);
    return pid;
}

static bool log_has(const char *text)
{
    char all[65536];
    FILE *f = fopen(in_dir("log"), "r");
    size_t n = f ? fread(all, 1, sizeof all - 1, f) : 0;

    if (f)
        fclose(f);
    all[n] = '\0';
    return strstr(all, text) != NULL;
}

static void end(pid_t pid, int signal)
{
    int status;

    kill(pid, signal);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool is_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void the_run_directory_is_the_options_or_the_environments_or_the_files(void)
{
    char conf[256], before[200];
    pid_t pid;

    toolstack_open();
    snprintf(before, sizeof before, "%s", getenv("XVS_RUN_DIR"));
    snprintf(conf, sizeof conf, "[daemon]\nattach = manual\nrun_dir = %s\n", in_dir("of-file"));
    write_file(in_dir("conf"), conf);
    setenv("XVS_RUN_DIR", in_dir("of-env"), 1);
    pid = running("--run-dir", in_dir("of-option"), NULL);
    UNTIL(log_has("is ready in"));
    CU_ASSERT_TRUE(is_socket(in_dir("of-option/control.sock")));
    CU_ASSERT_TRUE(access(in_dir("of-env"), F_OK) && access(in_dir("of-file"), F_OK));
    end(pid, SIGTERM);
    pid = running("--foreground", NULL, NULL);
    UNTIL(log_has("is ready in"));
    CU_ASSERT_TRUE(is_socket(in_dir("of-env/control.sock")));
    CU_ASSERT_TRUE(access(in_dir("of-file"), F_OK) != 0);
    end(pid, SIGINT);
    setenv("XVS_RUN_DIR", "", 1);
    pid = running(NULL, NULL, NULL);
    UNTIL(log_has("is ready in"));
    CU_ASSERT_TRUE(is_socket(in_dir("of-file/control.sock")));
    end(pid, SIGTERM);
    setenv("XVS_RUN_DIR", before, 1);
    toolstack_close();
}

static void verbose_is_more_than_the_configuration_asks_for_and_stays_so(void)
{
    pid_t pid;

    toolstack_open();
    domain_make(GUEST, "web1", NULL);
    write_file(in_dir("conf"), "[daemon]\nlog_level = error\n");
    pid = running("-r", in_dir("run"), NULL);
    UNTIL(is_socket(in_dir("run/guest/web1/vsock")));
    end(pid, SIGTERM);
    CU_ASSERT_FALSE(log_has("ready"));
    CU_ASSERT_FALSE(log_has("stopped"));
    pid = running("-r", in_dir("run"), "--verbose");
    UNTIL(log_has("web1 (domid 1): OFFER: done"));
    kill(pid, SIGHUP);
    UNTIL(log_has("settings read again"));
    end(pid, SIGTERM);
    CU_ASSERT_TRUE(log_has("stopped"));
    domain_remove(GUEST);
    toolstack_close();
}

/* ---- what an init system hears ---- */

static int notified(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "%.100s", in_dir("notify"));
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
    return fd;
}

static const char *heard(int fd)
{
    static char text[512];
    ssize_t n = 0;

    if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, PATIENCE_MS) == 1)
        n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void the_init_system_is_told_and_journald_gets_priorities(void)
{
    const char *status;
    char stream[64];
    struct stat log;
    pid_t pid;
    int fd;

    toolstack_open();
    fd = notified();
    setenv("NOTIFY_SOCKET", in_dir("notify"), 1);
    write_file(in_dir("log"), "");
    REQUIRE(stat(in_dir("log"), &log) == 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)log.st_dev, (unsigned long long)log.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    write_file(in_dir("conf"), "[daemon]\nattach = manual\n");
    pid = running("-r", in_dir("run"), NULL);
    CU_ASSERT_STRING_EQUAL(heard(fd), "READY=1");
    CU_ASSERT_TRUE(log_has("<5>version " XVS_VERSION " is ready in "));
    kill(pid, SIGHUP);
    CU_ASSERT_EQUAL(strncmp(heard(fd), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    CU_ASSERT_STRING_EQUAL(heard(fd), "STATUS=");
    CU_ASSERT_STRING_EQUAL(heard(fd), "READY=1");
    CU_ASSERT_TRUE(log_has("<5>settings read again"));
    write_file(in_dir("conf"), "[daemon]\nattach = sometimes\n");
    kill(pid, SIGHUP);
    CU_ASSERT_EQUAL(strncmp(heard(fd), "RELOADING=1\n", 12), 0);
    status = heard(fd);
    CU_ASSERT_EQUAL(strncmp(status, "STATUS=The last reload failed, and what was before it stays in force: ", 70), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(status, "attach"));
    CU_ASSERT_STRING_EQUAL(heard(fd), "READY=1");
    CU_ASSERT_TRUE(log_has("<3>the settings and the policy stay as they were: "));
    kill(pid, SIGTERM);
    CU_ASSERT_STRING_EQUAL(heard(fd), "STOPPING=1");
    end(pid, 0);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("JOURNAL_STREAM");
    close(fd);
    unlink(in_dir("notify"));
    toolstack_close();
}

/* ---- stops ---- */

static void a_stop_does_not_wait_for_a_guest_that_is_silent(void)
{
    struct rawfront guest;
    pid_t pid;

    toolstack_open();
    domain_make(GUEST, "web1", NULL);
    write_file(in_dir("conf"), "[daemon]\n");
    pid = running("-r", in_dir("run"), NULL);
    UNTIL(is_socket(in_dir("run/guest/web1/vsock")));
    REQUIRE(rawfront_open(&guest, GUEST) == 0);
    REQUIRE(rawfront_connect(&guest) == 0);
    kill(pid, SIGTERM);
    UNTIL(log_has("Terminated: closing all devices"));
    end(pid, 0);
    CU_ASSERT_TRUE(log_has("stopped"));
    CU_ASSERT_FALSE(is_socket(in_dir("run/control.sock")));
    EQ(rawfront_wait(&guest, VSOCKIF_CLOSING), 0);
    rawfront_close(&guest);
    domain_remove(GUEST);
    toolstack_close();
}

static const struct test tests[] = {
    TEST(options_that_only_print), TEST(options_that_are_none), TEST(a_configuration_is_checked_without_a_start),
    TEST(without_a_configuration_the_defaults_are_good), TEST(a_start_that_cannot_be_says_why),
    TEST(the_run_directory_is_the_options_or_the_environments_or_the_files),
    TEST(verbose_is_more_than_the_configuration_asks_for_and_stays_so),
    TEST(the_init_system_is_told_and_journald_gets_priorities),
    TEST(a_stop_does_not_wait_for_a_guest_that_is_silent)
};

int main(int argc, char **argv)
{
    if (!hosted_begin())
        return 2;
    if (!(dir = harness_directory("start")))
        return 2;
    return harness_run("start", tests, sizeof tests / sizeof *tests, argc, argv);
}

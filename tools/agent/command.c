/* SPDX-License-Identifier: MIT */
/* command.c: see command.h.
 *
 * Users are looked up here and not in the agent: that may take as long as a server of the network does. */
#include "command.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_ROOT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PATH_USER "/usr/local/bin:/usr/bin:/bin"

static void give_up(const struct command *c, uint32_t status, int err, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));

static void give_up(const struct command *c, uint32_t status, int err, const char *format, ...)
{
    struct command_report r = { .status = status, .err = -err };
    va_list args;
    ssize_t n;

    va_start(args, format);
    vsnprintf(r.text, sizeof r.text, format, args);
    va_end(args);
    do
        n = write(c->report, &r, sizeof r);
    while (n < 0 && errno == EINTR);
    _exit((int)status);
}

/* ---- who ---- */

static const struct passwd *find_user(const struct command *c)
{
    const char *name = c->start->user;
    const struct passwd *who;
    char *end = NULL;
    unsigned long number;

    errno = 0;
    if (!name)
        who = getpwuid(geteuid());
    else if (!(who = getpwnam(name)) && *name >= '0' && *name <= '9' && (number = strtoul(name, &end, 10), !*end) && number < UINT_MAX)
        who = getpwuid((uid_t)number);
    if (!who && name)
        give_up(c, COMMAND_FAILED, errno && errno != ENOENT ? errno : ENOENT, "there is no user '%.64s' here", name);
    return who;                 /* NULL: a machine without a list of users */
}

static void become(const struct command *c, const struct passwd *who)
{
    if (!who || who->pw_uid == geteuid())
        return;
    if (setgid(who->pw_gid) < 0 || initgroups(who->pw_name, who->pw_gid) < 0 || setuid(who->pw_uid) < 0)
        give_up(c, COMMAND_FAILED, errno, "cannot become user '%.64s': %s", who->pw_name, strerror(errno));
}

/* ---- with what ---- */

static void add(char **env, size_t *n, char *text)
{
    size_t len = strcspn(text, "=") + 1;

    for (size_t i = 0; i < *n; i++)
        if (strncmp(env[i], text, len) == 0) {
            env[i] = text;
            return;
        }
    env[(*n)++] = text;
}

static char *join(const struct command *c, const char *name, const char *value)
{
    char *text;

    if (asprintf(&text, "%s=%s", name, value) < 0)
        give_up(c, COMMAND_FAILED, ENOMEM, "no memory");
    return text;
}

/* The user's, then what the caller said, then what the caller cannot say. */
static char **environment(const struct command *c, const struct passwd *who)
{
    size_t count = 16, n = 0;
    char **env;

    for (char **at = c->start->env; *at; at++)
        count++;
    for (char *const *at = c->names; *at; at++)
        count++;
    if (!(env = calloc(count, sizeof *env)))
        give_up(c, COMMAND_FAILED, ENOMEM, "no memory");
    add(env, &n, join(c, "PATH", (who ? who->pw_uid : geteuid()) == 0 ? PATH_ROOT : PATH_USER));
    add(env, &n, join(c, "HOME", who ? who->pw_dir : "/"));
    add(env, &n, join(c, "SHELL", who && *who->pw_shell ? who->pw_shell : "/bin/sh"));
    if (who) {
        add(env, &n, join(c, "USER", who->pw_name));
        add(env, &n, join(c, "LOGNAME", who->pw_name));
    }
    if (c->start->tty)
        add(env, &n, join(c, "TERM", c->start->term && *c->start->term ? c->start->term : "dumb"));
    for (char **at = c->start->env; *at; at++)
        add(env, &n, *at);
    for (char *const *at = c->names; *at; at++)
        add(env, &n, *at);
    return env;
}

/* ---- where ---- */

static void enter(const struct command *c, const struct passwd *who)
{
    const char *cwd = c->start->cwd;

    if (cwd) {
        if (chdir(cwd) < 0)
            give_up(c, COMMAND_FAILED, errno, "cannot enter the directory '%.150s': %s", cwd, strerror(errno));
    } else if (!who || chdir(who->pw_dir) < 0) {
        if (chdir("/") < 0)
            give_up(c, COMMAND_FAILED, errno, "cannot enter /: %s", strerror(errno));
    }
}

static void take_descriptors(const struct command *c)
{
    if (setsid() < 0)
        give_up(c, COMMAND_FAILED, errno, "setsid: %s", strerror(errno));
    if (c->start->tty && ioctl(c->in, TIOCSCTTY, 0) < 0)
        give_up(c, COMMAND_FAILED, errno, "no terminal: %s", strerror(errno));
    /* None of them is below 3 (main.c). */
    if (dup2(c->in, STDIN_FILENO) < 0 || dup2(c->out, STDOUT_FILENO) < 0 || dup2(c->err, STDERR_FILENO) < 0)
        give_up(c, COMMAND_FAILED, errno, "no descriptors: %s", strerror(errno));
    /* Whatever a library may have opened without O_CLOEXEC. */
    syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
}

static void plain_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- what ---- */

static void run_file(const char *file, char **argv, char **env)
{
    size_t count = 0;
    char **script;

    execve(file, argv, env);
    if (errno != ENOEXEC)
        return;
    /* A script without a line that says for whom: sh's, as execvp() has it. */
    while (argv[count])
        count++;
    if (!(script = calloc(count + 2, sizeof *script)))
        return;
    script[0] = (char *)(uintptr_t)"sh";
    script[1] = (char *)(uintptr_t)file;
    memcpy(script + 2, argv + 1, count * sizeof *script - sizeof *script);
    execve("/bin/sh", script, env);
}

static const char *path_of(char **env)
{
    for (; *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return "";
}

/* An empty part of PATH is nothing here: that a command is looked for where the caller happens to stand serves attackers alone. */
static void run_found(const struct command *c, char **argv, char **env)
{
    const char *name = argv[0], *at = path_of(env);
    char file[PATH_MAX];
    int err = ENOENT;

    if (strchr(name, '/')) {
        run_file(name, argv, env);
        err = errno;
    } else {
        while (*at) {
            size_t len = strcspn(at, ":");

            if (len && (size_t)snprintf(file, sizeof file, "%.*s/%s", (int)len, at, name) < sizeof file) {
                run_file(file, argv, env);
                if (errno != ENOENT && errno != ENOTDIR)
                    err = errno;
            }
            at += len + (at[len] == ':');
        }
        if (err == ENOENT)
            give_up(c, COMMAND_ABSENT, err, "%.150s: no such command in PATH%s", name, *path_of(env) ? "" : ", which is empty");
    }
    give_up(c, err == ENOENT ? COMMAND_ABSENT : COMMAND_CANNOT, err, "%.150s: %s", name, strerror(err));
}

/* As login(1) begins it: its name has a '-' in front. */
static void run_shell(const struct command *c, const struct passwd *who, char **env)
{
    const char *shell = who && *who->pw_shell ? who->pw_shell : "/bin/sh", *base = strrchr(shell, '/');
    size_t count = 0;
    char **argv;

    while (c->start->argv[count])
        count++;
    if (!(argv = calloc(count + 2, sizeof *argv)) || asprintf(&argv[0], "-%s", base ? base + 1 : shell) < 0)
        give_up(c, COMMAND_FAILED, ENOMEM, "no memory");
    memcpy(argv + 1, c->start->argv, count * sizeof *argv);
    run_file(shell, argv, env);
    give_up(c, errno == ENOENT ? COMMAND_ABSENT : COMMAND_CANNOT, errno, "%.150s: %s", shell, strerror(errno));
}

static void become_command(const struct command *c, pid_t agent) __attribute__((noreturn));

static void become_command(const struct command *c, pid_t agent)
{
    const struct passwd *who;
    char **env;

    plain_signals();
    take_descriptors(c);
    who = find_user(c);
    env = environment(c, who);
    if (c->start->tty && who)
        (void)!fchown(STDIN_FILENO, who->pw_uid, (gid_t)-1);
    become(c, who);
    enter(c, who);
    /* Behind what opens files: until execve() all of the agent's are here, more perhaps than this command may have. */
    if (c->files)
        setrlimit(RLIMIT_NOFILE, c->files);
    /* Behind setuid(), which takes it away.  The warden sees to the others (warden.h). */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != agent)
        _exit(COMMAND_FAILED);
    if (c->start->shell)
        run_shell(c, who, env);
    run_found(c, c->start->argv, env);
    _exit(COMMAND_FAILED);
}

pid_t command_begin(const struct command *c)
{
    pid_t agent = getpid(), pid;
    sigset_t all, before;
    int err;

    /* A signal that comes before the child has none of our handlers any more waits for that. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        become_command(c, agent);
    err = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid < 0 ? -err : pid;
}

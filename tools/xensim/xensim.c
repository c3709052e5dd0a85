/* SPDX-License-Identifier: MIT */
/* xensim.c: the front command of hosted Xen, for people and tests.  It starts the
 * daemon and asks it; 'run' only sets an environment.  See xensim.1. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenstore.h>

#include "client.h"

#define DIR_MAX 88                     /* leaves room for "/xenstored/socket" in a sockaddr_un */

#define START_SECONDS 30               /* a start, a create or a stop that takes longer has failed */

static char bin[4096];                 /* where we and the daemon are */
static char dir[DIR_MAX + 1];

static int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(int code, const char *format, ...)
{
    va_list al;

    fputs("xensim: ", stderr);
    va_start(al, format);
    vfprintf(stderr, format, al);
    va_end(al);
    fputc('\n', stderr);
    return code;
}

/* ---- where things are ---- */

static void find_bin(void)
{
    ssize_t n = readlink("/proc/self/exe", bin, sizeof bin - 1);

    if (n > 0)
        *strrchr(bin, '/') = '\0';
}

static bool find_glob(char *out, size_t size, const char *format, const char *arg)
{
    char pattern[8200];
    glob_t found;
    bool ok;

    snprintf(pattern, sizeof pattern, format, arg);
    ok = glob(pattern, 0, NULL, &found) == 0;
    if (ok)
        snprintf(out, size, "%s", found.gl_pathv[0]);
    globfree(&found);
    return ok;
}

/* Xen's programs: unpacked beside the build by fetch-xen.sh, or installed. */
static bool find_xen_bin(char *out, size_t size)
{
    const char *given = getenv("XENSIM_XEN_UTILS");

    return (given && find_glob(out, size, "%s/usr/lib/xen-*/bin", given))
        || find_glob(out, size, "%s/../../xen-utils/usr/lib/xen-*/bin", bin)
        || find_glob(out, size, "%s/usr/lib/xen-*/bin", "");
}

/* 'name' may be relative, and need not exist yet. */
static int set_dir(const char *name)
{
    char copy[4096], copy2[4096], parent[4096], full[PATH_MAX];

    if (!realpath(name, full)) {
        snprintf(copy, sizeof copy, "%s", name);
        snprintf(copy2, sizeof copy2, "%s", name);
        if (errno != ENOENT || !realpath(dirname(copy), parent))
            return fail(1, "%s: %s", name, strerror(errno));
        snprintf(full, sizeof full, "%.2000s/%.2000s", strcmp(parent, "/") ? parent : "", basename(copy2));
    }
    if (strlen(full) > DIR_MAX)
        return fail(1, "%s: longer than %d characters, too long for the sockets below it:"
                    " choose a shorter DIR, say under /tmp", full, DIR_MAX);
    memcpy(dir, full, strlen(full) + 1);
    return 0;
}

/* A whole number up to 'most'; else a message and false. */
static bool number(const char *text, unsigned long most, unsigned long *out)
{
    char *end;

    errno = 0;
    *out = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && !errno && *out <= most)
        return true;
    fail(2, "%s is no number from 0 to %lu", text, most);
    return false;
}

/* ---- asking the daemon ---- */

static int ask(struct sim_msg *msg)
{
    struct timeval patience = { .tv_sec = START_SECONDS };
    struct sim_conn conn;
    int err = sim_connect(&conn, dir, "host", true);

    if (err)
        return fail(1, "%s: no hosted Xen runs there (%s): xensim start it first", dir, strerror(-err));
    setsockopt(conn.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    err = sim_call(&conn, msg, NULL, NULL);
    close(conn.fd);
    return err;
}

static int list(struct sim_dominfo *all, int most)
{
    int count = 0, more;

    do {
        struct sim_msg msg = { .op = SIM_DOMINFO,
            .arg = { count ? all[count - 1].domid + 1 : 0, (uint32_t)(most - count) } };
        int err = ask(&msg);

        if (err)
            return err < 0 ? fail(-1, "cannot list the domains: %s", strerror(-err)) : -1;
        more = (int)(msg.len / sizeof *all);
        memcpy(all + count, msg.data, (size_t)more * sizeof *all);
        count += more;
    } while (more && count < most);
    return count;
}

#define DOMAINS_MAX 1024
static struct sim_dominfo domains[DOMAINS_MAX];

/* By number or by name.  -1 with a message if there is none. */
static long find_domain(const char *who)
{
    int count = list(domains, DOMAINS_MAX);
    char *end;
    unsigned long n = strtoul(who, &end, 10);

    for (int i = 0; i < count; i++)
        if (*end || end == who ? !strcmp(domains[i].name, who) : domains[i].domid == n)
            return domains[i].domid;
    if (count >= 0)
        fail(1, "no domain %s in %s: see xensim ls %s", who, dir, dir);
    return -1;
}

static int create(uint32_t domid, const char *name, uint32_t limit, bool quiet)
{
    struct sim_msg msg = { .op = SIM_CREATE, .arg = { domid, limit }, .len = (uint32_t)strlen(name) };
    int err;

    if (msg.len > SIM_NAME_MAX)
        return fail(1, "%s: a name has at most %d characters", name, SIM_NAME_MAX);
    memcpy(msg.data, name, msg.len);
    if ((err = ask(&msg)) > 0)
        return err;
    if (err == -EEXIST)
        return fail(1, "a domain with that number or name exists (or is dying: a peer has its"
                    " pages mapped): see xensim ls %s", dir);
    if (err == -EINVAL)
        return fail(1, "the domain's number must be 1 to %u, its name letters, digits and ._+-",
                    SIM_DOMID_MAX);
    if (err)
        return fail(1, "cannot create the domain: %s: see %s/log", strerror(-err), dir);
    if (!quiet)
        printf("%u\n", msg.arg[0]);
    return 0;
}

/* ---- verbs ---- */

static int start(int argc, char **argv)
{
    static const struct option options[] = {
        { "guests", 1, NULL, 'n' }, { "grant-limit", 1, NULL, 'g' }, { "late-byte", 1, NULL, 'l' },
        { "scatter", 0, NULL, 's' }, { "while", 1, NULL, 'w' }, { NULL, 0, NULL, 0 } };
    const char *limit = getenv("XENSIM_GRANT_LIMIT"), *late = "0", *guests = "0", *with = "0";
    unsigned long count, n_pages, n_ms, n_pid;
    bool scatter = false;
    char daemon_path[4200], xenstored[4200], line[512] = "";
    int opt, pipefd[2], status;
    ssize_t n;
    pid_t pid;

    while ((opt = getopt_long(argc, argv, "n:g:l:sw:", options, NULL)) != -1)
        switch (opt) {
        case 'n': guests = optarg; break;
        case 'g': limit = optarg; break;
        case 'l': late = optarg; break;
        case 's': scatter = true; break;
        case 'w': with = optarg; break;
        default:  return 2;
        }
    if (!number(guests, 1000, &count) || !number(limit ? limit : "0", SIM_REFS_MAX, &n_pages)
        || !number(late, 999, &n_ms) || !number(with, INT_MAX, &n_pid))
        return 2;
    if (optind >= argc)
        return fail(2, "start: give a DIR");
    if (set_dir(argv[optind++]))
        return 1;
    if (!find_xen_bin(xenstored, sizeof xenstored - 16))
        return fail(1, "no xenstored: run tools/xensim/fetch-xen.sh build/xen-utils, or set"
                    " XENSIM_XEN_UTILS to where xen-utils was unpacked");
    strcat(xenstored, "/xenstored");
    snprintf(daemon_path, sizeof daemon_path, "%s/xensimd", bin);
    if (pipe(pipefd) < 0)
        return fail(1, "pipe: %s", strerror(errno));
    if ((pid = fork()) < 0)
        return fail(1, "fork: %s", strerror(errno));
    if (!pid) {
        int null = open("/dev/null", O_RDWR);

        /* Twice, so that the daemon is nobody's child and no terminal's. */
        setsid();
        if (fork())
            _exit(0);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        if (pipefd[1] != 3)
            dup2(pipefd[1], 3);
        for (int fd = 4; fd < 64; fd++)
            close(fd);
        execl(daemon_path, daemon_path, "-g", limit ? limit : "1024", "-l", late, "-w", with, "-x",
              xenstored, scatter ? "-s" : "--", dir, (char *)NULL);
        dprintf(3, "cannot run %s: %s\n", daemon_path, strerror(errno));
        _exit(1);
    }
    close(pipefd[1]);
    waitpid(pid, &status, 0);
    if (poll(&(struct pollfd){ .fd = pipefd[0], .events = POLLIN }, 1, START_SECONDS * 1000) == 0)
        return fail(1, "%s: not ready after %d s: see %s/log; xensim stop ends it", dir, START_SECONDS, dir);
    n = read(pipefd[0], line, sizeof line - 1);
    close(pipefd[0]);
    if (n <= 0)
        return fail(1, "%s: the daemon ended without a word: see %s/log", dir, dir);
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "ok"))
        return fail(1, "%s", line);
    for (unsigned long i = 0; i < count; i++)
        if (create(SIM_NONE, "", 0, true))
            return 1;
    for (; optind < argc; optind++)
        if (create(SIM_NONE, argv[optind], 0, true))
            return 1;
    return 0;
}

static int stop(int argc, char **argv)
{
    static const struct option options[] = { { "keep-logs", 0, NULL, 'k' }, { NULL, 0, NULL, 0 } };
    struct sim_msg msg = { .op = SIM_STOP };
    struct pollfd gone = { .events = POLLIN };
    int opt, err;

    while ((opt = getopt_long(argc, argv, "k", options, NULL)) != -1)
        if (opt == 'k')
            msg.arg[0] = 1;
        else
            return 2;
    if (optind + 1 != argc)
        return fail(2, "stop: give one DIR");
    if (set_dir(argv[optind]) || list(domains, 1) != 1)
        return 1;
    /* The daemon answers as its last act; wait until it is no more. */
    gone.fd = pidfd_open(domains[0].pid, 0);
    if ((err = ask(&msg)) < 0)
        return fail(1, "%s: cannot stop: %s", dir, strerror(-err));
    if (!err && gone.fd >= 0)
        poll(&gone, 1, 10000);
    return err;
}

static int do_create(int argc, char **argv)
{
    static const struct option options[] = {
        { "name", 1, NULL, 'n' }, { "grant-limit", 1, NULL, 'g' }, { NULL, 0, NULL, 0 } };
    const char *name = "";
    unsigned long domid = SIM_NONE, limit = 0;
    int opt;

    while ((opt = getopt_long(argc, argv, "n:g:", options, NULL)) != -1)
        switch (opt) {
        case 'n': name = optarg; break;
        case 'g':
            if (!number(optarg, SIM_REFS_MAX, &limit))
                return 2;
            break;
        default:  return 2;
        }
    if (optind >= argc || argc > optind + 2)
        return fail(2, "create: give a DIR, and perhaps a DOMID");
    if (set_dir(argv[optind]))
        return 1;
    if (optind + 1 < argc && !number(argv[optind + 1], SIM_DOMID_MAX, &domid))
        return fail(2, "create: a name goes with --name");
    return create((uint32_t)domid, name, (uint32_t)limit, false);
}

static int destroy(int argc, char **argv)
{
    struct sim_msg msg = { .op = SIM_DESTROY };
    long domid;
    int err;

    if (argc != 3)
        return fail(2, "destroy: give a DIR and a domain");
    if (set_dir(argv[1]) || (domid = find_domain(argv[2])) < 0)
        return 1;
    msg.arg[0] = (uint32_t)domid;
    if ((err = ask(&msg)) < 0)
        return fail(1, "cannot destroy domain %ld: %s", domid,
                    err == -ESRCH ? "it is dom0, or dying already" : strerror(-err));
    return err;
}

/* xenstored, as dom0; NULL. */
static struct xs_handle *open_xenstore(void)
{
    char path[DIR_MAX + 32];

    snprintf(path, sizeof path, "%s/xenstored", dir);
    setenv("XENSTORED_RUNDIR", path, 1);
    unsetenv("XENSTORED_PATH");
    return xs_open(0);
}

/* What "xl rename" writes, in one transaction. */
static bool rename_nodes(struct xs_handle *xs, long domid, const char *name)
{
    char path[64], vm_name[128], *vm;
    xs_transaction_t t;
    bool ok;

    do {
        if (!(t = xs_transaction_start(xs)))
            return false;
        snprintf(path, sizeof path, "/local/domain/%ld/vm", domid);
        ok = (vm = xs_read(xs, t, path, NULL));
        snprintf(vm_name, sizeof vm_name, "%s/name", vm ? vm : "");
        free(vm);
        snprintf(path, sizeof path, "/local/domain/%ld/name", domid);
        ok = ok && xs_write(xs, t, path, name, (unsigned)strlen(name))
            && xs_write(xs, t, vm_name, name, (unsigned)strlen(name));
    } while (!xs_transaction_end(xs, t, !ok) && ok && errno == EAGAIN);
    return ok;
}

static int do_rename(int argc, char **argv)
{
    struct sim_msg msg = { .op = SIM_RENAME };
    struct xs_handle *xs;
    long domid;
    bool ok;
    int err;

    if (argc != 4)
        return fail(2, "rename: give a DIR, a domain and its new name");
    if (set_dir(argv[1]) || (domid = find_domain(argv[2])) < 0)
        return 1;
    if (strlen(argv[3]) > SIM_NAME_MAX)
        return fail(1, "%s: a name has at most %d characters", argv[3], SIM_NAME_MAX);
    msg.arg[0] = (uint32_t)domid;
    msg.len = (uint32_t)strlen(argv[3]);
    memcpy(msg.data, argv[3], msg.len);
    if ((err = ask(&msg)) > 0)
        return err;
    if (err)
        return fail(1, "cannot rename domain %ld to %s: %s", domid, argv[3],
                    err == -ESRCH ? "it is dom0, or dying" : err == -EEXIST ? "another one is called so"
                    : "a name has letters, digits and ._+-");
    ok = (xs = open_xenstore()) && rename_nodes(xs, domid, argv[3]);
    if (xs)
        xs_close(xs);
    return ok ? 0 : fail(1, "cannot write the name of domain %ld: %s", domid, strerror(errno));
}

/* The domain's nodes by xenstored's own count, or -1. */
static long count_nodes(struct xs_handle *xs, uint32_t domid)
{
    char arg[16], *text, *at;
    long nodes = -1;

    if (!xs)
        return -1;
    snprintf(arg, sizeof arg, "%u", domid);
    text = xs_control_command(xs, "quota", arg, (unsigned)strlen(arg) + 1);
    if (text && (at = strstr(text, "nodes")) && (at = strpbrk(at, "0123456789")))
        nodes = strtol(at, NULL, 10);
    free(text);
    return nodes;
}

static int ls(int argc, char **argv)
{
    static const struct option options[] = { { "json", 0, NULL, 'j' }, { NULL, 0, NULL, 0 } };
    static const char *const states[] = { "building", "running", "dying" };
    bool json = false;
    struct xs_handle *xs;
    int opt, count;

    while ((opt = getopt_long(argc, argv, "j", options, NULL)) != -1)
        if (opt == 'j')
            json = true;
        else
            return 2;
    if (optind + 1 != argc)
        return fail(2, "ls: give one DIR");
    if (set_dir(argv[optind]) || (count = list(domains, DOMAINS_MAX)) < 0)
        return 1;
    xs = open_xenstore();
    if (json)
        printf("[");
    else
        printf("%5s %-20s %-8s %8s %8s %8s %8s %8s %8s\n", "ID", "Name", "State", "Granted",
               "Revoked", "Mapped", "Ports", "Handles", "Nodes");
    for (int i = 0; i < count; i++) {
        struct sim_dominfo *d = &domains[i];

        printf(json ? "%s\n  {\"domid\": %u, \"name\": \"%s\", \"state\": \"%s\", \"granted\": %u,"
                      " \"revoked\": %u, \"mapped\": %u, \"ports\": %u, \"handles\": %u,"
                      " \"nodes\": %ld, \"pid\": %d}"
                    : "%s%5u %-20s %-8s %8u %8u %8u %8u %8u %8ld\n",
               json && i ? "," : "", d->domid, d->name, states[d->state], d->shared, d->revoked,
               d->mapped, d->ports, d->handles, count_nodes(xs, d->domid), d->pid);
    }
    if (json)
        printf("\n]\n");
    if (xs)
        xs_close(xs);
    return 0;
}

/* ---- run ---- */

static void set(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void set(const char *name, const char *format, ...)
{
    char value[16384];
    va_list al;

    va_start(al, format);
    vsnprintf(value, sizeof value, format, al);
    va_end(al);
    setenv(name, value, 1);
}

/* Everything by which a program finds itself in domain 'domid'. */
static void set_environment(uint32_t domid, bool xenctrl)
{
    char lib[8300], xen[4200], packed[8400] = "";
    const char *path = getenv("PATH"), *more = getenv("LD_LIBRARY_PATH");

    set(SIM_ENV_DIR, "%s", dir);
    set(SIM_ENV_DOMID, "%u", domid);
    set("XVS_RUN_DIR", "%s/run/dom%u", dir, domid);
    unsetenv("XENSTORED_PATH");
    unsetenv("XENSTORED_RUNDIR");
    if (domid)
        set("XENSTORED_PATH", "%s/dom%u.sock", dir, domid);
    else
        set("XENSTORED_RUNDIR", "%s/xenstored", dir);
    if (!realpath(bin, lib))
        return;
    *strrchr(lib, '/') = '\0';
    if (find_xen_bin(xen, sizeof xen)) {
        char root[4096];

        snprintf(packed, sizeof packed, "%.4000s/../../..", xen);
        if (realpath(packed, root)) {
            set("PATH", "%s:%s:%s/bin", path ? path : "/usr/bin:/bin", xen, root);
            snprintf(packed, sizeof packed, ":%s/lib/xensim-extra", root);
        }
        if (access(packed + 1, F_OK))
            *packed = '\0';
    }
    set("LD_LIBRARY_PATH", "%s%s%s/lib%s%s%s", xenctrl ? lib : "", xenctrl ? "/ctrl:" : "", lib, packed,
        more ? ":" : "", more ? more : "");
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        { "domain", 1, NULL, 'd' }, { "xenctrl", 0, NULL, 'x' }, { "ghost", 0, NULL, 'g' },
        { NULL, 0, NULL, 0 } };
    struct sim_msg msg = { .op = SIM_RUN };
    struct sim_conn conn;
    const char *who = NULL;
    bool xenctrl = false, ghost = false;
    char number[24];
    long domid;
    int opt, err;

    while ((opt = getopt_long(argc, argv, "+d:xg", options, NULL)) != -1)
        switch (opt) {
        case 'd': who = optarg; break;
        case 'x': xenctrl = true; break;
        case 'g': ghost = true; break;
        default:  return 125;
        }
    if (!who || optind >= argc)
        return fail(125, "run: give -d DOMAIN, a DIR and a command");
    if (set_dir(argv[optind++]) || (domid = find_domain(who)) < 0)
        return 125;
    if (optind < argc && !strcmp(argv[optind], "--"))
        optind++;
    if (optind >= argc)
        return fail(125, "run: give a command");
    snprintf(number, sizeof number, "%ld", domid);
    if ((err = sim_connect(&conn, dir, number, true)) < 0)
        return fail(125, "domain %ld is not running: %s", domid, strerror(-err));
    if (!ghost && (err = sim_call(&conn, &msg, NULL, NULL)) < 0)
        return fail(125, "cannot join domain %ld: %s", domid, strerror(-err));
    close(conn.fd);
    set_environment((uint32_t)domid, xenctrl);
    execvp(argv[optind], argv + optind);
    err = errno;
    return fail(err == ENOENT ? 127 : 126, "cannot run %s: %s", argv[optind], strerror(err));
}

/* ---- main ---- */

static const struct verb {
    const char *name, *usage;
    int (*call)(int argc, char **argv);
} verbs[] = {
    { "start",
      "start [--guests N] [--grant-limit PAGES] [--late-byte MS] [--scatter] [--while PID] DIR\n"
      "             [NAME...]\n"
      "    a host in DIR, with N guests named domI and then one per NAME\n"
      "    --while PID  until that process ends, however it ends", start },
    { "stop",
      "stop [--keep-logs] DIR\n"
      "    end it, its guests and what 'run' started; leave nothing", stop },
    { "create",
      "create [--name NAME] [--grant-limit PAGES] DIR [DOMID]\n"
      "    one more guest; prints its number", do_create },
    { "destroy",
      "destroy DIR DOMAIN\n"
      "    crash it, with the processes that 'run' started in it", destroy },
    { "rename",
      "rename DIR DOMAIN NAME\n"
      "    call it otherwise, as 'xl rename' and the end of 'xl migrate' do", do_rename },
    { "ls",
      "ls [--json] DIR\n"
      "    the domains and what each holds", ls },
    { "run",
      "run -d DOMAIN [--xenctrl] [--ghost] DIR [--] COMMAND [ARG...]\n"
      "    a command as part of a domain (0 is the host's own)\n"
      "    --xenctrl  libxenctrl's stand-in as well, for vchan-socket-proxy\n"
      "    --ghost    let it outlive its domain", run },
};
#define VERBS (sizeof verbs / sizeof *verbs)

static int usage(FILE *to, int code)
{
    fputs("usage: xensim VERB ...: Xen's libraries and a real xenstored without a hypervisor\n\n", to);
    for (size_t i = 0; i < VERBS; i++)
        fprintf(to, "  xensim %s\n", verbs[i].usage);
    fputs("\nDOMAIN is a number or a name.  See xensim(1).\n", to);
    return code;
}

int main(int argc, char **argv)
{
    const char *self = strrchr(argv[0], '/');

    find_bin();
    if (!strcmp(self ? self + 1 : argv[0], "xensim-run") && (argc < 2 || strcmp(argv[1], "--help")))
        return run(argc, argv);
    if (argc < 2)
        return usage(stderr, 2);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        return usage(stdout, 0);
    for (size_t i = 0; i < VERBS; i++)
        if (!strcmp(argv[1], verbs[i].name)) {
            if (argc > 2 && !strcmp(argv[2], "--help"))
                return printf("usage: xensim %s\n", verbs[i].usage) < 0;
            return verbs[i].call(argc - 1, argv + 1);
        }
    fail(2, "no verb '%s'", argv[1]);
    return usage(stderr, 2);
}

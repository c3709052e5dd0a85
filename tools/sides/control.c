/* SPDX-License-Identifier: MIT */
/* control.c: see control.h.  Every answer is checked, as if anybody could listen there. */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

#define ANSWER_MAX (64u << 20)
#define PATIENCE   (10 * SECOND)

const char *run_dir(void)
{
    const char *dir = getenv("XVS_RUN_DIR");

    return dir && *dir ? dir : "/run/xvs";
}

bool is_dom0(void)
{
    char path[4096], caps[64] = "";
    FILE *f;

    snprintf(path, sizeof path, "%s/control.sock", run_dir());
    if (access(path, F_OK) == 0)
        return true;
    if ((f = fopen("/proc/xen/capabilities", "re"))) {
        if (!fgets(caps, sizeof caps, f))
            caps[0] = '\0';
        fclose(f);
    }
    return strstr(caps, "control_d") != NULL;
}

/* ---- UNIX sockets ---- */

int unix_address(int dirfd, const char *name, struct sockaddr_un *address)
{
    int n;

    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    n = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", dirfd, name);
    return n < (int)sizeof address->sun_path ? 0 : -ENAMETOOLONG;
}

/* The directory and what the daemon puts there have one owner; nothing is followed, and a link of another name is
 * none of his. */
static int open_daemons(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), err;
    struct stat dir, st;

    if (fd < 0)
        return -errno;
    if (fstat(dirfd, &dir) < 0 || fstat(fd, &st) < 0)
        err = -errno;
    else if (!S_ISSOCK(st.st_mode) || st.st_uid != dir.st_uid || st.st_nlink != 1)
        err = -ENOTSOCK;
    else
        return fd;
    close(fd);
    return err;
}

static int connect_as(int type, int dirfd, const char *name, int flags)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int name_fd = open_daemons(dirfd, name), fd, err = 0;

    if (name_fd < 0)
        return name_fd;
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", name_fd);
    if ((fd = socket(AF_UNIX, type | SOCK_CLOEXEC | flags, 0)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        err = -errno;
    close(name_fd);
    if (err && fd >= 0)
        close(fd);
    return err ? err : fd;
}

int unix_connect(int dirfd, const char *name, int flags)
{
    return connect_as(SOCK_STREAM, dirfd, name, flags);
}

int unix_connect_messages(int dirfd, const char *name, int flags)
{
    return connect_as(SOCK_SEQPACKET, dirfd, name, flags);
}

/* ---- one question ---- */

/* 0 when fd is ready, or a negative errno. */
static int wait_for(int fd, short what, int64_t end)
{
    struct pollfd p = { .fd = fd, .events = what };

    for (;;) {
        int64_t left = end - clock_ns();
        int n = left > 0 ? poll(&p, 1, (int)(left / 1000000) + 1) : 0;

        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

static int send_line(int fd, const char *line, int64_t end)
{
    size_t len = strlen(line);

    while (len) {
        ssize_t n = send(fd, line, len, MSG_NOSIGNAL);
        int err;

        if (n >= 0) {
            line += n;
            len -= (size_t)n;
        } else if (errno != EAGAIN && errno != EINTR) {
            return -errno;
        } else if (errno == EAGAIN && (err = wait_for(fd, POLLOUT, end))) {
            return err;
        }
    }
    return 0;
}

/* Until the newline or the end: the length, which the caller frees with *text.  step: bytes at a time; 1 reads nothing beyond it. */
static ssize_t read_line(int fd, char **text, size_t step, int64_t end)
{
    size_t len = 0, room = 0;

    *text = NULL;
    for (;;) {
        ssize_t n;
        int err;

        if (len == room) {
            char *bigger;

            room = room ? 2 * room : 4096;
            if (room > ANSWER_MAX)
                return -EPROTO;
            if (!(bigger = realloc(*text, room)))
                return -ENOMEM;
            *text = bigger;
        }
        n = recv(fd, *text + len, room - len < step ? room - len : step, 0);
        if (n == 0)
            return (ssize_t)len;
        if (n > 0) {
            char *newline = memchr(*text + len, '\n', (size_t)n);

            if (newline)
                return newline - *text;
            len += (size_t)n;
        } else if (errno != EAGAIN && errno != EINTR) {
            return -errno;
        } else if (errno == EAGAIN && (err = wait_for(fd, POLLIN, end))) {
            return err;
        }
    }
}

static int converse(int fd, json_t *request, size_t step, json_t **answer, char *why)
{
    int64_t end = clock_ns() + PATIENCE;
    char *out = json_dumps(request, JSON_COMPACT), *line = NULL, *in = NULL;
    json_error_t error;
    ssize_t n;
    int err = -ENOMEM;

    if (!out || asprintf(&line, "%s\n", out) < 0)
        goto out;
    if ((err = send_line(fd, line, end)))
        goto out;
    if ((n = read_line(fd, &in, step, end)) < 0) {
        err = (int)n;
        goto out;
    }
    *answer = json_loadb(in ? in : "", (size_t)n, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(*answer)) {
        err = -EPROTO;
        snprintf(why, WHY, n ? "the daemon's answer makes no sense: %s" : "the daemon hung up without an answer%.0s",
                 *answer ? "no object" : error.text);
    }
out:
    free(out);
    free(line);
    free(in);
    return err;
}

static int verdict(const json_t *request, const json_t *answer, char *why)
{
    const char *error = json_string_value(json_object_get(answer, "error"));
    const char *verb = json_string_value(json_object_get(request, "verb"));
    size_t len = verb ? strlen(verb) : 0;
    int err;

    if (json_is_true(json_object_get(answer, "ok")))
        return 0;
    err = json_is_true(json_object_get(answer, "denied")) ? -EACCES : -EREMOTEIO;
    /* "attach: no such …": our messages begin with the verb already. */
    if (error && verb && strncmp(error, verb, len) == 0 && strncmp(error + len, ": ", 2) == 0)
        error += len + 2;
    snprintf(why, WHY, "%s", error ? error : "the daemon refused without a reason");
    return err;
}

/* The control socket, or the one that only tells, for whom it is.  A descriptor or a negative errno. */
static int connect_to_daemon(int dirfd)
{
    int fd = unix_connect(dirfd, "control.sock", 0), status_fd;

    if (fd != -EACCES)
        return fd;
    status_fd = unix_connect(dirfd, "status.sock", 0);
    return status_fd < 0 ? fd : status_fd;
}

/* kept: where the connection goes if all is well; NULL: nowhere. */
static int ask(json_t *request, int *kept, json_t **answer, char why[WHY])
{
    const char *dir = run_dir();
    int dirfd = -1, fd = -1, err;

    *answer = NULL;
    why[0] = '\0';
    if ((dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        err = -errno;
    else if ((fd = connect_to_daemon(dirfd)) < 0)
        err = fd;
    else if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        err = -errno;
    else if (!(err = converse(fd, request, kept ? 1 : SIZE_MAX, answer, why)))
        err = verdict(request, *answer, why);

    if (fd < 0 && (err == -ENOENT || err == -ENOTDIR || err == -ECONNREFUSED)) {
        snprintf(why, WHY, "xvsd is not running: %s/control.sock %s; start it with 'systemctl start xvsd', or name its "
                 "directory with --run-dir", dir, err == -ECONNREFUSED ? "is a left-over" : "is not there");
        err = -ENOENT;
    } else if (fd < 0 && err == -ENOTSOCK) {
        snprintf(why, WHY, "xvsd is not running, and %s/control.sock is none of its sockets; remove it, and start xvsd", dir);
        err = -ENOENT;
    } else if (fd < 0 && err == -EACCES) {
        snprintf(why, WHY, "no permission for %s/control.sock; become root; to look on, the group that status_group in xvsd.conf(5) names is enough", dir);
    } else if (err == -ETIMEDOUT) {
        snprintf(why, WHY, "xvsd has not answered within %d s; see its journal", (int)(PATIENCE / SECOND));
    } else if (err && !why[0]) {
        snprintf(why, WHY, "cannot ask xvsd at %s/control.sock: %s", dir, errno_words(err));
    }
    if (err) {
        json_decref(*answer);
        *answer = NULL;
    }
    if (fd >= 0 && kept && !err && !fcntl(fd, F_SETFL, 0))
        *kept = fd;
    else if (fd >= 0)
        close(fd);
    if (dirfd >= 0)
        close(dirfd);
    json_decref(request);
    return err;
}

int control_ask(json_t *request, json_t **answer, char why[WHY])
{
    return ask(request, NULL, answer, why);
}

int control_begin(json_t *request, int *fd, json_t **answer, char why[WHY])
{
    return ask(request, fd, answer, why);
}

int control_status(int err)
{
    switch (-err) {
    case ENOENT:
    case ENXIO:
        return EXIT_ABSENT;
    case EACCES:
        return EXIT_DENIED;
    case ETIMEDOUT:
        return EXIT_TIME;
    case ECONNRESET:
    case EPIPE:
    case EPROTO:
        return EXIT_RESET;
    default:
        return EXIT_OTHER;
    }
}

/* SPDX-License-Identifier: MIT */
/* control.c: lines in and out; what they mean is in verbs.c. */
#include "control.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "list.h"

#define AGAIN_MS 5000u          /* after there were no descriptors left */

struct control {
    struct verbs_about *about;
    const struct rundir *rundir;
    struct loop *loop;
    struct source listener;
    struct alarm again;
    struct list clients;
    uint32_t count;
};

struct control_client {
    struct list link;
    struct control *control;
    struct source source;
    char *answer;               /* with its newline; NULL when there is none to be sent */
    size_t answer_len, answer_at;
    size_t len;
    char line[CONTROL_LINE];
};

static void drop(struct control_client *c)
{
    int fd = c->source.fd;

    source_remove(&c->control->loop->poller, &c->source);
    close(fd);
    list_remove(&c->link);
    source_change(&c->control->loop->poller, &c->control->listener, EPOLLIN);
    c->control->count--;
    free(c->answer);
    free(c);
}

/* False if the client is gone. */
static bool send_answer(struct control_client *c)
{
    while (c->answer && c->answer_at < c->answer_len) {
        ssize_t n = send(c->source.fd, c->answer + c->answer_at, c->answer_len - c->answer_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            source_change(&c->control->loop->poller, &c->source, EPOLLOUT);
            return true;
        }
        if (n < 0 && errno != EINTR) {
            drop(c);
            return false;
        }
        c->answer_at += n > 0 ? (size_t)n : 0;
    }
    free(c->answer);
    c->answer = NULL;
    source_change(&c->control->loop->poller, &c->source, EPOLLIN);
    return true;
}

static void answer(struct control_client *c, const char *line, size_t len)
{
    json_error_t error;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    json_t *reply = request ? verbs_run(c->control->about, request)
                            : json_pack("{s:b, s:s++}", "ok", 0, "error", "not a JSON object: ", error.text, "");
    char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;

    json_decref(request);
    json_decref(reply);
    if (!text)
        text = strdup("{\"ok\":false,\"error\":\"out of memory\"}");
    if (!text)
        return;
    c->answer_len = strlen(text);
    text[c->answer_len++] = '\n';       /* in place of the NUL: the length is what counts from here on */
    c->answer = text;
    c->answer_at = 0;
}

/* Answers the lines that are there, for as long as the client takes the answers. */
static void work(struct control_client *c)
{
    char *newline;

    while (!c->answer && (newline = memchr(c->line, '\n', c->len))) {
        size_t used = (size_t)(newline - c->line) + 1;

        answer(c, c->line, used - 1);
        memmove(c->line, c->line + used, c->len - used);
        c->len -= used;
        if (!send_answer(c))
            return;
    }
    if (!c->answer && c->len == sizeof c->line)
        drop(c);                /* longer than any line may be */
}

static void on_client(struct source *source, uint32_t events)
{
    struct control_client *c = container_of(source, struct control_client, source);
    ssize_t n;

    if (c->answer) {
        if (events & EPOLLERR)
            drop(c);
        else if (send_answer(c) && !c->answer)
            work(c);
        return;
    }
    n = recv(source->fd, c->line + c->len, sizeof c->line - c->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->len += (size_t)n;
    work(c);
}

static void on_listener(struct source *source, uint32_t events)
{
    struct control *control = container_of(source, struct control, listener);
    struct loop *loop = control->loop;
    int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct control_client *c;

    (void)events;
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) {
            loop_out_of_files(loop);
            source_change(&loop->poller, source, 0);    /* until a client leaves, or listen_again() */
            alarm_at(loop, &control->again, clock_deadline_ms(AGAIN_MS));
        }
        return;
    }
    c = malloc(sizeof *c);
    if (!c || source_add(&loop->poller, &c->source, fd, EPOLLIN, on_client)) {
        free(c);
        close(fd);
        return;
    }
    c->control = control;
    c->answer = NULL;
    c->len = 0;
    list_init(&c->link);
    list_append(&control->clients, &c->link);
    if (++control->count == CONTROL_CLIENTS)
        source_change(&loop->poller, source, 0);
}

static void listen_again(struct alarm *alarm, uint64_t now)
{
    struct control *control = container_of(alarm, struct control, again);

    (void)now;
    if (control->count < CONTROL_CLIENTS)
        source_change(&control->loop->poller, &control->listener, EPOLLIN);
}

int control_start(struct verbs_about *about, const struct rundir *rundir, struct control **out, char *why)
{
    struct control *control = calloc(1, sizeof *control);
    int fd, err;

    if (!control)
        return -ENOMEM;
    control->about = about;
    control->rundir = rundir;
    control->loop = about->registry->loop;
    list_init(&control->clients);
    alarm_init(&control->again, listen_again);
    if ((fd = rundir_listen(rundir, "control.sock", why)) < 0) {
        free(control);
        return fd;
    }
    if ((err = source_add(&control->loop->poller, &control->listener, fd, EPOLLIN, on_listener))) {
        close(fd);
        free(control);
        return err;
    }
    *out = control;
    return 0;
}

void control_stop(struct control *control)
{
    int fd;

    if (!control)
        return;
    while (!list_is_empty(&control->clients))
        drop(container_of(control->clients.next, struct control_client, link));
    alarm_stop(&control->again);
    fd = control->listener.fd;
    source_remove(&control->loop->poller, &control->listener);
    close(fd);
    unlinkat(control->rundir->fd, "control.sock", 0);
    free(control);
}

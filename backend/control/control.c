/* SPDX-License-Identifier: MIT */
/* control.c: lines in and out; what they mean is in verbs.c. */
#include "control.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "clock.h"
#include "events.h"
#include "list.h"
#include "verbs.h"

#define CAPTURE_PIECE (256u << 10)     /* bytes of a capture, or of events, in one round */
#define AGAIN_MS 5000u          /* after there were no descriptors left */

struct control {
    struct worker *worker;
    struct loop *loop;
    bool tells_only;
    struct source listener;
    struct alarm again;
    struct list clients;
    uint32_t count;
};

struct control_client {
    struct list link;
    struct control *control;
    struct source source;
    uint32_t asked;             /* the question to the keeper whose answer it waits for, 0 for none, */
    struct alarm in_time;       /* …but not longer */
    char *answer;               /* with its newline; NULL when there is none to be sent */
    size_t answer_len, answer_at;
    struct tap *tap;            /* it captures, from when the answer is gone on; or NULL */
    bool ending, ended;         /* …no longer; and the last record is in the tap */
    struct subscription *events;        /* it hears events, likewise */
    size_t len;
    char line[CONTROL_LINE];
};

static void drop(struct control_client *c)
{
    int fd = c->source.fd;

    source_remove(&c->control->loop->poller, &c->source);
    close(fd);
    alarm_stop(&c->in_time);
    list_remove(&c->link);
    source_change(&c->control->loop->poller, &c->control->listener, EPOLLIN);
    c->control->count--;
    free(c->answer);
    capture_over(c->control->worker, c->tap);
    events_over(c->events);
    free(c);
}

/* What the client takes of this at once: bytes, 0 for none; or -1: it is gone. */
static ssize_t send_now(struct control_client *c, const void *bytes, size_t len)
{
    ssize_t n;

    do
        n = send(c->source.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n < 0)
        drop(c);
    return n;
}

/* False if the client is gone. */
static bool send_answer(struct control_client *c)
{
    while (c->answer && c->answer_at < c->answer_len) {
        ssize_t n = send_now(c, c->answer + c->answer_at, c->answer_len - c->answer_at);

        if (n < 0)
            return false;
        if (n == 0) {
            source_change(&c->control->loop->poller, &c->source, EPOLLOUT);
            return true;
        }
        c->answer_at += (size_t)n;
    }
    free(c->answer);
    c->answer = NULL;
    source_change(&c->control->loop->poller, &c->source, EPOLLIN);
    return true;
}

/* ---- captures ---- */

static uint64_t wall_clock(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void wait_to_capture(struct control_client *c)
{
    source_change(&c->control->loop->poller, &c->source, (c->ending ? 0u : EPOLLIN) | (c->tap->used ? EPOLLOUT : 0u));
}

static void on_filled(struct tap *t)
{
    struct control_client *c = t->owner;

    if (!c->answer)
        wait_to_capture(c);
}

/* No packet comes any more; what is there is still sent. */
static void end_capture(struct control_client *c)
{
    tap_leave(c->tap);
    c->ending = true;
    c->ended = tap_end(c->tap, wall_clock());   /* else when there is room */
}

static void on_gone(struct tap *t)
{
    end_capture(t->owner);
}

static void begin_capture(struct control_client *c, struct tap *t)
{
    c->tap = t;
    t->owner = c;
    t->filled = on_filled;
    t->gone = on_gone;
}

/* Sends what is there, as far as the client takes it and others need not wait. */
static void send_records(struct control_client *c)
{
    struct tap *t = c->tap;
    const void *bytes;
    size_t len, sent = 0;

    while (sent < CAPTURE_PIECE && (len = tap_peek(t, &bytes))) {
        ssize_t n = send_now(c, bytes, len < CAPTURE_PIECE ? len : CAPTURE_PIECE);

        if (n < 0)
            return;
        if (n == 0)
            break;
        tap_taken(t, (size_t)n);
        sent += (size_t)n;
        if (c->ending && !c->ended)
            c->ended = tap_end(t, wall_clock());
    }
    if (c->ended && !t->used)
        drop(c);
    else
        wait_to_capture(c);
}

/* The client's end of what it says is the end of the capture; what it says is of no interest. */
static void on_capturing(struct control_client *c, uint32_t events)
{
    ssize_t n = 1;

    if (events & (EPOLLERR | EPOLLHUP)) {
        drop(c);
        return;
    }
    if (events & EPOLLIN)
        n = recv(c->source.fd, c->line, sizeof c->line, MSG_DONTWAIT);
    if (n == 0 && !c->ending)
        end_capture(c);
    send_records(c);
}

/* ---- events ---- */

static void wait_for_events(struct control_client *c)
{
    source_change(&c->control->loop->poller, &c->source, EPOLLIN | (c->events->used ? EPOLLOUT : 0u));
}

static void on_event(struct subscription *s)
{
    struct control_client *c = s->owner;

    if (!c->answer)
        wait_for_events(c);
}

static void begin_events(struct control_client *c, struct subscription *s)
{
    c->events = s;
    s->owner = c;
    s->filled = on_event;
}

/* As with a capture; but a client that says no more wants no more. */
static void on_subscribed(struct control_client *c, uint32_t events)
{
    struct subscription *s = c->events;
    const char *bytes;
    size_t len, sent = 0;

    if (events & (EPOLLERR | EPOLLHUP) || (events & EPOLLIN && recv(c->source.fd, c->line, sizeof c->line, MSG_DONTWAIT) == 0)) {
        drop(c);
        return;
    }
    while (sent < CAPTURE_PIECE && (len = events_peek(s, &bytes))) {
        ssize_t n = send_now(c, bytes, len);

        if (n < 0)
            return;
        if (n == 0)
            break;
        events_taken(s, (size_t)n);
        sent += (size_t)n;
    }
    wait_for_events(c);
}

/* ---- answers ---- */

/* Takes the reference. */
static void set_answer(struct control_client *c, json_t *reply)
{
    char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;

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

static void answer(struct control_client *c, const char *line, size_t len)
{
    json_error_t error;
    struct verbs_after after = { .tap = NULL };
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    json_t *reply = request ? verbs_run(c->control->worker, request, c->control->tells_only, &c->asked, &after)
                            : json_pack("{s:b, s:s++}", "ok", 0, "error", "not a JSON object: ", error.text, "");

    json_decref(request);
    if (after.tap)
        begin_capture(c, after.tap);
    if (after.events)
        begin_events(c, after.events);
    if (!c->asked) {
        set_answer(c, reply);
        return;
    }
    source_change(&c->control->loop->poller, &c->source, 0);
    alarm_at(c->control->loop, &c->in_time, clock_deadline_ms(CONTROL_ASK_MS));
}

/* Answers the lines that are there, for as long as the client takes the answers. */
static void work(struct control_client *c)
{
    char *newline;

    while (!c->asked && !c->answer && !c->tap && !c->events && (newline = memchr(c->line, '\n', c->len))) {
        size_t used = (size_t)(newline - c->line) + 1;

        answer(c, c->line, used - 1);
        memmove(c->line, c->line + used, c->len - used);
        c->len -= used;
        if (!c->asked && !send_answer(c))
            return;
    }
    if (c->tap && !c->answer)
        wait_to_capture(c);
    else if (c->events && !c->answer)
        wait_for_events(c);
    else if (!c->asked && !c->answer && c->len == sizeof c->line)
        drop(c);                /* longer than any line may be */
}

/* What was asked for has come. */
static void go_on(struct control_client *c, json_t *reply)
{
    c->asked = 0;
    alarm_stop(&c->in_time);
    set_answer(c, reply);
    if (send_answer(c))
        work(c);
}

static void on_late(struct alarm *alarm, uint64_t now)
{
    struct control_client *c = container_of(alarm, struct control_client, in_time);

    (void)now;
    go_on(c, verbs_answer(c->control->worker, NULL));
}

void control_answered(struct control *control, const struct wall_msg *m)
{
    for (struct list *l = control->clients.next; l != &control->clients; l = l->next) {
        struct control_client *c = container_of(l, struct control_client, link);

        if (c->asked && c->asked == m->answer.request) {
            go_on(c, verbs_answer(control->worker, m));
            return;
        }
    }
}

static void on_client(struct source *source, uint32_t events)
{
    struct control_client *c = container_of(source, struct control_client, source);
    ssize_t n;

    if (c->asked) {
        if (events & (EPOLLERR | EPOLLHUP))
            drop(c);
        return;
    }
    if (c->answer) {
        if (events & EPOLLERR)
            drop(c);
        else if (send_answer(c) && !c->answer)
            work(c);
        return;
    }
    if (c->tap) {
        on_capturing(c, events);
        return;
    }
    if (c->events) {
        on_subscribed(c, events);
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
    c->tap = NULL;
    c->events = NULL;
    c->ending = c->ended = false;
    c->asked = 0;
    c->len = 0;
    alarm_init(&c->in_time, on_late);
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

int control_start(struct worker *w, int fd, bool tells_only, struct control **out)
{
    struct control *control = calloc(1, sizeof *control);
    int err = control ? 0 : -ENOMEM;

    if (!err) {
        control->worker = w;
        control->loop = w->loop;
        control->tells_only = tells_only;
        list_init(&control->clients);
        alarm_init(&control->again, listen_again);
        err = source_add(&w->loop->poller, &control->listener, fd, EPOLLIN, on_listener);
    }
    if (err) {
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
    free(control);
}

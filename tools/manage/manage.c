/* SPDX-License-Identifier: MIT */
/* manage.c: see manage.h. */
#include "manage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "channel.h"
#include "cpus.h"
#include "freeze.h"
#include "handler.h"
#include "json.h"
#include "list.h"
#include "memory.h"
#include "say.h"

static const struct handler *const handlers[] = { &handler_cpus, &handler_set_cpus, &handler_memory, &handler_freeze };
#define HANDLERS (sizeof handlers / sizeof *handlers)

/* ---- waiting ---- */

struct session {
    struct lines lines;
    struct channel_fds channel;
};

static volatile sig_atomic_t told;      /* the number of a signal that wants us to end */

static void hear_signal(int number)
{
    told = number;
}

/* Signals come within this call alone, so none can be missed. */
static int wait_until(struct lines *l, bool writes, int64_t until)
{
    const struct session *s = container_of(l, struct session, lines);
    struct pollfd polls[] = { { .fd = s->channel.in, .events = POLLIN }, { .fd = writes ? s->channel.out : -1, .events = POLLOUT } };
    int64_t left = until - clock_ns();
    struct timespec time = { .tv_sec = left / SECOND, .tv_nsec = left % SECOND };
    sigset_t none;

    if (left <= 0)
        return -ETIMEDOUT;
    sigemptyset(&none);
    if (!told && ppoll(polls, 2, &time, &none) < 0 && errno != EINTR)
        return -errno;
    return told ? -EINTR : 0;
}

static void listen_to_signals(void)
{
    static const int numbers[] = { SIGHUP, SIGTERM, SIGINT };
    const struct sigaction a = { .sa_handler = hear_signal };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaddset(&set, numbers[i]);
        sigaction(numbers[i], &a, NULL);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- requests ---- */

static bool is_known(const struct handler *h, const json_t *request, char why[LINES_WHY])
{
    const char *names[8] = { "request" };
    char reason[JSON_WHY];

    for (size_t i = 0; h->words[i] && i < 6; i++)
        names[i + 1] = h->words[i];
    if (json_knows(request, names, reason))
        return true;
    snprintf(why, LINES_WHY, "%s: %s", h->name, reason);
    return false;
}

static int serve(struct lines *l, const json_t *request, json_t **answer, char why[LINES_WHY])
{
    const char *name = json_string_value(json_object_get(request, "request"));

    for (size_t i = 0; name && i < HANDLERS; i++)
        if (strcmp(handlers[i]->name, name) == 0)
            return is_known(handlers[i], request, why) ? handlers[i]->run(l, request, answer, why) : -EINVAL;
    snprintf(why, LINES_WHY, name ? "this agent knows no request '%.60s'; is it older than who asks?" : "no request's name in it", name);
    return -EOPNOTSUPP;
}

static json_t *refusal(int err, const char *why)
{
    const char *name = strerrorname_np(-err);

    return json_pack("{s:o, s:s}", "error", json_words(why[0] ? why : strerror(-err)), "errno", name ? name : "EIO");
}

int manage_talk(struct lines *l, const char *argument)
{
    json_t *request, *answer;
    int err = 0;

    while (!err) {
        char why[LINES_WHY] = "";

        answer = NULL;
        if ((err = lines_hear(l, INT64_MAX, &request, why)) && err != -EPROTO)
            break;              /* the caller has gone */
        if (!err && argument) {
            err = -EINVAL;
            snprintf(why, sizeof why, "this service takes no argument");
        }
        if (!err)
            err = serve(l, request, &answer, why);
        json_decref(request);
        if (err || answer)
            err = lines_send(l, err ? refusal(err, why) : answer, clock_ns() + HANDLER_PATIENCE);
    }
    return err;
}

int manage_run(int in, int out, const char *argument)
{
    struct session s = { 0 };

    listen_to_signals();
    /* Ours alone: the agent has the other end.  Else a read would wait longer than it may. */
    if (fcntl(in, F_SETFL, O_NONBLOCK) < 0 || fcntl(out, F_SETFL, O_NONBLOCK) < 0)
        return 1;
    channel_fds(&s.channel, in, out);
    lines_init(&s.lines, &s.channel.channel, wait_until);
    manage_talk(&s.lines, argument);
    lines_free(&s.lines);
    return 0;
}

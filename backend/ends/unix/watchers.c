/* SPDX-License-Identifier: MIT */
/* watchers.c: see watchers.h. */
#include "watchers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge.h"
#include "farewell.h"

struct watcher {
    struct list link;           /* in the watchers of its stream, or of a farewell */
    struct source source;
    struct xvsd *x;
    struct account *account;    /* to which its descriptor is counted: its stream's, or its farewell's */
    struct stream *stream;      /* NULL once its device is gone */
    bool vouches;
    bool said_end;
    uint8_t heard;              /* bytes of "END\n" */
};

static struct watcher *watcher_at(struct list *link)
{
    return container_of(link, struct watcher, link);
}

/* The socket is new, or has been read: it takes a line. */
static void say(int fd, const char *line, int len)
{
    (void)!send(fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void forget(struct watcher *w)
{
    int fd = w->source.fd;

    source_remove(&w->x->poller, &w->source);
    close(fd);
    account_give_file(w->account);
    list_remove(&w->link);
    if (w->stream)
        w->stream->device->fates.watchers--;
    free(w);
}

/* Reads "END\n", in whatever pieces: false if it is something else.  What comes behind it is left where it is. */
static bool hear_end(struct watcher *w)
{
    static const char word[] = "END\n";
    char piece[sizeof word];
    ssize_t n;

    if (w->said_end || (n = recv(w->source.fd, piece, sizeof word - 1 - w->heard, MSG_DONTWAIT)) <= 0)
        return true;
    if (memcmp(piece, word + w->heard, (size_t)n))
        return false;
    w->heard = (uint8_t)(w->heard + n);
    w->said_end = w->heard == sizeof word - 1;
    return true;
}

static void on_watcher(struct source *source, uint32_t events)
{
    struct watcher *w = container_of(source, struct watcher, source);
    struct stream *s = w->stream;
    bool said_end = w->said_end, stays;

    stays = (!(events & EPOLLIN) || !w->vouches || hear_end(w)) && !(events & (EPOLLHUP | EPOLLERR));
    if (w->said_end && !said_end && s)
        bridge_may_end(s);
    if (stays)
        return;
    said_end = w->vouches;
    forget(w);
    if (said_end && s)
        bridge_abandoned(s);
}

static uint32_t count(const struct list *watchers)
{
    uint32_t n = 0;

    for (struct list *l = watchers->next; l != watchers; l = l->next)
        n++;
    return n;
}

static int wait_for(struct device *d, int fd, struct list *watchers, struct stream *s, bool vouches)
{
    struct watcher *w;
    int err;

    if (count(watchers) >= WATCHERS_MOST || d->fates.watchers >= d->x->settings->max_connections)
        return -EUSERS;
    if (!(w = calloc(1, sizeof *w)))
        return -ENOMEM;
    *w = (struct watcher){ .x = d->x, .account = d->account, .stream = s, .vouches = vouches };
    if ((err = source_add(&d->x->poller, &w->source, fd, EPOLLIN | EPOLLET, on_watcher))) {
        free(w);
        return err;
    }
    list_init(&w->link);
    list_append(watchers, &w->link);
    if (s)
        d->fates.watchers++;
    return 0;
}

void watchers_add(struct device *d, int fd, uint32_t number, bool vouches)
{
    struct fate *fate = fates_find(&d->fates, number);
    struct stream *s = fate ? container_of(fate, struct stream, fate) : NULL;
    struct list *watchers = s ? &s->fate.watchers : farewell_watchers(d, number);
    char line[FATE_LINE];
    enum fate_end end;
    int len;

    if (watchers) {
        len = snprintf(line, sizeof line, "WATCHING %u\n", number);
        if (!wait_for(d, fd, watchers, s, vouches)) {
            if (s && vouches)
                s->holds = true;
            say(fd, line, len);
            return;
        }
        len = 0;
    } else if (!fates_recall(&d->fates, number, &end)) {
        len = fate_line(line, number, end);
    } else {
        len = snprintf(line, sizeof line, "UNKNOWN %u\n", number);
    }
    say(fd, line, len);
    close(fd);
    account_give_file(d->account);
}

bool watchers_vouch(const struct list *watchers)
{
    for (struct list *l = watchers->next; l != watchers; l = l->next)
        if (watcher_at(l)->vouches)
            return true;
    return false;
}

void watchers_pass(struct list *from, struct list *to)
{
    struct list *link;

    while ((link = list_take(from))) {
        struct watcher *w = watcher_at(link);

        w->stream->device->fates.watchers--;
        w->stream = NULL;
        list_append(to, link);
    }
}

void watchers_tell(struct list *watchers, uint32_t number, enum fate_end end)
{
    char line[FATE_LINE];
    int len = fate_line(line, number, end);

    while (!list_is_empty(watchers)) {
        struct watcher *w = watcher_at(watchers->next);

        say(w->source.fd, line, len);
        forget(w);
    }
}

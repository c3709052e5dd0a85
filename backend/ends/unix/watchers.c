/* SPDX-License-Identifier: MIT */
/* watchers.c: see watchers.h. */
#include "watchers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE 32u                /* "RESET <reason>\n" is shorter */

struct watcher {
    struct list link;           /* in watched.list */
    struct source source;
    struct poller *poller;
    struct account *account;    /* to which its descriptor is counted */
    struct watched *watched;
    struct fates *fates;        /* where it is counted; NULL for what is left of a stream: its device may be gone */
    bool vouches;
    bool said_end, said_reset;
    uint8_t heard;              /* bytes of its line */
    char line[LINE];
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

    source_remove(w->poller, &w->source);
    close(fd);
    account_give_file(w->account);
    list_remove(&w->link);
    if (w->fates)
        w->fates->watchers--;
    free(w);
}

/* Whether a line can become "END\n" or "RESET <reason>\n". */
static bool is_ours(const char *line, size_t len)
{
    static const char *const words[] = { "END\n", "RESET " };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!memcmp(line, words[i], len < strlen(words[i]) ? len : strlen(words[i])))
            return true;
    return false;
}

/* Takes one line out of what has been heard; false if it is none. */
static bool take_line(struct watcher *w, size_t len, struct reason *why)
{
    w->line[len] = '\0';
    if (w->line[0] == 'E') {
        w->said_end = true;
    } else {
        w->said_reset = reason_parse(w->line + strlen("RESET "), why);
        *why = reason_of_guest(*why);           /* nor does a host program speak for the daemon */
    }
    w->heard = (uint8_t)(w->heard - (len + 1));
    memmove(w->line, w->line + len + 1, w->heard);
    return w->said_end || w->said_reset;
}

/* Reads its lines, in whatever pieces: false if there is one that is none.  Behind a RESET nothing is of interest. */
static bool hear(struct watcher *w, struct reason *why)
{
    const char *newline;
    ssize_t n;

    if (w->said_reset || (n = recv(w->source.fd, w->line + w->heard, LINE - w->heard, MSG_DONTWAIT)) <= 0)
        return true;
    w->heard = (uint8_t)(w->heard + n);
    while (!w->said_reset && (newline = memchr(w->line, '\n', w->heard)))
        if (!is_ours(w->line, w->heard) || !take_line(w, (size_t)(newline - w->line), why))
            return false;
    return w->said_reset || (w->heard < LINE && is_ours(w->line, w->heard));
}

static void on_watcher(struct source *source, uint32_t events)
{
    struct watcher *w = container_of(source, struct watcher, source);
    struct watched *watched = w->watched;
    bool said_end = w->said_end, said_reset = w->said_reset, stays, vouches = w->vouches;
    struct reason why;

    stays = (!(events & EPOLLIN) || !vouches || hear(w, &why)) && !(events & (EPOLLHUP | EPOLLERR));
    if (w->said_end && !said_end && watched->kind)
        watched->kind->said_end(watched);
    if (w->said_reset && !said_reset && watched->kind)
        watched->kind->said_reset(watched, why);
    if (stays)
        return;
    said_reset = w->said_reset;
    forget(w);
    if (vouches && !said_reset && watched->kind)
        watched->kind->abandoned(watched);
}

static uint32_t count(const struct list *watchers)
{
    uint32_t n = 0;

    for (struct list *l = watchers->next; l != watchers; l = l->next)
        n++;
    return n;
}

static int wait_for(struct hostside *host, int fd, struct watched *watched, bool vouches)
{
    struct lane *lane = host->lane;
    struct poller *poller = &host->all->loop->poller;
    struct watcher *w;
    int err;

    if (count(&watched->list) >= WATCHERS_MOST || host->fates.watchers >= lane->limits.given.max_connections)
        return -EUSERS;
    if (!(w = calloc(1, sizeof *w)))
        return -ENOMEM;
    *w = (struct watcher){ .poller = poller, .account = lane->account, .watched = watched, .vouches = vouches };
    if ((err = source_add(poller, &w->source, fd, EPOLLIN | EPOLLET, on_watcher))) {
        free(w);
        return err;
    }
    list_init(&w->link);
    list_append(&watched->list, &w->link);
    if (watched->kind) {
        w->fates = &host->fates;
        host->fates.watchers++;
        if (vouches)
            watched->kind->vouched(watched);
    }
    return 0;
}

bool watchers_take_place(struct hostside *host, uint32_t number)
{
    struct fate *fate = fates_find(&host->fates, number);

    return fate && fate->watched.kind && fate->watched.kind->gives_place(&fate->watched);
}

void watchers_add(struct hostside *host, int fd, uint32_t number, bool vouches)
{
    struct fate *fate = fates_find(&host->fates, number);
    char line[ENDED_LINE];
    struct reason reason;
    enum fate_end end;
    int len = 0;

    if (fate && !wait_for(host, fd, &fate->watched, vouches)) {
        say(fd, line, snprintf(line, sizeof line, "WATCHING %u\n", number));
        return;
    }
    if (!fate && !fates_recall(&host->fates, number, &end, &reason))
        len = fate_line(line, number, end, reason);
    else if (!fate)
        len = snprintf(line, sizeof line, "UNKNOWN %u\n", number);
    say(fd, line, len);
    close(fd);
    account_give_file(host->lane->account);
}

bool watchers_vouch(const struct watched *watched)
{
    for (struct list *l = watched->list.next; l != &watched->list; l = l->next)
        if (watcher_at(l)->vouches)
            return true;
    return false;
}

void watchers_pass(struct watched *from, struct watched *to)
{
    struct list *link;

    while ((link = list_take(&from->list))) {
        struct watcher *w = watcher_at(link);

        if (w->fates)
            w->fates->watchers--;
        w->fates = NULL;
        w->watched = to;
        list_append(&to->list, link);
    }
}

void watchers_tell(struct watched *watched, uint32_t number, enum fate_end end, struct reason reason)
{
    char line[ENDED_LINE];
    int len = fate_line(line, number, end, reason);

    while (!list_is_empty(&watched->list)) {
        struct watcher *w = watcher_at(watched->list.next);

        say(w->source.fd, line, len);
        forget(w);
    }
}

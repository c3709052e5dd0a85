/* SPDX-License-Identifier: MIT */
/* book.c: see book.h. */
#include "book.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "line.h"

#define SAID 32u                /* bytes: "RESET <reason>\n" is shorter */

struct watcher {
    struct list link;
    struct watch watch;
    struct book *book;
    struct entry *entry;
    struct holder *holder;
    bool vouches, said_end, said_reset;
    struct line line;
};

static struct watcher *watcher_at(struct list *link)
{
    return container_of(link, struct watcher, link);
}

void book_begin(struct book *b, struct loop *l, struct holders *holders)
{
    *b = (struct book){ .loop = l, .holders = holders, .past.most = BOOK_PAST };
    list_init(&b->all);
}

void book_free(struct book *b)
{
    ended_free(&b->past);
}

/* ---- numbers ---- */

static struct entry *find(struct book *b, uint32_t number)
{
    for (struct list *l = b->all.next; l != &b->all; l = l->next)
        if (container_of(l, struct entry, link)->number == number)
            return container_of(l, struct entry, link);
    return NULL;
}

uint32_t book_number(struct book *b)
{
    uint32_t number;

    do
        if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
            number = (uint32_t)rand();
    while (!number || find(b, number) || ended_recall(&b->past, number));
    return number;
}

void entry_open(struct book *b, struct entry *e, uint32_t number)
{
    e->number = number;
    list_init(&e->watchers);
    list_append(&b->all, &e->link);
}

/* ---- what they are told ---- */

/* The socket is new, or has been read: it takes a line. */
static void tell(int fd, const char *line, int len)
{
    (void)!send(fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int end_line(char line[ENDED_LINE], uint32_t number, enum book_end end, struct reason reason)
{
    static const char *const hows[] = {
#define X(name, word, text) [BOOK_##name] = word text,
        BOOK_ENDS(X)
#undef X
    };

    return ended_line(line, number, hows[end], reason);
}

static void forget(struct watcher *w)
{
    watch_drop(w->book->loop, &w->watch);
    close(w->watch.fd);
    holder_give(w->book->holders, w->holder);
    list_remove(&w->link);
    free(w);
}

void entry_end(struct book *b, struct entry *e, enum book_end end, struct reason reason)
{
    char line[ENDED_LINE];
    int len = end_line(line, e->number, end, reason);

    while (!list_is_empty(&e->watchers)) {
        struct watcher *w = watcher_at(e->watchers.next);

        tell(w->watch.fd, line, len);
        forget(w);
    }
    list_remove(&e->link);
    ended_note(&b->past, (struct ended){ e->number, e->uid, (uint8_t)end, reason });
}

/* ---- what they say ---- */

/* False: that is no word of ours. */
static bool obey(struct watcher *w)
{
    struct entry *e = w->entry;
    struct reason why = REASON(NONE);

    if (strcmp(w->line.text, "END") == 0) {
        w->said_end = true;
        e->kind->said_end(e);
        return true;
    }
    if (strncmp(w->line.text, "RESET ", 6) != 0 || !reason_parse(w->line.text + 6, &why))
        return false;
    w->said_reset = true;
    e->kind->said_reset(e, reason_of_guest(why));
    return true;
}

static bool has_gone(int fd)
{
    struct pollfd p = { .fd = fd };

    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

/* It hears of one event, and of the next one by itself. */
static void heard(struct watch *watch)
{
    struct watcher *w = container_of(watch, struct watcher, watch);
    struct entry *e = w->entry;
    bool vouches = w->vouches, gone = has_gone(watch->fd);
    int got = 0;

    if (vouches && !w->said_reset)
        while ((got = line_read(&w->line, watch->fd, SAID)) > 0) {
            if (!obey(w)) {
                got = -EINVAL;
                break;
            }
            memset(&w->line, 0, sizeof w->line);
            if (w->said_reset)
                break;
        }
    if (!gone && (got >= 0 || got == -ECONNRESET)) {
        watch->want = got == -ECONNRESET || !vouches || w->said_reset ? POLLHUP : POLLIN;
        return;
    }
    vouches &= !w->said_reset;
    forget(w);
    if (vouches)
        e->kind->abandoned(e);
}

static unsigned count(const struct list *all)
{
    unsigned n = 0;

    for (const struct list *l = all->next; l != all; l = l->next)
        n++;
    return n;
}

static bool join(struct book *b, int fd, struct holder *holder, struct entry *e, bool vouches)
{
    struct watcher *w = count(&e->watchers) < BOOK_MOST ? calloc(1, sizeof *w) : NULL;
    char line[ENDED_LINE];

    if (!w)
        return false;
    w->book = b;
    w->entry = e;
    w->holder = holder;
    w->vouches = vouches;
    watch_add(b->loop, &w->watch, fd, heard);
    w->watch.want = vouches ? POLLIN : POLLHUP;
    list_append(&e->watchers, &w->link);
    tell(fd, line, snprintf(line, sizeof line, "WATCHING %u\n", e->number));
    if (vouches)
        e->kind->vouched(e);
    return true;
}

void book_ask(struct book *b, int fd, struct holder *holder, uint32_t number, bool vouches)
{
    struct entry *e = number ? find(b, number) : NULL;
    const struct ended *past = number && !e ? ended_recall(&b->past, number) : NULL;
    char line[ENDED_LINE];

    if (e && holder->uid != 0 && holder->uid != e->uid)
        e = NULL;
    if (past && holder->uid != 0 && holder->uid != past->uid)
        past = NULL;
    if (e && join(b, fd, holder, e, vouches))
        return;
    if (past)
        tell(fd, line, end_line(line, number, (enum book_end)past->end, past->reason));
    else if (!e)
        tell(fd, line, snprintf(line, sizeof line, "UNKNOWN %u\n", number));
    close(fd);
    holder_give(b->holders, holder);
}

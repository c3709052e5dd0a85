/* SPDX-License-Identifier: MIT */
/* from.c: see from.h. */
#include "from.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "line.h"
#include "say.h"

struct from_caller {
    struct list link;
    struct from *from;
    struct watch watch;
    struct timer timer;
    struct line line;
    struct from_line who;
};

/* Takes the next word off: NULL if there is none. */
static char *next_word(char **rest)
{
    char *word = strsep(rest, " ");

    return word && *word ? word : NULL;
}

/* The daemon writes no other; what else somebody may write is to be no path, and nothing that a shell or a terminal obeys. */
static bool is_name(const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-:";
    size_t len = strlen(name);

    return len < FROM_NAME && *name != '.' && strspn(name, good) == len;
}

bool from_parse(const char *text, struct from_line *line)
{
    char copy[LINE_MOST + 1], *rest = copy, *word, *cid, *port, *name;
    uint64_t number;

    if (strlen(text) > LINE_MOST)
        return false;
    strcpy(copy, text);
    word = next_word(&rest);
    cid = next_word(&rest);
    port = next_word(&rest);
    name = next_word(&rest);
    if (!word || strcmp(word, "FROM") != 0 || !cid || !port || !name || rest || !is_name(name) ||
        !parse_number(cid, UINT32_MAX, &line->cid) || !parse_number(port, UINT32_MAX, &number))
        return false;
    line->port = (uint32_t)number;
    strcpy(line->name, name);
    return true;
}

/* ---- callers ---- */

static struct from_caller *caller_at(struct list *l)
{
    return container_of(l, struct from_caller, link);
}

/* Its descriptor is the caller's. */
static int let_go(struct from_caller *c)
{
    int fd = c->watch.fd;

    watch_drop(c->from->loop, &c->watch);
    timer_drop(&c->timer);
    list_remove(&c->link);
    c->from->count--;
    free(c);
    return fd;
}

/* Where there was no room for more, there is now. */
static void refuse(struct from_caller *c)
{
    struct from *f = c->from;
    bool was_full = from_is_full(f);

    close(let_go(c));
    if (was_full)
        f->ready(f->arg);
}

static void too_late(struct timer *t)
{
    refuse(container_of(t, struct from_caller, timer));
}

static void said(struct watch *w)
{
    struct from_caller *c = container_of(w, struct from_caller, watch);
    int got = line_read(&c->line, w->fd, LINE_MOST);

    if (got == 0) {
        w->want = POLLIN;
    } else if (got < 0 || !from_parse(c->line.text, &c->who)) {
        refuse(c);
    } else {
        timer_drop(&c->timer);
        list_remove(&c->link);
        list_append(&c->from->come, &c->link);
        c->from->ready(c->from->arg);
    }
}

void from_init(struct from *f, struct loop *l, void (*ready)(void *arg), void *arg)
{
    *f = (struct from){ .loop = l, .ready = ready, .arg = arg };
    list_init(&f->coming);
    list_init(&f->come);
}

void from_close(struct from *f)
{
    while (!list_is_empty(&f->coming))
        close(let_go(caller_at(f->coming.next)));
    while (!list_is_empty(&f->come))
        close(let_go(caller_at(f->come.next)));
}

int from_add(struct from *f, int fd)
{
    struct from_caller *c = calloc(1, sizeof *c);

    if (!c)
        return -ENOMEM;
    c->from = f;
    list_init(&c->link);
    list_append(&f->coming, &c->link);
    f->count++;
    watch_add(f->loop, &c->watch, fd, said);
    c->watch.want = POLLIN;
    timer_set(f->loop, &c->timer, clock_ns() + FROM_PATIENCE, too_late);
    return 0;
}

int from_take(struct from *f, struct from_line *line)
{
    struct from_caller *c = list_is_empty(&f->come) ? NULL : caller_at(f->come.next);

    if (!c)
        return -EAGAIN;
    *line = c->who;
    return let_go(c);
}

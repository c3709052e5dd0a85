/* SPDX-License-Identifier: MIT */
/* labour.c: see labour.h. */
#include "labour.h"

#include <errno.h>
#include <string.h>

#include "ends.h"
#include "spawn.h"
#include "xvsd.h"

struct program {
    struct loop loop;
    struct labour labour;
};

static struct labour *labour_of(struct worker *w)
{
    return container_of(w, struct labour, worker);
}

static void on_answered(struct worker *w, const struct wall_msg *m)
{
    if (labour_of(w)->control)
        control_answered(labour_of(w)->control, m);
}

static void on_over(struct worker *w, const char *why)
{
    labour_of(w)->is_over = true;
    labour_of(w)->why = why;
}

static void on_control(struct worker *w, int fd, bool tells_only)
{
    struct control **control = tells_only ? &labour_of(w)->status : &labour_of(w)->control;
    int err = fd < 0 || *control ? -EMFILE : control_start(w, fd, tells_only, control);

    if (err)
        on_over(w, strerror(-err));
}

int labour_begin(struct labour *l, struct loop *loop, int fd)
{
    *l = (struct labour){ .worker = { .control = on_control, .answered = on_answered, .over = on_over } };
    return worker_open(&l->worker, loop, ends, fd);
}

void labour_end(struct labour *l)
{
    control_stop(l->control);
    control_stop(l->status);
    worker_close(&l->worker);
    *l = (struct labour){ 0 };
}

/* ---- as a program ---- */

static bool chores(struct loop *loop)
{
    loop->is_over |= container_of(loop, struct program, loop)->labour.is_over;
    return false;
}

int labour_main(const char *user, const char *dir)
{
    struct program p = { .loop.begun = false };
    int err;

    spawned("xvsd-worker");
    if ((err = loop_init(&p.loop)) || (err = labour_begin(&p.labour, &p.loop, WALL_FD))) {
        journal(JOURNAL_ERROR, "the worker cannot begin: %s", strerror(-err));
    } else if (!user || !(err = spawn_give_up(user, dir))) {
        loop_run(&p.loop, chores);
        if (p.labour.why)
            journal(JOURNAL_ERROR, "the worker ends: %s", p.labour.why);
        err = p.labour.why != NULL;
    }
    labour_end(&p.labour);
    loop_close(&p.loop);
    return err ? 1 : 0;
}

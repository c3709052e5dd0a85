/* SPDX-License-Identifier: MIT */
/* dialling.c: the dialer (dialer.h) as a program. */
#include <string.h>

#include "dialer.h"
#include "journal.h"
#include "spawn.h"
#include "xvsd.h"

struct program {
    struct loop loop;
    struct dialer dialer;
};

static bool chores(struct loop *loop)
{
    loop->is_over |= container_of(loop, struct program, loop)->dialer.is_over;
    return false;
}

int dialer_main(void)
{
    struct program p = { .loop.begun = false };
    int err;

    spawned("xvsd-dialer");
    if ((err = loop_init(&p.loop)) || (err = dialer_open(&p.dialer, &p.loop, WALL_FD)))
        journal(JOURNAL_ERROR, "the dialer cannot begin: %s", strerror(-err));
    else
        loop_run(&p.loop, chores);
    dialer_close(&p.dialer);
    loop_close(&p.loop);
    return err ? 1 : 0;
}

/* SPDX-License-Identifier: MIT */
/* qga.c: see qga.h. */
#include "qga.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ga.h"
#include "pump.h"
#include "qemuga.h"
#include "say.h"

struct session {
    struct loop loop;
    struct pump pump;           /* a: the stream, b: qemu-guest-agent */
};

/* The caller goes when he has heard it: a stream that we left before that would be cut, and the word with it. */
static int tell(int in, int out, const char *class, const char *why)
{
    json_t *error = json_pack("{s:{s:s, s:s}}", "error", "class", class, "desc", why);
    char *text = error ? json_dumps(error, 0) : NULL, waste[4096];
    bool good = text && dprintf(out, "%s\n", text) > 0 && shutdown(out, SHUT_WR) == 0;

    free(text);
    json_decref(error);
    while (good && read(in, waste, sizeof waste) > 0)
        ;
    return good ? 0 : 1;
}

static void over(struct pump *p, int err)
{
    const struct session *s = container_of(p, struct session, pump);

    /* A caller who goes is no failure; nor is one who asked for a shutdown, and qemu-guest-agent goes first. */
    (void)err;
    loop_stop(p->loop, p->flow[1].bytes || s->pump.flow[0].ended ? 0 : 1);
}

/* 0, or 1 if qemu-guest-agent went before it had said anything.  Takes fd. */
static int relay(int in, int out, int fd)
{
    struct session s = { .pump.flow[1].vital = true };
    struct end *stream = NULL, *other = NULL;
    int status = 1;

    if (loop_begin(&s.loop)) {
        close(fd);
        return status;
    }
    if ((other = fdend_socket(&s.loop, fd)) && (stream = fdend_standard(&s.loop, in, out, true))) {
        pump_start(&s.pump, &s.loop, stream, other, over);
        status = loop_run(&s.loop);
        pump_drop(&s.pump);
    }
    if (stream)
        stream->ops->close(stream, false);
    if (other)
        other->ops->close(other, false);
    else
        close(fd);
    return loop_end(&s.loop, status);
}

int qga_run(int in, int out, const char *argument)
{
    char why[QEMUGA_WHY] = "";
    int lock, fd;

    if (argument)
        return tell(in, out, GA_ABSENT, "this service takes no argument");
    if ((lock = qemuga_lock(why)) < 0)
        return tell(in, out, lock == -EBUSY ? GA_BUSY : GA_ABSENT, why);
    if ((fd = qemuga_connect(why)) < 0)
        return tell(in, out, GA_ABSENT, why);
    if (relay(in, out, fd) == 0)
        return 0;
    return tell(in, out, GA_ABSENT, "qemu-guest-agent ended as soon as it began: the log of xvs-agent in the guest says why");
}

/* SPDX-License-Identifier: MIT */
/* threads.c: libuv's other threads.  There is none: a piece of work is done when the product next sleeps, as if a thread had been
 * done with it then, and is told of at once. */
#include <uv.h>

#include "mock.h"

#define WORK 16u

static struct {
    uv_work_t *work;
    uv_work_cb act;
    uv_after_work_cb after;
} queue[WORK];
static unsigned queued;

/* The product runs in it, as in a callback of libuv's. */
static bool do_all(void)
{
    unsigned done = 0;

    for (; done < queued; done++) {
        queue[done].act(queue[done].work);
        queue[done].after(queue[done].work, 0);     /* which may make more */
    }
    queued = 0;
    return done > 0;
}

int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb act, uv_after_work_cb after);
int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb act, uv_after_work_cb after)
{
    MOCK_ENTER(uv_queue_work, UV_ENOMEM)
    (void)loop;
    MOCK_MUST(queued < WORK, "threads: too much work");
    queue[queued].work = work;
    queue[queued].act = act;
    queue[queued++].after = after;
    mock_threads = do_all;
    return 0;
}

/* It does not end before its threads are done. */
int __wrap_uv_run(uv_loop_t *loop, uv_run_mode mode);
int __wrap_uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    if (mode == UV_RUN_DEFAULT)
        do_all();
    return uv_run(loop, mode);
}

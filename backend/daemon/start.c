/* SPDX-License-Identifier: MIT */
/* start.c: the keeper: signals, start, stop, what its children say.  See keeper.h. */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "asks.h"
#include "children.h"
#include "claim.h"
#include "clock.h"
#include "device.h"
#include "find.h"
#include "home.h"
#include "inforce.h"
#include "sandbox.h"
#include "settle.h"
#include "sweep.h"
#include "xenstored.h"

#define STOP_MS 3000u           /* for all devices to be closed in order */

/* ---- signals ---- */

static void on_hup(uv_signal_t *signal, int number)
{
    struct keeper *k = signal->data;
    char why[SETTINGS_WHY];

    (void)number;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)uv_hrtime() / 1000);
    inforce_reload(k, why);
    sd_notify(0, "READY=1");
}

static void on_stop(uv_signal_t *signal, int number)
{
    struct keeper *k = signal->data;

    if (k->registry.stopping) {
        k->loop.is_over = true; /* asked twice: at once */
        return;
    }
    journal(JOURNAL_NOTICE, "%s: closing all devices", strsignal(number));
    sd_notify(0, "STOPPING=1");
    alarm_at(&k->loop, &k->stop, clock_deadline_ms(STOP_MS));
    registry_close(&k->registry);
}

static void on_impatient(struct alarm *alarm, uint64_t now)
{
    (void)now;
    container_of(alarm, struct keeper, stop)->loop.is_over = true;
}

/* ---- the worker ---- */

static void hear_worker(struct child *c, const struct wall_msg *m)
{
    struct keeper *k = c->keeper;
    struct device *d;

    if (k->ending)
        return;
    if (m->kind == WALL_ASK)
        asks_hear(k, m);
    else if ((d = device_numbered(&k->registry, m->device)))
        device_hear(d, m);
}

static int begin_worker(struct keeper *k, int fd)
{
    return labour_begin(&k->labour, &k->loop, fd);
}

static void end_worker(struct keeper *k)
{
    labour_end(&k->labour);
}

static void tell_control(struct keeper *k)
{
    wall_send(&k->worker.wall, &(struct wall_msg){ .kind = WALL_CONTROL }, fcntl(k->control_fd, F_DUPFD_CLOEXEC, 0));
    wall_send(&k->worker.wall, &(struct wall_msg){ .kind = WALL_STATUS }, fcntl(k->status.listen_fd, F_DUPFD_CLOEXEC, 0));
}

static void tell_worker(struct keeper *k)
{
    inforce_tell(k);
    each_device(&k->registry, l)
        device_new_worker(device_at(l));
    if (k->ready)
        tell_control(k);        /* whoever asks it is told of all guests */
}

/* What it had mapped is not mapped any more; guests come again, as after a restart of the daemon. */
static void lost_worker(struct keeper *k)
{
    each_device(&k->registry, l)
        device_lost_worker(device_at(l));
}

/* ---- the dialer ---- */

static int begin_dialer(struct keeper *k, int fd)
{
    return dialer_open(&k->dialling, &k->loop, fd);
}

static void end_dialer(struct keeper *k)
{
    dialer_close(&k->dialling);
}

static void tell_dialer(struct keeper *k)
{
    struct wall_msg m = { .kind = WALL_ANY };

    snprintf(m.any.path, sizeof m.any.path, "%s", k->any.path);
    wall_send(&k->dialer.wall, &m, fcntl(k->any.fd, F_DUPFD_CLOEXEC, 0));
    each_device(&k->registry, l)
        homes_tell_dialer(device_at(l));
}

/* ---- children ---- */

static const struct child_kind worker_kind = {
    .name = "worker", .option = LABOUR_OPTION, .is_worker = true,
    .begin = begin_worker, .end = end_worker, .tell = tell_worker, .lost = lost_worker, .hear = hear_worker
};
static const struct child_kind dialer_kind = {
    .name = "dialer", .option = DIALER_OPTION, .begin = begin_dialer, .end = end_dialer, .tell = tell_dialer
};

/* ---- the loop ---- */

static bool chores(struct loop *loop)
{
    struct keeper *k = container_of(loop, struct keeper, loop);
    struct registry *r = &k->registry;

    if (r->store_more)
        registry_on_store(r);
    sweep(r);
    settle(r);
    devices_tell(r);
    if (k->labour.is_over)
        child_lose(&k->worker, k->labour.why);
    if (k->dialling.is_over)
        child_lose(&k->dialer, NULL);
    loop->is_over |= r->stopping && list_is_empty(&r->devices);
    return r->store_more;
}

/* ---- start ---- */

static int start_loop(struct keeper *k)
{
    uv_loop_t *uv = &k->loop.uv;
    int err = sandbox_refuse_rings();

    if (err)
        journal(JOURNAL_WARNING, "cannot have the kernel refuse rings of io_uring: %s; libuv may make some", strerror(-err));
    if ((err = loop_init(&k->loop)) || (err = uv_signal_init(uv, &k->hup)) || (err = uv_signal_init(uv, &k->term)) ||
        (err = uv_signal_init(uv, &k->interrupt)))
        return err;
    k->hup.data = k->term.data = k->interrupt.data = k;
    if ((err = uv_signal_start(&k->hup, on_hup, SIGHUP)) || (err = uv_signal_start(&k->term, on_stop, SIGTERM)) ||
        (err = uv_signal_start(&k->interrupt, on_stop, SIGINT)))
        return err;
    return 0;
}

static int start_store(struct registry *r)
{
    int err = store_open(&r->store);

    if (err) {
        journal(JOURNAL_ERROR, "cannot connect to xenstored: %s; is this dom0, and is xenstored running?",
                strerror(-err));
        return err;
    }
    if (domains_self(r->store, &r->self))
        r->self = 0;            /* dom0 without the node: xen-init-dom0(8) writes it */
    return 0;
}

static const char *run_dir(const struct keeper *k)
{
    const char *env = getenv("XVS_RUN_DIR");

    if (k->options->run_dir)
        return k->options->run_dir;
    if (env && *env)
        return env;
    return k->decided.settings->run_dir ? k->decided.settings->run_dir : SETTINGS_RUN;
}

static int listen_for_control(struct keeper *k, char *why)
{
    k->control_fd = rundir_listen(&k->rundir, "control.sock", why);
    return k->control_fd < 0 ? k->control_fd : 0;
}

static int listen_for_status(struct keeper *k, char *why)
{
    bool closed;
    int err = sockfile_open(&k->status, k->rundir.path, k->rundir.fd, KEEPER_STATUS, &closed);

    if (err || (err = inforce_permit_status(k)))
        snprintf(why, REGISTRY_WHY, "cannot listen at %.160s/" KEEPER_STATUS ": %s", k->rundir.path, strerror(-err));
    return err;
}

static int start(struct keeper *k)
{
    char why[REGISTRY_WHY] = "";
    struct registry *r = &k->registry;
    int err;

    signal(SIGPIPE, SIG_IGN);
    alarm_init(&k->stop, on_impatient);
    asks_begin(k);
    if ((err = registry_init(r, &k->loop, &k->worker.wall, &k->dialer.wall, &k->rundir))) {
        journal(JOURNAL_ERROR, "out of memory");
        return err;
    }
    r->settings = k->decided.settings;
    r->settings_path = k->options->config;
    if ((err = start_loop(k))) {
        journal(JOURNAL_ERROR, "cannot begin the event loop: %s", uv_strerror(err));
        return err;
    }
    if ((err = start_store(r)))
        return err;
    if ((err = claim_check(r->store, r->self, why)) ||
        (err = rundir_open(&k->rundir, run_dir(k), inforce_is_shared(k), why)) ||
        (err = any_dir_open(&k->any, &k->rundir, &k->decided.settings->any, why)) ||
        (err = claim_take(r->store, r->self, &k->rundir, why)) || (err = listen_for_control(k, why)) ||
        (err = listen_for_status(k, why)) ||
        (err = child_start(&k->worker)) || (err = child_start(&k->dialer)) || (err = registry_start(r, why)) || (err = xenstored_begin(k))) {
        if (!*why)
            snprintf(why, sizeof why, "cannot start: %s", strerror(-err));
        journal(JOURNAL_ERROR, "%s", why);
        return err;
    }
    k->ready = true;
    tell_control(k);
    journal_event(NULL, EVENT_READY, NULL, "version " XVS_VERSION " is ready in %s, domid %u", k->rundir.path, r->self);
    sd_notify(0, "READY=1");
    return 0;
}

static void finish(struct keeper *k)
{
    struct registry *r = &k->registry;

    xenstored_end(k);           /* nothing of it is heard any more */
    registry_stop(r);
    children_stop(k);
    registry_free(r);
    if (k->control_fd >= 0) {
        close(k->control_fd);
        unlinkat(k->rundir.fd, "control.sock", 0);
    }
    sockfile_close(&k->status, k->rundir.fd, KEEPER_STATUS);
    if (r->store)
        claim_drop(r->store, r->self, &k->rundir);
    store_close(r->store);
    loop_close(&k->loop);
    any_dir_close(&k->any);
    rundir_close(&k->rundir);
    decided_drop(&k->decided);
    journal_event(NULL, EVENT_STOPPED, NULL, "stopped");
}

/* The answer to --check-config. */
static void say_good(const struct options *o, const struct decided *d)
{
    printf("%s is good%s\n", o->config, d->files ? "" : ": there is none, the defaults hold");
    if (d->files > 1)
        printf("…with %s.d: %zu files\n", o->config, d->files);
    if (d->built_in)
        printf("there is no %s: the built-in policy holds\n", d->dir);
    else
        printf("the policy in %s is good: %zu lines\n", d->dir, d->lines);
}

int keeper_main(const struct options *o)
{
    struct keeper k = {
        .options = o, .decided = { .settings_fd = -1, .policy_fd = -1 }, .control_fd = -1, .status = { -1, -1 },
        .store_source.fd = -1, .rundir.fd = -1, .rundir.lock_fd = -1, .any.fd = -1
    };
    struct complaints complaints = { 0 };
    struct decided decided;
    int err = decided_read(o, &decided, &complaints);

    decided_say(&complaints);
    if (err)
        return 1;
    child_init(&k.worker, &k, &worker_kind);
    child_init(&k.dialer, &k, &dialer_kind);
    if (o->check) {
        say_good(o, &decided);
        decided_drop(&decided);
        return 0;
    }
    inforce_use(&k, &decided);
    err = start(&k);
    if (!err)
        loop_run(&k.loop, chores);
    finish(&k);
    return err || k.failed ? 1 : 0;
}

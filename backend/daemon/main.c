/* SPDX-License-Identifier: MIT */
/* main.c: options, signals, start, stop.  See xvsd.h. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "claim.h"
#include "clock.h"
#include "ends.h"
#include "settle.h"
#include "xenstored.h"

#define STOP_MS 3000u           /* for all devices to be closed in order */

static const char usage[] =
    "Usage: xvsd [OPTION]...\n"
    "Gives the guests of this Xen host vsock: each appears to host programs as a UNIX socket.\n"
    "\n"
    "  -c, --config=FILE    read FILE (default " SETTINGS_FILE ", if it exists)\n"
    "  -r, --run-dir=DIR    put sockets into DIR (default $XVS_RUN_DIR, the file's run_dir, or " SETTINGS_RUN ")\n"
    "  -t, --check-config   only check the file\n"
    "  -v, --verbose        log everything\n"
    "  -f, --foreground     accepted; xvsd always stays in the foreground\n"
    "  -V, --version        print the version\n"
    "  -h, --help           print this\n"
    "\n"
    "Example: talk to port 1234 of the guest web1 (the socket answers \"OK <port>\" first):\n"
    "    (echo CONNECT 1234; cat) | socat - UNIX-CONNECT:" SETTINGS_RUN "/guest/web1/vsock\n"
    "Signals: SIGHUP reads the configuration again, SIGTERM stops.  See xvsd(8), xvsd.conf(5).\n";

/* Somebody other than the daemon's user may use some guest's sockets. */
static bool is_shared(const struct settings *s)
{
    bool shared = rundir_lets_in(&s->sockets);

    for (size_t i = 0; i < s->guest_count; i++) {
        struct settings_sockets sockets = settings_sockets_of(s, &s->guests[i]);

        shared |= rundir_lets_in(&sockets);
    }
    return shared;
}

/* ---- signals ---- */

static int reload(struct verbs_about *about, char *why)
{
    struct xvsd *x = container_of(about, struct xvsd, about);
    struct settings *fresh = NULL;
    int err = settings_load(x->settings_path, &fresh, why), err2;

    if (err) {
        journal(JOURNAL_ERROR, "the settings stay as they were: %s", why);
        return err;
    }
    settings_free(x->settings);
    x->lanes.settings = x->settings = fresh;
    journal_set_level(x->verbose ? JOURNAL_DEBUG : (enum journal_level)fresh->log_level);
    if ((err2 = rundir_permit(&x->rundir, is_shared(fresh))))
        journal(JOURNAL_WARNING, "cannot set the mode of %s: %s", x->rundir.path, strerror(-err2));
    registry_reloaded(&x->registry);
    journal(JOURNAL_NOTICE, "settings read again from %s; limits apply to guests that connect from now on",
            x->settings_path);
    return 0;
}

static void on_hup(uv_signal_t *signal, int number)
{
    struct xvsd *x = signal->data;
    char why[SETTINGS_WHY];

    (void)number;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)uv_hrtime() / 1000);
    reload(&x->about, why);
    sd_notify(0, "READY=1");
}

static void on_stop(uv_signal_t *signal, int number)
{
    struct xvsd *x = signal->data;

    if (x->registry.stopping) {
        x->loop.is_over = true; /* asked twice: at once */
        return;
    }
    journal(JOURNAL_NOTICE, "%s: closing all devices", strsignal(number));
    sd_notify(0, "STOPPING=1");
    alarm_at(&x->loop, &x->stop, clock_deadline_ms(STOP_MS));
    registry_close(&x->registry);
}

static void on_impatient(struct alarm *alarm, uint64_t now)
{
    (void)now;
    container_of(alarm, struct xvsd, stop)->loop.is_over = true;
}

/* ---- the loop ---- */

static bool chores(struct loop *loop)
{
    struct registry *r = &container_of(loop, struct xvsd, loop)->registry;

    if (r->store_more)
        registry_on_store(r);
    registry_sweep(r);
    settle(r);
    loop->is_over |= r->stopping && list_is_empty(&r->devices);
    return r->store_more;
}

/* ---- start ---- */

/* As many descriptors as there may be, and who may have them. */
static void raise_limit(struct xvsd *x)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    accounts_share_files(&x->registry.accounts, limit.rlim_cur);
}

static int start_loop(struct xvsd *x)
{
    uv_loop_t *uv = &x->loop.uv;
    int err;

    if ((err = loop_init(&x->loop)) || (err = uv_signal_init(uv, &x->hup)) || (err = uv_signal_init(uv, &x->term)) ||
        (err = uv_signal_init(uv, &x->interrupt)))
        return err;
    x->hup.data = x->term.data = x->interrupt.data = x;
    if ((err = uv_signal_start(&x->hup, on_hup, SIGHUP)) || (err = uv_signal_start(&x->term, on_stop, SIGTERM)) ||
        (err = uv_signal_start(&x->interrupt, on_stop, SIGINT)))
        return err;
    x->about = (struct verbs_about){ .registry = &x->registry, .reload = reload, .started = loop_now(&x->loop) };
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

/* The rooms, each with those below it. */
static int build(struct xvsd *x)
{
    int err = lanes_init(&x->lanes, &x->loop, ends), err2;

    x->lanes.settings = x->settings;
    x->lanes.farewells = &x->farewells;
    farewells_init(&x->farewells, &x->lanes);
    alarm_init(&x->stop, on_impatient);
    err2 = registry_init(&x->registry, &x->loop, &x->lanes, &x->rundir);
    x->registry.settings_path = x->settings_path;
    return err ? err : err2;
}

static const char *run_dir(const struct xvsd *x)
{
    const char *env = getenv("XVS_RUN_DIR");

    if (x->run_dir_option)
        return x->run_dir_option;
    if (env && *env)
        return env;
    return x->settings->run_dir ? x->settings->run_dir : SETTINGS_RUN;
}

static int start(struct xvsd *x)
{
    char why[REGISTRY_WHY] = "";
    struct registry *r = &x->registry;
    int err;

    signal(SIGPIPE, SIG_IGN);
    if ((err = build(x))) {
        journal(JOURNAL_ERROR, "out of memory");
        return err;
    }
    raise_limit(x);
    if ((err = start_loop(x))) {
        journal(JOURNAL_ERROR, "cannot begin the event loop: %s", uv_strerror(err));
        return err;
    }
    if ((err = start_store(r)))
        return err;
    if ((err = claim_check(r->store, r->self, why)) ||
        (err = rundir_open(&x->rundir, run_dir(x), is_shared(x->settings), why)) ||
        (err = claim_take(r->store, r->self, &x->rundir, why)) ||
        (err = control_start(&x->about, &x->rundir, &x->control, why)) || (err = registry_start(r, why)) ||
        (err = xenstored_begin(x))) {
        if (!*why)
            snprintf(why, sizeof why, "cannot start: %s", strerror(-err));
        journal(JOURNAL_ERROR, "%s", why);
        return err;
    }
    journal(JOURNAL_NOTICE, "version " XVS_VERSION " is ready in %s, domid %u", x->rundir.path, r->self);
    sd_notify(0, "READY=1");
    return 0;
}

static void finish(struct xvsd *x)
{
    struct registry *r = &x->registry;

    registry_stop(r);
    registry_free(r);
    farewells_stop(&x->farewells);
    lanes_free(&x->lanes);
    control_stop(x->control);
    xenstored_end(x);
    if (r->store)
        claim_drop(r->store, r->self, &x->rundir);
    store_close(r->store);
    loop_close(&x->loop);
    rundir_close(&x->rundir);
    settings_free(x->settings);
    journal(JOURNAL_NOTICE, "stopped");
}

/* ---- options ---- */

/* -1: go on; else the exit status. */
static int read_options(struct xvsd *x, int argc, char **argv, bool *check)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' }, { "run-dir", required_argument, NULL, 'r' },
        { "check-config", no_argument, NULL, 't' }, { "verbose", no_argument, NULL, 'v' },
        { "foreground", no_argument, NULL, 'f' },   { "version", no_argument, NULL, 'V' },
        { "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 }
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:r:tvfVh", options, NULL)) != -1)
        switch (option) {
        case 'c': x->settings_path = optarg; break;
        case 'r': x->run_dir_option = optarg; break;
        case 't': *check = true; break;
        case 'v': x->verbose = true; break;
        case 'f': break;
        case 'V': puts("xvsd " XVS_VERSION); return 0;
        case 'h': fputs(usage, stdout); return 0;
        default:  fputs("Try 'xvsd --help'.\n", stderr); return 2;
        }
    if (optind < argc) {
        fprintf(stderr, "xvsd: there is no argument \"%s\"; try 'xvsd --help'\n", argv[optind]);
        return 2;
    }
    return -1;
}

static int read_settings(struct xvsd *x)
{
    bool given = x->settings_path != NULL;
    char why[SETTINGS_WHY];
    int err;

    if (!given)
        x->settings_path = SETTINGS_FILE;
    err = settings_load(x->settings_path, &x->settings, why);
    if (err == -ENOENT && !given)
        err = (x->settings = settings_default()) ? 0 : -ENOMEM;
    if (err)
        journal(JOURNAL_ERROR, "%s", why);
    else
        journal_set_level(x->verbose ? JOURNAL_DEBUG : (enum journal_level)x->settings->log_level);
    return err;
}

int main(int argc, char **argv)
{
    struct xvsd x = { .store_source.fd = -1, .rundir.fd = -1, .rundir.lock_fd = -1 };
    bool check = false;
    int status = read_options(&x, argc, argv, &check), err;

    if (status >= 0)
        return status;
    if (read_settings(&x))
        return 1;
    if (check) {
        printf("%s is good\n", x.settings_path);
        settings_free(x.settings);
        return 0;
    }
    err = start(&x);
    if (!err)
        loop_run(&x.loop, chores);
    finish(&x);
    return err || x.failed ? 1 : 0;
}

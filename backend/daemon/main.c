/* SPDX-License-Identifier: MIT */
/* main.c: options, signals, start, stop.  See xvsd.h for the map of the daemon. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "claim.h"
#include "control.h"
#include "farewell.h"
#include "loop.h"
#include "registry.h"

#define STOP_MS 3000u    /* for all devices to be closed in order */
#define OUT_OF_FILES_MS 60000u  /* between two lines about that */

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

int xvsd_reload(struct xvsd *x, char *why)
{
    struct settings *fresh = NULL;
    int err = settings_load(x->settings_path, &fresh, why), err2;

    if (err) {
        journal(JOURNAL_ERROR, "the settings stay as they were: %s", why);
        return err;
    }
    settings_free(x->settings);
    x->settings = fresh;
    journal_set_level(x->verbose ? JOURNAL_DEBUG : (enum journal_level)fresh->log_level);
    if ((err2 = rundir_permit(&x->rundir, is_shared(fresh))))
        journal(JOURNAL_WARNING, "cannot set the mode of %s: %s", x->rundir.path, strerror(-err2));
    registry_reloaded(x);
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
    xvsd_reload(x, why);
    sd_notify(0, "READY=1");
}

static void on_stop(uv_signal_t *signal, int number)
{
    struct xvsd *x = signal->data;

    if (x->stop_at) {
        x->is_over = true;      /* asked twice: at once */
        return;
    }
    journal(JOURNAL_NOTICE, "%s: closing all devices", strsignal(number));
    sd_notify(0, "STOPPING=1");
    x->stop_at = clock_deadline_ms(STOP_MS);
    xvsd_wake_at(x, x->stop_at);
    for (struct list *l = x->devices.next; l != &x->devices; l = l->next) {
        struct device *d = container_of(l, struct device, link);

        life_back_close(&d->life);
        device_look(d);
    }
}

void xvsd_out_of_files(struct xvsd *x)
{
    x->out_of_files++;
    if (x->out_of_files_at > xvsd_now(x))
        return;
    journal(JOURNAL_ERROR, "out of file descriptors, %u times: new connections wait; raise LimitNOFILE= in xvsd.service",
            x->out_of_files);
    x->out_of_files = 0;
    x->out_of_files_at = clock_deadline_ms(OUT_OF_FILES_MS);
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
    accounts_share_files(&x->accounts, limit.rlim_cur);
}

static int start_loop(struct xvsd *x)
{
    int err;

    if ((err = loop_init(x)) || (err = uv_signal_init(&x->uv, &x->hup)) || (err = uv_signal_init(&x->uv, &x->term)) ||
        (err = uv_signal_init(&x->uv, &x->interrupt)))
        return err;
    x->hup.data = x->term.data = x->interrupt.data = x;
    if ((err = uv_signal_start(&x->hup, on_hup, SIGHUP)) || (err = uv_signal_start(&x->term, on_stop, SIGTERM)) ||
        (err = uv_signal_start(&x->interrupt, on_stop, SIGINT)))
        return err;
    x->started = xvsd_now(x);
    return 0;
}

static int start_store(struct xvsd *x)
{
    int err = store_open(&x->store);

    if (err) {
        journal(JOURNAL_ERROR, "cannot connect to xenstored: %s; is this dom0, and is xenstored running?",
                strerror(-err));
        return err;
    }
    if (domains_self(x->store, &x->self))
        x->self = 0;            /* dom0 without the node: xen-init-dom0(8) writes it */
    return 0;
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
    char why[REGISTRY_WHY] = "out of memory";
    int err;

    signal(SIGPIPE, SIG_IGN);
    raise_limit(x);
    if ((err = registry_init(x))) {
        journal(JOURNAL_ERROR, "%s", why);
        return err;
    }
    if ((err = start_loop(x))) {
        journal(JOURNAL_ERROR, "cannot begin the event loop: %s", uv_strerror(err));
        return err;
    }
    if ((err = start_store(x)))
        return err;
    if ((err = claim_check(x->store, x->self, why)) ||
        (err = rundir_open(&x->rundir, run_dir(x), is_shared(x->settings), why)) ||
        (err = claim_take(x->store, x->self, &x->rundir, why)) || (err = control_start(x, why)) ||
        (err = registry_start(x, why)) || (err = loop_watch_store(x))) {
        if (!*why)
            snprintf(why, sizeof why, "cannot start: %s", strerror(-err));
        journal(JOURNAL_ERROR, "%s", why);
        return err;
    }
    journal(JOURNAL_NOTICE, "version " XVS_VERSION " is ready in %s, domid %u", x->rundir.path, x->self);
    sd_notify(0, "READY=1");
    return 0;
}

static void finish(struct xvsd *x)
{
    registry_stop(x);
    registry_free(x);
    farewell_drop_all(x);
    control_stop(x);
    source_remove(&x->poller, &x->store_source);
    if (x->store)
        claim_drop(x->store, x->self, &x->rundir);
    store_close(x->store);
    loop_close(x);
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
    struct xvsd x = {
        .timer_at = UINT64_MAX, .rescan_at = UINT64_MAX, .settle_at = UINT64_MAX, .farewell_at = UINT64_MAX,
        .poller.fd = -1, .uv_source.fd = -1, .store_source.fd = -1, .rundir.fd = -1, .rundir.lock_fd = -1
    };
    bool check = false;
    int status = read_options(&x, argc, argv, &check), err;

    if (status >= 0)
        return status;
    list_init(&x.turns);
    list_init(&x.round);
    list_init(&x.farewells);
    accounts_init(&x.accounts);
    journal_nobody_init(&x.journal);
    if (read_settings(&x))
        return 1;
    if (check) {
        printf("%s is good\n", x.settings_path);
        settings_free(x.settings);
        return 0;
    }
    err = start(&x);
    if (!err)
        loop_run(&x);
    finish(&x);
    return err || x.failed ? 1 : 0;
}

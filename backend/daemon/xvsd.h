/* SPDX-License-Identifier: MIT */
/* xvsd.h: the daemon as a whole: one process, one thread, one loop.
 *
 *     main.c       options, signals, start, stop          loop.c      rounds, deadlines
 *     settings.c   what the administrator decided        rundir.c    what host programs see
 *     registry.c   which devices there are               device.c    one device's life, by xenstore
 *     map.c        its pages and its event channel       serve.c     its work, a bounded piece at a time
 *     stream.c     one connection                        bridge.c    …to a UNIX socket
 *     greet.c      …from a host program                  relay.c     …to another guest
 *     fate.c       …how it ended                         watchers.c  …and who asks for it
 *     service.c    …to the daemon itself                farewell.c  …that is over, and not read yet
 *     inbox.c, chunks.c  data that waits for its reader  held.h      how much of it a guest may have
 *     account.c    what guests share                     control.c, verbs.c    questions and commands
 *     poller.c     descriptors                           journal.c   words
 *     domain.c     what each guest is called              names.c, titles.c    what a name is, and whose
 *     door.c       directories that change hands         settle.c    names, directories, CIDs: what follows from what
 *     claim.c      one daemon a host                     sockfile.c, access.c, dial.c    names that others may touch
 *
 * Fairness: a device that has something to do stands in one queue, 'turns'; each round of the loop serves each device
 * in it once, with a bounded piece of work (serve.h).  So a guest that floods costs the others one such piece a round.
 * Nothing here locks, and nothing blocks but xenstored's answers. */
#ifndef XVSD_H
#define XVSD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "account.h"
#include "clock.h"
#include "hash.h"
#include "journal.h"
#include "list.h"
#include "paths.h"
#include "poller.h"
#include "rundir.h"
#include "settings.h"
#include "store.h"

struct xvsd {
    uv_loop_t uv;               /* signals and the timer */
    bool uv_begun;              /* …is initialised */
    struct source uv_source;    /* its descriptor */
    bool uv_ready;              /* …has something for it */
    uv_timer_t timer;           /* one for all deadlines */
    uint64_t timer_at;          /* ms, UINT64_MAX when it is stopped */
    uv_signal_t hup, term, interrupt;
    struct poller poller;
    struct settings *settings;
    const char *settings_path;
    const char *run_dir_option; /* NULL: not given */
    bool verbose;
    struct rundir rundir;
    struct store *store;
    struct source store_source;
    uint64_t store_check_at;    /* ms */
    bool unclaimed;             /* xenstore does not say yet that we serve this host: claim.h */
    uint64_t rescan_at;         /* ms: when to look for devices again, UINT64_MAX for not at all */
    bool rescan_all;            /* …into every domain, and not only into those that are not known */
    uint32_t self;              /* our own domid */
    uint64_t declined[(PATHS_DOMID + 63) / 64];     /* domids that are to have no device of their own accord */
    struct list devices;        /* struct device.link */
    struct list domains;        /* struct domain.link */
    struct list troubles;       /* registry.c */
    struct hash domains_by_domid, devices_by_cid, doors;    /* each with its own links */
    struct hash_seed seed;      /* of the latter two */
    uint64_t born;              /* devices, so far */
    bool unsettled;             /* settle() is due */
    uint64_t settle_at;         /* ms: when it will be, UINT64_MAX for not at all */
    bool store_more;            /* registry_on_store() has more to do */
    struct journal_guest journal;       /* for lines that guests can cause and that are about none */
    struct list turns;          /* struct device.turn; while there are any, the loop does not sleep */
    struct list round;          /* likewise: those that wait for their piece of work in this round */
    struct accounts accounts;   /* what guests share */
    struct list farewells;      /* struct farewell.link */
    uint32_t farewell_count;
    uint64_t farewell_at;       /* ms: farewell_due(), UINT64_MAX for not at all */
    uint64_t started;           /* ms */
    uint64_t stop_at;           /* ms: when a stop becomes impatient; 0 while not stopping */
    bool is_over;               /* the loop ends with this round */
    bool failed;                /* …and not because it was asked to */
    uint64_t next_yield;        /* ns (uv_hrtime): spinner.h */
    uint32_t out_of_files;      /* how often, since it was last said */
    uint64_t out_of_files_at;   /* ms: when it may be said again */
    struct control *control;
};

/* Milliseconds, as of the begin of this round of the loop, which may be long ago: xenstored takes its time.  So this says
 * whether a deadline is over, and clock_deadline_ms() (clock.h; the same clock) makes one. */
static inline uint64_t xvsd_now(const struct xvsd *x)
{
    return uv_now(&x->uv);
}

/* Calls device_due() of whoever is due at 'at' (ms) or earlier. */
void xvsd_wake_at(struct xvsd *x, uint64_t at);
/* SIGHUP and the control socket: reads the settings again; the old ones stay on an error, which goes to why. */
int  xvsd_reload(struct xvsd *x, char *why);
/* accept() or socket() gave EMFILE: says so, once a minute. */
void xvsd_out_of_files(struct xvsd *x);

#endif

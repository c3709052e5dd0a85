/* SPDX-License-Identifier: MIT */
/* guest.h: the domains and devices that there are, as data.
 *
 *     domain.h      what a domain is called
 *     cids.h        whose a CID is
 *     evtchn.h      an event channel, bound here and used by the worker
 *     afvsock.h     the host's kernel, likewise
 *     home.h        a guest's directories
 *     sidedoors.h   sockets in them that lead to a port
 *     device.h      how a device lives, by xenstore
 *     settle.h      names, directories, CIDs: what follows from what there is
 *     find.h        a device by its number
 *     registry.h    how devices come and go: what xenstore says (scan.h), what cannot be taken in (troubles.h), what is over (sweep.h),
 *                   and what is ordered (orders.h)
 *
 * What a device is for, its bytes, is the worker's (wall.h): here is nothing that a guest's packet or a host program could reach.
 * One thread. */
#ifndef XVSD_GUEST_H
#define XVSD_GUEST_H

#include "backoff.h"
#include "clock.h"
#include "domains.h"
#include "domids.h"
#include "hash.h"
#include "journal.h"
#include "list.h"
#include "life.h"
#include "names.h"
#include "parse.h"
#include "paths.h"
#include "rundir.h"
#include "store.h"
#include "titles.h"
#include "wall.h"

#define REGISTRY_WHY (RUNDIR_WHY + 128)         /* bytes of a reason, with its end */

struct registry {
    struct loop *loop;
    struct wall *wall;          /* the worker, */
    struct wall *dialer;        /* …and who connects for it */
    struct store *store;
    uint32_t self;              /* our own domid */
    const struct rundir *rundir;
    const struct settings *settings;    /* those of now */
    const char *settings_path;  /* for messages */
    bool stopping;              /* nothing is taken in any more */

    struct list devices;        /* struct device.link */
    struct list domains;        /* struct domain.link */
    struct list troubles;       /* troubles.c */
    struct hash domains_by_domid, devices_by_cid, homes;        /* each with its own links */
    struct hash_seed seed;      /* of the latter two */
    uint32_t last_home;         /* number */
    struct domids declined;     /* a device was detached by command: they have none of their own accord until they are gone, or attached */
    uint32_t born;              /* devices, so far */
    uint32_t vhosts_closing;    /* afvsock.c: threads that wait for the kernel */
    int vhost_error;            /* errno of the last try to open one, 0 for none: said once */
    bool unsettled;             /* settle() is due */
    struct alarm settle;        /* …then, if not before */
    struct alarm rescan;        /* to look for devices again, */
    bool rescan_all;            /* …in every domain, and not only in those that are not known */
    bool store_more;            /* registry_on_store() has more to do */
    struct journal_guest journal;       /* for lines that guests can cause and that are about none */
};

struct domain {
    struct registry *r;
    struct list link;           /* in registry.domains, the newest last */
    struct hash_link by_domid;  /* in registry.domains_by_domid */
    struct list devices;        /* struct device.of_domain */
    uint32_t domid;
    char name[DOMAINS_NAME];    /* as xl calls it; ":5" for domain 5 without a name that may be repeated */
    char uuid[NAMES_UUID];      /* "" for none */
    bool is_dead;               /* it has no directory any more */
    bool is_doubtful;           /* xenstored did not say what it is called: look again */
    struct title title;         /* name and uuid are those above; for the rest see settle.h */
    struct settings_own own;    /* what the settings say of it; likewise */
};

/* What the worker is asked, and has not answered yet. */
enum device_asked { ASKED_NOTHING, ASKED_UP, ASKED_DOWN, ASKED_LIVE };

struct device {
    struct registry *r;
    struct list link;           /* in registry.devices, the oldest first */
    uint32_t born;              /* counts them: its number at the wall */
    struct domain *domain;
    struct list of_domain;      /* in domain.devices */
    struct device_id id;
    struct paths paths;
    uint64_t cid;               /* 0 before it is in the table */
    struct hash_link by_cid;    /* in registry.devices_by_cid */
    uint64_t cid_said;          /* it was told that this one is to be its CID */
    bool seen;                  /* its nodes have been read at least once */
    bool announced;             /* the log knows it */
    bool to_look;               /* device_look() is due (registry.c) */
    bool detach;                /* its nodes are to be removed when its life is over */
    uint64_t remove_at;         /* ms: …which has failed: again then; UINT64_MAX for not */
    struct backoff remade;      /* its nodes were, and when that may be again */
    struct journal_guest journal;
    uint32_t acts_told;         /* of enum life_act: bits of those that were told of */

    struct life_back life;
    uint64_t look_at;           /* ms: look again, UINT64_MAX for not */
    struct alarm alarm;
    uint64_t refusals;
    char error[PARSE_WHY + 128];/* why it was refused, "" for never; stays until it connects again */

    enum device_asked asked;
    bool look_again;            /* …and it is to be looked at when it has */
    bool up;                    /* the worker has its pages, or may have */
    struct life_look look;      /* what was seen before the worker was asked whether the guest lives */
    char look_why[PARSE_WHY];
    struct xenevtchn_handle *channel;   /* until the worker has it */
    int vhost_fd;               /* afvsock.h; -1 */
    uint64_t vhost_cid;         /* the CID that it has */
    bool vhost_waits;           /* it is to be opened when another one has let go */
    bool vhost_retired;         /* the worker's is to end, as the settings have it, and has not yet */
    struct wall_guest known;    /* what the worker was told last; all zero for nothing */
    bool told;                  /* …which is still so */

    struct home *home;          /* the present one; NULL for none */
    struct list homes;          /* struct home.link: that and older ones */
    bool failed_before;         /* its pages could not be mapped since the last offer, and who has taken it was to blame */
    bool old_used;              /* host programs may be connected who came by an older one */
    char home_wanted[RUNDIR_NAME];
    struct backoff home_again;
    char home_error[RUNDIR_WHY];/* why it has none of the name that is wanted, "" if it has */
};

/* A guest's directory (home.h). */
struct home {
    struct list link;           /* in device.homes */
    struct hash_link by_name;   /* in registry.homes */
    struct device *device;      /* whose it is */
    struct guest_dir dir;
    uint32_t number, messages;  /* at the wall: of vsock, and of vsock.seqpacket */
    struct list sidedoors;      /* struct sidedoor.link (sidedoors.c) */
    int side_fd;                /* the directory of their sockets, -1 */
    char side_error[RUNDIR_WHY];        /* why one of them could not be made, "" for none */
};

struct xenevtchn_handle;

#define each_device(r, l) for (struct list *l = (r)->devices.next; l != &(r)->devices; l = l->next)
#define each_domain(r, l) for (struct list *l = (r)->domains.next; l != &(r)->domains; l = l->next)
#define each_device_of(dom, l) for (struct list *l = (dom)->devices.next; l != &(dom)->devices; l = l->next)

static inline struct device *device_at(struct list *l)
{
    return container_of(l, struct device, link);
}

static inline struct device *device_of_domain(struct list *l)
{
    return container_of(l, struct device, of_domain);
}

static inline struct domain *domain_at(struct list *l)
{
    return container_of(l, struct domain, link);
}

/* Something that settle() goes by has changed: before the loop sleeps. */
static inline void settle_soon(struct registry *r)
{
    r->unsettled = true;
}

/* Something may be missing: scan_again() in a moment. */
#define RESCAN_MS 300u          /* after a change below backend/vsock, most of which are our own */
static inline void rescan_soon(struct registry *r)
{
    alarm_at(r->loop, &r->rescan, clock_deadline_ms(RESCAN_MS));
}

#endif

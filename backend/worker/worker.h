/* SPDX-License-Identifier: MIT */
/* worker.h: the worker: lanes, ends and host programs of all guests, as the keeper tells of them (wall.h).
 *
 * A struct guest is here what a struct device is at the keeper's: made by the first GUEST message, gone with GONE.  One thread. */
#ifndef XVSD_WORKER_H
#define XVSD_WORKER_H

#include "farewell.h"
#include "hostside.h"
#include "lane.h"
#include "wall.h"

struct worker {
    struct loop *loop;
    struct wall wall;
    struct wall dialer;         /* a pair with the dialer */
    struct lanes lanes;
    struct hostsides hostsides;
    struct farewells farewells;
    struct accounts accounts;
    struct settings *settings;
    struct policy *policy;
    int policy_fd;              /* the policy that comes with the next settings; -1 */
    int proc_fd;                /* /proc/self, wherever the root is by now; -1 */
    uint64_t started;           /* ms */
    struct list guests;         /* struct guest.link, the oldest first */
    struct hash by_number;      /* struct guest.by_number */
    struct tap *captured;       /* what a verb has just begun, until control.c takes it */
    uint32_t captures;          /* that there are */
    struct subscription *subscribed;    /* likewise, */
    uint32_t subscriptions;             /* …likewise (events.h) */
    uint32_t last_asked;        /* number of the last ASK, 0 for none yet */
    /* The control socket is there, or with tells_only the one that only tells (fd: the receiver's).  An ASK is answered.  The keeper is gone or says STOP (why: NULL, or what
     * was wrong). */
    void (*control)(struct worker *w, int fd, bool tells_only);
    void (*answered)(struct worker *w, const struct wall_msg *m);
    void (*over)(struct worker *w, const char *why);
};

struct guest {
    struct worker *worker;
    struct list link;
    struct hash_link by_number; /* key: the keeper's number */
    uint32_t domid, device;
    uint64_t cid;
    uint8_t state;              /* of the backend's node */
    bool is_taken_in;
    uint64_t refusals;
    char name[WALL_NAME], uuid[WALL_UUID];
    char error[WALL_WHY];
    struct title title;
    struct journal_guest journal;
    struct alarm stays;         /* it has been connected for a while, and is told of */
    bool told;                  /* …and was */
    uint64_t since;             /* ms: when it was connected */
    bool owes_downed;           /* the keeper waits until the pages are unmapped */
    uint64_t reached_by;        /* the CID by which AF_VSOCK programs of the host reach it, that was told last; 0 for none */
    struct account *account;    /* what it holds of what all share, with what it left behind before (farewell.h) */
    struct lane lane;
    struct hostside host;
};

#define each_guest(w, l) for (struct list *l = (w)->guests.next, *next = l->next; l != &(w)->guests; l = next, next = l->next)

static inline struct guest *guest_at(struct list *l)
{
    return container_of(l, struct guest, link);
}

/* Without guests, and with the usual settings.  fd: the wall's, which it takes in any case.  0 or a negative errno. */
int  worker_open(struct worker *w, struct loop *loop, const struct end_kind *const *ends, int fd);
void worker_close(struct worker *w);
/* NULL if there is none. */
struct guest *worker_guest(const struct worker *w, uint32_t number);

#endif

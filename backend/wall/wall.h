/* SPDX-License-Identifier: MIT */
/* wall.h: what the keeper, the worker and the dialer say to each other, and the sockets between them.
 *
 * The keeper (guest/) is root.  It asks xenstored, decides which devices there are and how they live, makes directories and sockets,
 * and opens event channels.  No guest's packet and no host program's byte reaches it.
 * The dialer (dialer.h) connects to host programs as their users.
 * The worker (lane/, ends/, control/) has all that to do with, and no rights.  What it cannot open itself comes over this wall.
 *
 * The keeper tells and the worker answers, but for what guests and host programs bring about:
 *
 *     keeper → worker                      worker → keeper
 *     POLICY, SETTINGS   (a file each)     they take effect together
 *     CONTROL, STATUS    (a socket each)
 *     PAIR               (a socket)
 *     GUEST, GONE                          what 'ls' shows of a device is the worker's to answer
 *     DOOR, DOOR_SHUT    (a socket)        DOOR_FAILED
 *     PRESENT                              OLD          host programs are left who came by an older door
 *     ANY                (a directory)
 *     UP                 (a channel)       UPPED
 *     CONNECTED
 *     VHOST              (the kernel)      VHOST_OVER   nobody needs it any more (0), or it has failed (1)
 *     DOWN                                 DOWNED
 *     LIVE                                 IS_LIVE      the guest's byte in the control page, read at that moment
 *                                          BROKE, LOOK  the guest broke a rule; it has given up its pages, or sends empty events
 *     DIALED             (a socket)        DIAL         a guest calls a port of the host's: over a pair with the dialer
 *     ANSWER                               ASK          a verb of the control socket that changes something
 *     STOP                                 (the end of the socket)
 *
 * A message is one packet of a SOCK_SEQPACKET pair, of exactly the size of its kind, with at most one descriptor.  Whatever the
 * worker says is taken for hostile: kind, size, device and every string are judged before they are used, and what breaks these
 * rules ends the worker.  A worker can bring about what its own guests and host programs could have brought about, and no
 * more: it names devices that the keeper has told it of, ports, and the domain of an attach or detach. */
#ifndef XVSD_WALL_H
#define XVSD_WALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "loop.h"

#define WALL_NAME   256         /* bytes of a domain's name as xl has it, with its end */
#define WALL_DIR    80          /* …of a directory's (rundir.h) */
#define WALL_PATH   512
#define WALL_WHY    384
#define WALL_UUID   37
#define WALL_OWN    108         /* …of a name in the abstract namespace (dial.h) */
#define WALL_ALL    256         /* devices of a domain */
#define WALL_LINES  UINT32_MAX  /* which is no port: each says in a line which one it wants */

/* Kind, part of the message, and who says it.  What comes with a descriptor may come without, when its sender had none left. */
#define WALL_KINDS(X)                \
    X(SETTINGS,    settings, KEEPER) \
    X(CONTROL,     nothing,  KEEPER) \
    X(PAIR,        nothing,  KEEPER) \
    X(GUEST,       guest,    KEEPER) \
    X(GONE,        cut,      KEEPER) \
    X(DOOR,        door,     KEEPER) \
    X(DOOR_SHUT,   number,   KEEPER) \
    X(PRESENT,     number,   KEEPER) \
    X(ANY,         any,      KEEPER) \
    X(UP,          up,       KEEPER) \
    X(CONNECTED,   nothing,  KEEPER) \
    X(VHOST,       cid,      KEEPER) \
    X(DOWN,        cut,      KEEPER) \
    X(LIVE,        nothing,  KEEPER) \
    X(DIALED,      dialed,   KEEPER) \
    X(ANSWER,      answer,   KEEPER) \
    X(STOP,        nothing,  KEEPER) \
    X(DOOR_FAILED, number,   WORKER) \
    X(OLD,         number,   WORKER) \
    X(UPPED,       result,   WORKER) \
    X(DOWNED,      nothing,  WORKER) \
    X(IS_LIVE,     number,   WORKER) \
    X(BROKE,       result,   WORKER) \
    X(LOOK,        nothing,  WORKER) \
    X(VHOST_OVER,  number,   WORKER) \
    X(DIAL,        dial,     WORKER) \
    X(ASK,         ask,      WORKER) \
    X(POLICY,      nothing,  KEEPER) \
    X(STATUS,      nothing,  KEEPER)

enum wall_kind {
#define X(name, part, by) WALL_##name,
    WALL_KINDS(X)
#undef X
    WALL_COUNT
};

enum wall_verb { WALL_ATTACH, WALL_DETACH, WALL_RELOAD, WALL_VERBS };
#define WALL_ONLY (-1)          /* to be detached: the device that is attached, if it is one alone */
#define WALL_EACH (-2)          /* …all of them */

struct wall_msg {
    uint32_t kind;              /* enum wall_kind */
    uint32_t device;            /* whom it is about, 0 for none: a number that the keeper gives, and never gives again */
    union {
        uint32_t number;        /* DOOR_SHUT, PRESENT, DOOR_FAILED: a door's, 0 for none; OLD, IS_LIVE, VHOST_OVER: 0 or 1 */
        uint64_t cid;           /* VHOST: what the descriptor has; 0, without one: what there is is to end */
        char nothing[1];
        struct {
            char path[WALL_PATH];       /* for messages */
            uint8_t has_file;           /* else the defaults hold */
            uint8_t verbose;
        } settings;
        struct wall_guest {
            uint32_t domid, number;
            uint64_t cid;
            uint8_t state;              /* of the backend's node */
            uint8_t has_name, has_uuid; /* titles.h */
            uint8_t is_taken_in;        /* it has had a directory */
            uint64_t refusals;
            char name[WALL_NAME], uuid[WALL_UUID];
            char error[WALL_WHY];
        } guest;
        uint32_t cut;           /* GONE, DOWN: enum lane_cut */
        struct {
            uint32_t door;
            uint32_t beside;            /* 0, or the door of the same directory, beside which this one is: */
            uint32_t port;              /* …whoever comes in there wants this port, and says no line; or WALL_LINES */
            uint8_t is_present;         /* it is the guest's own from now on, as PRESENT has it: nobody who comes in is too early for that */
            char name[WALL_DIR], path[WALL_PATH];
        } door;                 /* a new one, or one that was another device's, then without a descriptor */
        struct {
            char path[WALL_PATH];
        } any;                  /* of those who listen for all guests */
        struct {
            uint64_t cid;
            uint32_t control_ref, port;         /* the port is bound, and ours */
            uint32_t features;                  /* enum vsockif_feature, that both ends have */
        } up;
        struct {
            int32_t err;
            char why[WALL_WHY];
        } result;
        struct {
            uint32_t request, port;
            uint8_t messages;           /* 0 or 1: a SOCK_SEQPACKET is to listen there, not a SOCK_STREAM */
            char own[WALL_OWN];
        } dial;
        struct {
            uint32_t request;
            int32_t err;
            uint32_t wishes;            /* dial.h */
            uint8_t for_all;            /* it listens for all guests, and is to hear first who calls */
            char why[WALL_WHY], dir[WALL_PATH];
        } dialed;
        struct {
            uint32_t request, verb;     /* enum wall_verb */
            int32_t number;             /* of the device; ATTACH: -1 for any; DETACH: or one of the above */
            uint64_t cid;
            char domain[WALL_NAME];
        } ask;
        struct {
            uint32_t request, verb;
            int32_t result;             /* 0, for DETACH how many, or a negative errno */
            uint8_t gone[WALL_ALL];
            char why[2 * WALL_WHY];
        } answer;
    };
};

/* NULL, or what is wrong with a message of len bytes from the worker, or else from the keeper.  Pure. */
const char *wall_judge(const struct wall_msg *m, size_t len, bool from_worker);

/* One end of the socket. */
struct wall {
    struct loop *loop;
    bool hears_worker;          /* it is the keeper's end */
    struct source source;
    struct list out;            /* struct parcel.link (wall.c): what did not fit */
    uint32_t waiting;           /* in out */
    struct alarm again;
    /* A good message; the descriptor is the receiver's, -1 for none. */
    void (*hear)(struct wall *w, const struct wall_msg *m, int fd);
    /* The other end is gone, or has broken a rule (why says which).  The wall is closed. */
    void (*gone)(struct wall *w, const char *why);
};

/* Takes fd, in any case.  0 or a negative errno. */
int  wall_open(struct wall *w, struct loop *loop, int fd, bool hears_worker);
/* Harmless on a closed one, or all zero with source.fd -1. */
void wall_close(struct wall *w);
static inline bool wall_is_open(const struct wall *w)
{
    return w->source.fd >= 0;
}
/* m->kind, m->device and the part that belongs to the kind are filled in.  Takes fd, or -1.  On a closed one it is dropped. */
void wall_send(struct wall *w, const struct wall_msg *m, int fd);

#endif

/* SPDX-License-Identifier: MIT */
/* worker.c: see worker.h.  One function a message. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xengnttab.h>

#include "bridge.h"
#include "clock.h"
#include "cuts.h"
#include "door.h"
#include "feed.h"
#include "greet.h"
#include "kernel.h"
#include "policy_dir.h"
#include "serve.h"
#include "settings_files.h"
#include "stream.h"
#include "updown.h"
#include "xenlog.h"

#define VISIT_MS 5000u          /* a guest that is connected no longer than that is no news: it runs a command, and then another one */

static struct guest *guest_of_lane(struct lane *lane)
{
    return container_of(lane, struct guest, lane);
}

static uint32_t number_of(const struct guest *g)
{
    return g->by_number.key;
}

static void say(struct guest *g, struct wall_msg *m)
{
    m->device = number_of(g);
    wall_send(&g->worker->wall, m, -1);
}

/* ---- telling of guests that come and go ---- */

/* why: NULL for none. */
static void feed(struct guest *g, enum event_kind kind, const struct reason *why, const char *text)
{
    struct happening h = { .kind = kind, .lane = &g->lane, .has_reason = why != NULL, .reason = why ? *why : REASON(NONE), .text = text };

    feed_tell(&g->worker->lanes, &h);
}

/* The end of a connection, or of a device. */
static void feed_end(struct guest *g, enum event_kind kind, enum lane_cut why)
{
    static const char *const texts[] = {
        [LANE_STOPPED] = "the daemon stops", [LANE_DETACHED] = "the device was taken away", [LANE_GONE] = "the guest is gone",
        [LANE_REFUSED] = "the guest broke a rule", [LANE_DOWN] = "its program has given the device up"
    };
    const struct reason reason = lane_cut_reason(why);

    feed(g, kind, &reason, texts[why]);
}

/* What the keeper has told of a guest that was otherwise before: 'was' is called so. */
static void feed_changes(struct guest *g, const struct wall_guest *was)
{
    char text[WALL_NAME + 80];

    if (!g->is_taken_in)
        return;
    if (!was->is_taken_in) {
        feed(g, EVENT_ATTACHED, NULL, "its device is served from now on");
    } else if (strcmp(was->name, g->name) || was->cid != g->cid) {
        snprintf(text, sizeof text, "this was %s, CID %llu", was->name, (unsigned long long)was->cid);
        feed(g, EVENT_CHANGED, NULL, text);
    }
    if (g->refusals > was->refusals)
        feed(g, EVENT_REJECTED, NULL, g->error);
    else if (*g->error && strcmp(was->error, g->error))
        feed(g, EVENT_DELAYED, NULL, g->error);
}

static void tell_connected(struct guest *g)
{
    const struct lane *lane = &g->lane;

    alarm_stop(&g->stays);
    g->told = true;
    journal_event(&g->journal, EVENT_CONNECTED, NULL, "connected, CID %llu, rings of %u and %u slots, pools of %u and %u KiB",
                  (unsigned long long)lane->cid, ring_slots(&lane->back.tx), ring_slots(&lane->back.rx),
                  lane->map.mem.tx_bytes / 1024, lane->map.mem.rx_bytes / 1024);
}

static void on_stays(struct alarm *alarm, uint64_t now)
{
    (void)now;
    tell_connected(container_of(alarm, struct guest, stays));
}

/* One that leaves soon and in order has no line but for debugging; of one that does not, others tell (GONE: the keeper, REFUSED: what it has
 * done). */
static void tell_disconnected(struct guest *g, enum lane_cut why)
{
    const struct lane *lane = &g->lane;
    const char *word = reason_word(lane_cut_reason(why).code);

    if (!lane_is_connected(lane))
        return;
    if (feed_is_heard(lane->all))
        feed_end(g, EVENT_DISCONNECTED, why);
    if (g->told)
        journal_event(&g->journal, EVENT_DISCONNECTED, word, "disconnected (%s); connections that end: %u", word, vmux_count(lane->mux));
    else if (journal_shows(JOURNAL_DEBUG))
        journal_guest(&g->journal, JOURNAL_DEBUG, "it was connected for %llu ms (%s); connections that end: %u",
                      (unsigned long long)(loop_now(lane->all->loop) - g->since), word, vmux_count(lane->mux));
    alarm_stop(&g->stays);
    g->told = false;
}

/* ---- what lanes and host programs say ---- */

static void on_pages_unused(struct lane *lane)
{
    struct guest *g = guest_of_lane(lane);

    lane_unmap(lane);
    if (g->owes_downed)
        say(g, &(struct wall_msg){ .kind = WALL_DOWNED });
    g->owes_downed = false;
}

static void down(struct lane *lane, enum lane_cut why)
{
    tell_disconnected(guest_of_lane(lane), why);
    lane_down(lane, why);
    kernel_guest_left(lane, on_pages_unused);
}

static void on_broke(struct lane *lane, const char *why)
{
    struct wall_msg m = { .kind = WALL_BROKE };

    snprintf(m.result.why, sizeof m.result.why, "%s", why);
    down(lane, LANE_REFUSED);
    say(guest_of_lane(lane), &m);
}

static void on_look(struct lane *lane)
{
    say(guest_of_lane(lane), &(struct wall_msg){ .kind = WALL_LOOK });
}

static const struct lane_owner lane_owner = { .broke = on_broke, .look = on_look };

static struct guest *guest_of_host(struct hostside *host)
{
    return container_of(host, struct guest, host);
}

static void on_old_used(struct hostside *host, bool used)
{
    say(guest_of_host(host), &(struct wall_msg){ .kind = WALL_OLD, .number = used });
}

static void on_dial(struct hostside *host, uint32_t request, uint32_t port, unsigned type, const char *own)
{
    struct wall_msg m = { .kind = WALL_DIAL, .dial = { .request = request, .port = port,
                                                           .messages = type == VSOCKIF_TYPE_SEQPACKET } };

    snprintf(m.dial.own, sizeof m.dial.own, "%s", own);
    m.device = number_of(guest_of_host(host));
    wall_send(&guest_of_host(host)->worker->dialer, &m, -1);    /* without a dialer: bridge_redial() when there is one */
}

/* ---- guests ---- */

struct guest *worker_guest(const struct worker *w, uint32_t number)
{
    for (struct hash_link *l = hash_first(&w->by_number, number); l; l = l->next)
        if (l->key == number)
            return container_of(l, struct guest, by_number);
    return NULL;
}

static void free_guest(struct guest *g, enum lane_cut why)
{
    tell_disconnected(g, why);
    if (g->is_taken_in && feed_is_heard(&g->worker->lanes))
        feed_end(g, EVENT_DETACHED, why);
    g->owes_downed = false;     /* nobody waits for it any more */
    lane_down(&g->lane, why);
    lane_end(&g->lane);
    kernel_end_of(&g->lane);
    lane_unmap(&g->lane);
    greet_end(&g->host);
    list_remove(&g->link);
    hash_remove(&g->worker->by_number, &g->by_number);
    account_close(g->account);
    journal_guest_end(&g->journal);
    free(g);
}

static struct guest *make_guest(struct worker *w, const struct wall_msg *m)
{
    struct guest *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    lane_init(&g->lane, &w->lanes, &lane_owner);
    if (greet_begin(&g->host, &w->hostsides, &g->lane) ||
        !(g->account = account_open(&w->accounts, *m->guest.uuid ? m->guest.uuid : m->guest.name, m->guest.number))) {
        greet_end(&g->host);
        free(g);
        return NULL;
    }
    g->worker = w;
    g->title = (struct title){ .name = g->name, .uuid = g->uuid };
    g->lane.journal = &g->journal;
    g->lane.account = g->account;
    g->lane.title = &g->title;
    g->lane.domid = m->guest.domid;
    g->domid = m->guest.domid;
    g->device = m->guest.number;
    journal_guest_init(&g->journal, m->guest.name, g->domid, g->device);
    alarm_init(&g->stays, on_stays);
    list_init(&g->link);
    list_append(&w->guests, &g->link);
    hash_insert(&w->by_number, &g->by_number, m->device);
    return g;
}

/* What the settings say of it may be otherwise now: they are, or what it is called. */
static void limit(struct guest *g)
{
    struct settings_own own;

    settings_own(g->worker->settings, &g->title, &own);
    serve_limit(&g->lane, &own.limits);
}

static void on_guest(struct worker *w, const struct wall_msg *m)
{
    struct guest *g = worker_guest(w, m->device);
    struct wall_guest was;

    if (!g && !(g = make_guest(w, m))) {
        w->over(w, "out of memory");
        return;
    }
    was = (struct wall_guest){ .cid = g->cid, .is_taken_in = g->is_taken_in, .refusals = g->refusals };
    snprintf(was.name, sizeof was.name, "%s", g->name);
    snprintf(was.error, sizeof was.error, "%s", g->error);
    g->cid = g->journal.cid = m->guest.cid;
    g->state = m->guest.state;
    g->is_taken_in = m->guest.is_taken_in;
    g->refusals = m->guest.refusals;
    g->title.has_name = m->guest.has_name;
    g->title.has_uuid = m->guest.has_uuid;
    if (strcmp(g->name, m->guest.name))
        journal_guest_name(&g->journal, m->guest.name, g->domid, g->device);
    snprintf(g->name, sizeof g->name, "%s", m->guest.name);
    snprintf(g->uuid, sizeof g->uuid, "%s", m->guest.uuid);
    snprintf(g->error, sizeof g->error, "%s", m->guest.error);
    limit(g);
    if (feed_is_heard(&w->lanes))
        feed_changes(g, &was);
}

static enum lane_cut cut_of(const struct wall_msg *m)
{
    static const enum lane_cut cuts[CUT_COUNT] = {
        [CUT_STOPPED] = LANE_STOPPED, [CUT_DETACHED] = LANE_DETACHED, [CUT_GONE] = LANE_GONE, [CUT_REFUSED] = LANE_REFUSED,
        [CUT_DOWN] = LANE_DOWN
    };

    return m->cut < CUT_COUNT ? cuts[m->cut] : LANE_DOWN;
}

/* ---- doors ---- */

/* Not a new one: somebody else's until now. */
static int take_door(struct guest *g, uint32_t number)
{
    struct worker *w = g->worker;

    each_guest(w, l) {
        struct door *door = door_find(&guest_at(l)->host, number);

        if (door) {
            door_move(door, &g->host);
            return 0;
        }
    }
    return -EMFILE;             /* it is new, and no descriptor was left for it */
}

static void on_door(struct guest *g, const struct wall_msg *m, int fd)
{
    int err = fd < 0 ? take_door(g, m->door.door) : door_open(&g->host, m->door.door, m->door.name, m->door.path, fd);

    if (!err) {
        struct door *door = door_find(&g->host, m->door.door);

        door_stand(door, m->door.beside);
        if (m->door.beside && m->door.port != WALL_LINES)
            door_lead(door, m->door.port);
        if (m->door.is_present)
            door_choose(&g->host, door);
        return;
    }
    journal_guest(&g->journal, JOURNAL_ERROR, "cannot watch the socket %.200s/vsock: %s", m->door.path, strerror(-err));
    say(g, &(struct wall_msg){ .kind = WALL_DOOR_FAILED, .number = m->door.door });
}

static void on_door_shut(struct guest *g, uint32_t number)
{
    struct door *door = door_find(&g->host, number);

    if (door)
        door_close(door);
}

/* ---- up and down ---- */

static void on_up(struct guest *g, const struct wall_msg *m, int fd)
{
    struct wall_msg answer = { .kind = WALL_UPPED };

    answer.result.err = lane_up(&g->lane, m->up.cid, m->up.control_ref, m->up.features, fd, m->up.port, answer.result.why);
    say(g, &answer);
}

static void on_connected(struct guest *g)
{
    if (!g->lane.mux || lane_is_connected(&g->lane))
        return;                 /* the keeper has tried to tell the guest before */
    lane_connected(&g->lane);
    g->since = loop_now(g->worker->loop);
    alarm_at(g->worker->loop, &g->stays, clock_deadline_ms(VISIT_MS));
    if (feed_is_heard(g->lane.all))
        feed(g, EVENT_CONNECTED, NULL, "a program in the guest has its device open");
}

/* The keeper lets go, too. */
static void on_kernel_over(struct lane *lane, bool failed)
{
    say(guest_of_lane(lane), &(struct wall_msg){ .kind = WALL_VHOST_OVER, .number = failed });
}

static void on_vhost(struct guest *g, const struct wall_msg *m, int fd)
{
    char why[KERNEL_WHY] = "no descriptor came with it";

    if (!m->cid) {
        kernel_retire(&g->lane);
        g->reached_by = 0;
        return;
    }
    if (fd < 0 || kernel_begin(&g->lane, m->cid, fd, on_kernel_over, why)) {
        journal_guest(&g->journal, JOURNAL_WARNING, "it is not reached by AF_VSOCK, but by UNIX sockets as ever: %s", why);
        on_kernel_over(&g->lane, true);
        return;
    }
    if (g->reached_by != m->cid)        /* else it is so each time that the guest connects */
        journal_guest(&g->journal, JOURNAL_INFO, "AF_VSOCK programs of this host reach it by CID %llu", (unsigned long long)m->cid);
    g->reached_by = m->cid;
}

static void on_down(struct guest *g, const struct wall_msg *m)
{
    g->owes_downed = true;
    down(&g->lane, cut_of(m));
}

static void on_dialed(struct guest *g, const struct wall_msg *m, int fd)
{
    int result = m->dialed.err ? m->dialed.err : fd < 0 ? -EMFILE : fd;

    bridge_dialed(&g->host, &(struct bridge_dialed){ .request = m->dialed.request, .fd = result, .vouched = m->dialed.wishes, .for_all = m->dialed.for_all,
                                                     .dir = m->dialed.dir, .why = m->dialed.why });
}

/* ---- settings ---- */

static void drop_policy_fd(struct worker *w)
{
    if (w->policy_fd >= 0)
        close(w->policy_fd);
    w->policy_fd = -1;
}

static void on_policy(struct worker *w, int fd)
{
    drop_policy_fd(w);
    w->policy_fd = fd;
}

/* Both are what the keeper has found good.  Takes fd; 0, or a negative errno and neither. */
static int read_both(struct worker *w, const struct wall_msg *m, int fd, struct settings **settings, struct policy **policy)
{
    int err;

    if (m->settings.has_file)
        err = fd < 0 ? -EMFILE : settings_take(fd, settings);
    else
        err = (*settings = settings_default()) ? 0 : -ENOMEM;
    if (err)
        return err;
    if ((err = w->policy_fd < 0 ? -EMFILE : policy_take(w->policy_fd, *settings, policy)))
        settings_free(*settings);
    w->policy_fd = -1;
    return err;
}

static void on_settings(struct worker *w, const struct wall_msg *m, int fd)
{
    struct settings *settings = NULL;
    struct policy *policy = NULL;
    int err = read_both(w, m, fd, &settings, &policy);

    drop_policy_fd(w);
    if (err) {
        w->over(w, "it cannot have the settings");
        return;
    }
    settings_free(w->settings);
    policy_free(w->policy);
    w->lanes.settings = w->settings = settings;
    w->lanes.policy = w->policy = policy;
    journal_set_level(m->settings.verbose ? JOURNAL_DEBUG : (enum journal_level)settings->log_level);
    each_guest(w, l)
        limit(guest_at(l));
    if (feed_is_heard(&w->lanes))
        feed_tell(&w->lanes, &(struct happening){ .kind = EVENT_RELOADED, .text = "settings and policy were read again" });
    if (settings->policy_cuts)
        each_guest(w, l)
            streams_judge(&guest_at(l)->lane);
}

/* ---- the dialer ---- */

static void on_dialer(struct wall *wall, const struct wall_msg *m, int fd)
{
    struct guest *g = worker_guest(container_of(wall, struct worker, dialer), m->device);

    if (g && m->kind == WALL_DIALED)
        on_dialed(g, m, fd);
    else if (fd >= 0)
        close(fd);
}

static void on_dialer_gone(struct wall *wall, const char *why)
{
    if (why)
        container_of(wall, struct worker, dialer)->over(container_of(wall, struct worker, dialer), why);
}

static void on_pair(struct worker *w, int fd)
{
    wall_close(&w->dialer);
    if (fd < 0 || wall_open(&w->dialer, w->loop, fd, false)) {
        w->over(w, "it cannot speak to the dialer");
        return;
    }
    each_guest(w, l)
        bridge_redial(&guest_at(l)->host);
}

/* ---- the wall ---- */

static void hear_of(struct guest *g, const struct wall_msg *m, int fd)
{
    switch (m->kind) {
    case WALL_GONE:      free_guest(g, cut_of(m)); break;
    case WALL_DOOR:      on_door(g, m, fd); return;
    case WALL_DOOR_SHUT: on_door_shut(g, m->number); break;
    case WALL_PRESENT:   door_choose(&g->host, m->number ? door_find(&g->host, m->number) : NULL); break;
    case WALL_UP:        on_up(g, m, fd); return;
    case WALL_CONNECTED: on_connected(g); break;
    case WALL_VHOST:     on_vhost(g, m, fd); return;
    case WALL_DOWN:      on_down(g, m); break;
    case WALL_LIVE:      say(g, &(struct wall_msg){ .kind = WALL_IS_LIVE, .number = map_is_live(&g->lane.map) }); break;
    default:             break;
    }
    if (fd >= 0)
        close(fd);
}

static void on_hear(struct wall *wall, const struct wall_msg *m, int fd)
{
    struct worker *w = container_of(wall, struct worker, wall);
    struct guest *g;

    switch (m->kind) {
    case WALL_POLICY:   on_policy(w, fd); return;
    case WALL_SETTINGS: on_settings(w, m, fd); return;
    case WALL_CONTROL:  w->control(w, fd, false); return;
    case WALL_STATUS:   w->control(w, fd, true); return;
    case WALL_PAIR:     on_pair(w, fd); return;
    case WALL_GUEST:    on_guest(w, m); return;
    case WALL_ANSWER:   w->answered(w, m); return;
    case WALL_STOP:     w->over(w, NULL); return;
    default:            break;
    }
    if ((g = worker_guest(w, m->device)))
        hear_of(g, m, fd);
    else if (fd >= 0)
        close(fd);
}

static void on_gone(struct wall *wall, const char *why)
{
    struct worker *w = container_of(wall, struct worker, wall);

    w->over(w, why ? why : "the keeper is gone");
}

/* ---- the beginning and the end ---- */

/* As many descriptors as there may be, and who may have them. */
static void raise_limit(struct worker *w)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    accounts_share_files(&w->accounts, limit.rlim_cur);
}

/* Only a guest's failed connects come here, so looking at all of them will do. */
static struct lane *find_down(struct lanes *all, uint64_t cid)
{
    const struct worker *w = container_of(all, struct worker, lanes);

    for (struct list *l = w->guests.next; l != &w->guests; l = l->next)
        if (guest_at(l)->cid == cid)
            return &guest_at(l)->lane;
    return NULL;
}

int worker_open(struct worker *w, struct loop *loop, const struct end_kind *const *ends, int fd)
{
    int err;

    w->loop = loop;
    w->proc_fd = w->policy_fd = -1;
    w->started = loop_now(loop);
    w->wall = (struct wall){ .source.fd = -1, .hear = on_hear, .gone = on_gone };
    w->dialer = (struct wall){ .source.fd = -1, .hear = on_dialer, .gone = on_dialer_gone };
    w->hostsides = (struct hostsides){ .loop = loop, .old_used = on_old_used, .dial = on_dial };
    list_init(&w->guests);
    accounts_init(&w->accounts);
    farewells_init(&w->farewells, &w->lanes);
    raise_limit(w);
    if ((err = hash_init(&w->by_number)) || (err = lanes_init(&w->lanes, loop, ends)) ||
        (err = (w->settings = settings_default()) && (w->policy = calloc(1, sizeof *w->policy)) ? 0 : -ENOMEM)) {
        close(fd);
        return err;
    }
    w->lanes.settings = w->settings;
    w->lanes.policy = w->policy;
    w->lanes.farewells = &w->farewells;
    w->lanes.find_down = find_down;
    w->lanes.gnt = xengnttab_open(xenlog(), 0);     /* else lane_up() tries again, and says so */
    w->proc_fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return wall_open(&w->wall, loop, fd, false);
}

void worker_close(struct worker *w)
{
    if (!w->loop)
        return;
    each_guest(w, l)
        free_guest(guest_at(l), LANE_STOPPED);
    farewells_stop(&w->farewells);
    lanes_free(&w->lanes);
    hash_free(&w->by_number);
    settings_free(w->settings);
    policy_free(w->policy);
    drop_policy_fd(w);
    wall_close(&w->dialer);
    wall_close(&w->wall);
    if (w->proc_fd >= 0)
        close(w->proc_fd);
}

/* SPDX-License-Identifier: MIT */
/* device.c: a device from open to close, and what turns it. */
#include "internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIN_POOL (64u << 10)
#define MAX_POOL (2u << 20)
#define DEFAULT_POOL (960u << 10)       /* with its rings, two such devices go into gntalloc's 1024 pages */
#define ROUNDS   16             /* of taking in and sending before others get the thread */
#define UNSLEPT  64u            /* waits without a sleep, after which xenstore and the timer are looked at */
#define BYTE_MS  100u           /* life.h: an event of the channel may come before back_live is cleared */

_Static_assert(XVS_SPIN_AUTO == SPINNER_AUTO, "one value, in and out");

uint64_t now_ms(void)
{
    return clock_coarse_ms();
}

/* ---- the descriptor ---- */

void device_set_timer(struct xvs *x, uint64_t now)
{
    uint64_t bus = bus_deadline(x), mux = vmux_next_deadline(x->mux);

    wake_at(&x->wake, bus < mux ? bus : mux, now);
}

int xvs_fd(const struct xvs *x)
{
    return x->wake.epoll;
}

/* ---- open and close ---- */

void xvs_options_init(struct xvs_options *options)
{
    *options = (struct xvs_options){
        .size = sizeof *options,
        .buffer = 512u << 10,
        .tx_pool = DEFAULT_POOL,
        .rx_pool = DEFAULT_POOL,
        .max_streams = 65536,
        .connect_timeout = VCONN_CONNECT_MS,
        .spin = XVS_SPIN_AUTO,
    };
}

void options_of(struct xvs_options *out, const struct xvs_options *given)
{
    xvs_options_init(out);
    if (given)
        memcpy(out, given, given->size < sizeof *out ? given->size : sizeof *out);
}

const char *options_run_dir(const struct xvs_options *o)
{
    const char *dir = o->run_dir ? o->run_dir : getenv("XVS_RUN_DIR");

    return dir && *dir ? dir : "/run/xvs";
}

static int check_options(const struct xvs_options *o)
{
    if (o->device >= PATHS_DEVICES)
        return words_say(-EINVAL, "xvs_options.device: %u is not below %u", o->device, PATHS_DEVICES);
    if (o->buffer < 4096 || o->buffer > 64u << 20)
        return words_say(-EINVAL, "xvs_options.buffer: %u is not within 4096 and 67108864 bytes", o->buffer);
    if (o->tx_pool < MIN_POOL || o->tx_pool > MAX_POOL || o->tx_pool % VSOCKIF_PAGE_SIZE)
        return words_say(-EINVAL, "xvs_options.tx_pool: %u is not whole pages within 65536 and 2097152 bytes", o->tx_pool);
    if (o->rx_pool < MIN_POOL || o->rx_pool > MAX_POOL || o->rx_pool % VSOCKIF_PAGE_SIZE)
        return words_say(-EINVAL, "xvs_options.rx_pool: %u is not whole pages within 65536 and 2097152 bytes", o->rx_pool);
    if ((o->tx_pool + o->rx_pool) / VSOCKIF_PAGE_SIZE + 32 > VSOCKIF_CONTROL_REFS)
        return words_say(-EINVAL, "xvs_options.tx_pool and rx_pool: together more than %u bytes",
                         (VSOCKIF_CONTROL_REFS - 32) * VSOCKIF_PAGE_SIZE);
    if (!o->max_streams)
        return words_say(-EINVAL, "xvs_options.max_streams: 0 streams are of no use");
    return 0;
}

static void orphan(struct owned *owned)
{
    struct xvs *x = container_of(owned, struct xvs, lock.owned);

    x->wake.orphan = true;
    x->up = false;
    owner_orphan(&x->lock);
    share_orphan(&x->share, x->wake.epoll);
}

static int lock_device(struct xvs *x)
{
    char path[256] = "";
    long pid;
    int err;

    forks_enter();
    err = owner_lock(&x->lock, options_run_dir(&x->opt), x->opt.device, &pid, path, sizeof path);
    forks_leave();
    if (!err)
        return 0;
    if (err == -EBUSY && pid == getpid())
        return words_say(err, "device/vsock/%u is open already, in this process %ld (%s)", x->opt.device, pid, path);
    if (err == -EBUSY && pid == OWNER_UNKNOWN)
        return words_say(err, "device/vsock/%u belongs to another process, of another PID namespace perhaps (%s)",
                         x->opt.device, path);
    if (err == -EBUSY)
        return words_say(err, "device/vsock/%u belongs to process %ld (%s)", x->opt.device, pid, path);
    return words_fail(TRY_LOCK, path, err);
}

static int open_parts(struct xvs *x)
{
    struct vmux_config config = {
        .conn_size = sizeof(struct xvs_stream),
        .max_conns = x->opt.max_streams,
        .buf_alloc = x->opt.buffer,
        .tx_cap = 1u << 20,
        .first_port = 1024,
        .max_resets = VSOCKIF_MAX_RESETS,
        .dispose = stream_dispose,
        .dispose_arg = x,
    };
    enum attempt what;
    int err;

    if ((err = wake_open(&x->wake)))
        return words_fail(TRY_DESCRIPTOR, "", err);
    if ((err = share_probe(&what)))
        return words_fail(what, "", err);
    if ((err = lock_device(x)))
        return err;
    if ((err = vmux_new(&config, &x->mux)))
        return words_fail(TRY_TABLE, "", err);
    if ((err = bus_open(x, &what)))
        return words_fail(what, "", err);
    return 0;
}

static int start_process(void)
{
    int err = forks_start();

    return err ? words_fail(TRY_FORK, "", err) : 0;
}

int xvs_open(const struct xvs_options *options, struct xvs **out)
{
    struct xvs *x = calloc(1, sizeof *x);
    int err;

    *out = NULL;
    if (!x)
        return words_say(-ENOMEM, "out of memory");
    options_of(&x->opt, options);
    x->report = (struct report){ .device = x->opt.device, .log = x->opt.log, .log_arg = x->opt.log_arg };
    wake_init(&x->wake);
    owner_init(&x->lock, orphan);
    x->store_fd = x->evtchn_fd = -1;
    x->byte_check = LIFE_NEVER;
    list_init(&x->events);
    list_init(&x->gathering);
    list_init(&x->hungry);
    list_init(&x->fed);
    list_init(&x->listeners);
    source_init(&x->source, SOURCE_DEVICE);
    snprintf(x->report.reason, sizeof x->report.reason, "not connected yet");
    if ((err = check_options(&x->opt)) || (err = start_process()) || (err = open_parts(x))) {
        xvs_close(x);
        return err;
    }
    bus_run(x, true, now_ms());
    device_set_timer(x, now_ms());
    *out = x;
    return 0;
}

void xvs_close(struct xvs *x)
{
    if (!x)
        return;
    /* An orderly close needs the backend's answer, which we cannot wait for: going away is one, too.
     * The backend hears of it by front_live and the channel, and the kernel keeps what it still maps. */
    while (x->listeners.next && !list_is_empty(&x->listeners))
        xvs_listener_close(container_of(x->listeners.next, struct xvs_listener, link));
    if (x->up)
        pump_reset(x);
    if (x->mux)
        vmux_free(x->mux);
    bus_judge_share(x);
    forks_enter();
    share_close(&x->share);
    forks_leave();
    if (x->store)
        bus_close(x);
    wake_close(&x->wake);
    forks_enter();
    owner_unlock(&x->lock);
    forks_leave();
    free(x);
}

/* ---- process and wait ---- */

void device_notify(struct xvs *x)
{
    uint64_t begin = spinner_times(&x->spinner) ? clock_now_ns() : 0;

    x->sent_kicks++;
    xenevtchn_notify(x->share.evtchn, x->share.port);
    if (begin)
        spinner_price(&x->spinner, clock_now_ns() - begin);
}

/* Only before a sleep: the answer to what has come should not have to wait for this system call. */
static void unmask(struct xvs *x)
{
    if (x->masked && x->share.evtchn)
        xenevtchn_unmask(x->share.evtchn, x->share.port);
    x->masked = false;
}

/* Waits up to timeout ms for what wakes us and takes it in: how much, or -EINTR. */
static int take_wakeups(struct xvs *x, int timeout)
{
    unsigned fired;
    int n = wake_take(&x->wake, timeout, &fired);

    if (fired & WAKE_STORE)
        x->store_fired = true;
    if (fired & WAKE_EVTCHN) {
        x->kicked = true;
        if (xenevtchn_pending(x->share.evtchn) >= 0) {
            x->received_kicks++;
            x->masked = true;
        }
    }
    return n;
}

static void expire(struct xvs *x, uint64_t now)
{
    struct vmux_event ev;

    if (now >= vmux_next_deadline(x->mux))
        while (vmux_expire(x->mux, now, &ev))
            pump_apply(x, &ev);
}

/* Takes in all that has come and sends all that is owed. */
static void work(struct xvs *x)
{
    uint64_t coarse = now_ms(), now = coarse > x->wake.passed ? coarse : x->wake.passed;
    int got = x->up ? pump_receive(x, now) : 0;

    if (x->kicked && !got && x->byte_check == LIFE_NEVER)
        x->byte_check = clock_deadline_ms(BYTE_MS);
    x->kicked = false;
    expire(x, now);
    bus_run(x, x->store_fired, now);
    x->store_fired = false;
    xvs_flush(x);
}

/* False when something has come meanwhile: there is no sleeping yet. */
static bool prepare_sleep(struct xvs *x)
{
    if (x->up && !link_front_arm(&x->link, wants_room(x)))
        return false;
    unmask(x);
    device_set_timer(x, now_ms());
    return true;
}

static bool has_come(struct xvs *x)
{
    return ring_pending(&x->link.rx) || (wants_room(x) && ring_pending(&x->link.tx));
}

/* Looks at the rings for a while; true if something came. */
static bool spin(struct xvs *x)
{
    uint64_t end = clock_now_ns() + UINT64_C(1000) * spinner_time(&x->spinner, x->opt.spin);

    do {
        for (int i = 0; i < 64; i++) {
            if (has_come(x))
                return true;
            shm_relax();
        }
    } while (clock_now_ns() < end);
    return false;
}

/* Gives the processor to others; true if something came. */
static bool yield(struct xvs *x)
{
    uint64_t began = clock_now_ns();

    if (began < x->next_yield)
        return false;
    sched_yield();
    x->next_yield = spinner_next_yield(began, clock_now_ns());
    return has_come(x);
}

/* Tries what has paid, in place of a sleep; true if something came. */
static bool linger(struct xvs *x)
{
    bool hit = false;

    if (spinner_wants(&x->spinner)) {
        hit = spin(x);
        spinner_note(&x->spinner, hit);
    }
    if (!hit && spinner_wants(&x->yields)) {
        hit = yield(x);
        spinner_note(&x->yields, hit);
    }
    return hit;
}

/* What is never idle must not keep us from xenstore and the timer. */
static void note_unslept(struct xvs *x)
{
    if (++x->unslept % UNSLEPT == 0)
        take_wakeups(x, 0);
}

int device_sleep(struct xvs *x, int timeout)
{
    int n = 1;

    if (x->up && x->opt.spin && timeout && linger(x)) {
        note_unslept(x);
        work(x);
        return 1;
    }
    if (prepare_sleep(x))
        n = take_wakeups(x, timeout);
    else
        note_unslept(x);
    if (n > 0)
        work(x);
    return n;
}

int xvs_process(struct xvs *x)
{
    if (x->wake.orphan)
        return -ESTALE;
    take_wakeups(x, 0);
    for (int i = 0; i < ROUNDS; i++) {
        work(x);
        if (prepare_sleep(x))
            return 0;
    }
    wake_again(&x->wake);
    return 0;
}

void xvs_flush(struct xvs *x)
{
    struct list *link;

    /* Each once, for one that fills a reserved piece stays.  Sending may end another stream and take it out of the list. */
    for (uint32_t n = x->gather_count; x->up && n && (link = list_take(&x->gathering)); n--) {
        struct xvs_stream *s = container_of(link, struct xvs_stream, gather_link);

        list_append(&x->gathering, link);
        if (!s->reserved)
            send_gathered(x, s);
    }
    pump_flush(x);
}

int xvs_wait(struct xvs *x, int timeout)
{
    uint64_t end = timeout <= 0 ? 0 : clock_now_ns() + (uint64_t)timeout * 1000000;
    int left = timeout;
    bool is_over = false;

    if (x->wake.orphan)
        return -ESTALE;
    work(x);
    while (list_is_empty(&x->events)) {
        int n;

        if (is_over)
            return 0;
        if ((n = device_sleep(x, left)) < 0)
            return n;
        if (timeout > 0)
            left = clock_left_ms(end);
        is_over = left == 0;
    }
    note_unslept(x);
    return 1;
}

bool xvs_is_up(const struct xvs *x)
{
    return x->up;
}

uint64_t xvs_cid(const struct xvs *x)
{
    return x->cid;
}

const char *xvs_reason(const struct xvs *x)
{
    return x->wake.orphan ? "this process was forked from the one that owns the device" : x->report.reason;
}

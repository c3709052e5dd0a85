/* SPDX-License-Identifier: MIT */
/* lab.c: see lab.h. */
#include "lab.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifdef __SANITIZE_THREAD__
/* libxenstore closes a broken connection while its own thread still reads from it. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:libxenstore.so\n";
}
#endif

struct rawback back;
struct xvs *x;
struct xvs_listener *listener;
struct xvs_options options;
uint32_t lab_held, lab_features;

static uint32_t held[LINK_MAX_SLOTS];
static bool attached;
static struct far *known[LINK_MAX_SLOTS];      /* by the host's port, modulo */

/* What this test, or a failed one before it, has left. */
static void clear(void)
{
    xvs_close(x);
    x = NULL;
    listener = NULL;
    lab_held = 0;
    memset(known, 0, sizeof known);
    if (attached)
        rawback_close(&back);
    attached = false;
}

void lab_attach(void)
{
    clear();
    hosted_become(0);
    REQUIRE(rawback_open(&back, GUEST, 0, CID) == 0);
    back.features = lab_features;
    attached = true;
}

int lab_open(void)
{
    int err;

    hosted_become(GUEST);
    err = xvs_open(options.size ? &options : NULL, &x);
    hosted_become(0);
    return err;
}

void lab_handshake(void)
{
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISING);
    REQUIRE(rawback_offer(&back) == 0);
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISED);
    REQUIRE(rawback_map(&back) == 0);
    UNTIL(xvs_is_up(x));
}

void lab_start(void)
{
    lab_attach();
    REQUIRE(lab_open() == 0);
    REQUIRE(xvs_listen(x, PORT, 16, &listener) == 0);
    lab_handshake();
    lab_settle();
}

void lab_stop(void)
{
    clear();
    xvs_options_init(&options);
    options.connect_timeout = PATIENCE_MS;
    lab_features = 0;
}

void lab_reset(void)
{
    rawback_unmap(&back);
    lab_held = 0;
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSING) == 0);
    UNTIL(!xvs_is_up(x));
}

void lab_process(void)
{
    hosted_become(GUEST);
    xvs_process(x);
    hosted_become(0);
}

/* xenstored tells of a change before it answers whoever made it, and in the order of what it answers this connection. */
void lab_settle(void)
{
    do {
        REQUIRE(store_check(x->bus.store) == 0);
        lab_process();
    } while (lab_poll(0));
}

bool lab_poll(int ms)
{
    struct pollfd pfd = { .fd = xvs_fd(x), .events = POLLIN };

    return poll(&pfd, 1, ms) == 1;
}

void lab_events(void)
{
    struct xvs_event ev;

    while (xvs_next_event(x, &ev))
        ;
}

unsigned lab_stream_events(struct xvs_stream *s)
{
    struct xvs_event ev;
    unsigned what = 0;

    while (xvs_next_event(x, &ev))
        what |= ev.stream == s ? ev.what : 0;
    return what;
}

unsigned lab_device_events(void)
{
    return lab_stream_events(NULL) & (XVS_EVENT_UP | XVS_EVENT_DOWN);
}

void lab_fill(void *to, uint64_t at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)to)[i] = pattern(at + i);
}

bool lab_matches(const void *from, uint64_t at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((const uint8_t *)from)[i] != pattern(at + i))
            return false;
    return true;
}

/* ---- the backend ---- */

static struct far **slot_of(uint32_t host_port)
{
    return &known[host_port % LINK_MAX_SLOTS];
}

static void hear(struct far *f, const struct link_request *r)
{
    if (!f || r->hdr.dst_port != f->host || (f->guest && f->guest != r->hdr.src_port))
        return;
    f->ops |= 1u << r->hdr.op;
    f->bad = f->bad || r->hdr.type != (f->type ? f->type : VSOCKIF_TYPE_STREAM);
    if (r->hdr.op == VSOCKIF_OP_REQUEST)
        f->guest = r->hdr.src_port;
    if (r->hdr.op == VSOCKIF_OP_RST)
        f->reason = r->reason;
    if (r->hdr.op == VSOCKIF_OP_SHUTDOWN)
        f->shut = r->hdr.flags;
    f->told_fwd = r->hdr.fwd_cnt;
    f->told_alloc = r->hdr.buf_alloc;
    if (!r->hdr.len)
        return;
    f->bad = f->bad || !lab_matches(r->data, f->got, r->hdr.len);
    f->got += r->hdr.len;
    f->packets++;
    f->messages += r->hdr.flags & VSOCKIF_SEQ_EOM;
    f->records += !!(r->hdr.flags & VSOCKIF_SEQ_EOR);
}

void lab_take(struct far *f, bool hold)
{
    struct link_request r;
    int n;

    while ((n = link_back_recv(&back.link, &r)) > 0) {
        hear(f && r.hdr.dst_port == f->host ? f : *slot_of(r.hdr.dst_port), &r);
        if (hold)
            held[lab_held++] = r.id;
        else
            link_back_done(&back.link, r.id);
    }
    REQUIRE(n == 0 && link_back_refill(&back.link) == 0);
    link_back_arm(&back.link, true, 1);
    lab_kick();
}

void lab_complete(uint32_t count)
{
    REQUIRE(count <= lab_held);
    for (uint32_t i = 0; i < count; i++)
        link_back_done(&back.link, held[i]);
    lab_held -= count;
    memmove(held, held + count, lab_held * sizeof held[0]);
    lab_kick();
}

void lab_complete_newest(void)
{
    REQUIRE(lab_held > 0);
    link_back_done(&back.link, held[--lab_held]);
    lab_kick();
}

void lab_kick(void)
{
    int port;

    if (link_back_publish(&back.link))
        xenevtchn_notify(back.evtchn, back.port);
    while ((port = xenevtchn_pending(back.evtchn)) >= 0)
        xenevtchn_unmask(back.evtchn, (evtchn_port_t)port);
}

void lab_send(struct far *f, unsigned op, uint32_t len)
{
    struct vsockif_hdr hdr = rawback_header(&back, op, f->host, f->guest);
    struct iovec iov[LINK_PIECES];
    int n = 0;

    hdr.buf_alloc = f->alloc;
    hdr.fwd_cnt = f->fwd;
    if (f->type)
        hdr.type = f->type;
    if (op == VSOCKIF_OP_RW)
        hdr.flags = f->flags;
    if (op == VSOCKIF_OP_SHUTDOWN)
        hdr.flags = len;
    else
        hdr.len = len;
    REQUIRE(link_back_refill(&back.link) == 0);
    REQUIRE(link_back_can_send(&back.link));
    if (hdr.len)
        REQUIRE(link_back_room(&back.link, hdr.len, iov, LINK_PIECES, &n) == hdr.len);
    for (int i = 0; i < n; i++) {
        lab_fill(iov[i].iov_base, f->sent, iov[i].iov_len);
        f->sent += (uint32_t)iov[i].iov_len;
    }
    if (hdr.len)
        link_back_send(&back.link, &hdr);
    else
        link_back_control(&back.link, &hdr, f->reason);
    lab_kick();
}

struct xvs_stream *lab_accept(struct far *f, uint32_t host_port, uint32_t alloc)
{
    struct xvs_stream *s = NULL;

    *f = (struct far){ .host = host_port, .guest = PORT, .alloc = alloc };
    *slot_of(host_port) = f;
    lab_send(f, VSOCKIF_OP_REQUEST, 0);
    UNTIL(xvs_accept(listener, &s) == 0);
    lab_take(f, false);
    EQ(f->ops, 1u << VSOCKIF_OP_RESPONSE);
    lab_events();
    return s;
}

struct xvs_stream *lab_connect(struct far *f, uint32_t host_port, uint32_t alloc)
{
    struct xvs_stream *s = NULL;

    *f = (struct far){ .host = host_port, .alloc = alloc };
    *slot_of(host_port) = f;
    REQUIRE(xvs_connect(x, XVS_CID_HOST, host_port, &s) == 0);
    lab_take(f, false);
    EQ(f->ops, 1u << VSOCKIF_OP_REQUEST);
    lab_send(f, VSOCKIF_OP_RESPONSE, 0);
    UNTIL(lab_stream_events(s) & XVS_EVENT_OPEN);
    return s;
}

void lab_close(struct far *f, struct xvs_stream *s)
{
    xvs_stream_reset(s);
    lab_take(f, false);
    lab_process();
}

void lab_break_store(void)
{
    int n = 0;

    hosted_become(GUEST);
    for (int fd = 0; fd < 256; fd++) {
        struct sockaddr_un name;
        socklen_t size = sizeof name;

        memset(&name, 0, sizeof name);
        if (getpeername(fd, (struct sockaddr *)&name, &size) == 0 && name.sun_family == AF_UNIX &&
            strcmp(name.sun_path, getenv("XENSTORED_PATH")) == 0 && shutdown(fd, SHUT_RDWR) == 0)
            n++;
    }
    hosted_become(0);
    REQUIRE(n == 1);
    x->bus.store_check = 0;
}

long lab_count(unsigned domid, const char *what)
{
    char command[4600], line[512], key[64];
    const char *bin = getenv("XENSIM_BIN");
    long value = -1;
    FILE *pipe;

    snprintf(command, sizeof command, "%s/xensim ls --json '%s'", bin ? bin : "build/xensim/bin", getenv("XENSIM_DIR"));
    if (!(pipe = popen(command, "r")))
        return -1;
    snprintf(key, sizeof key, "{\"domid\": %u,", domid);
    while (fgets(line, sizeof line, pipe)) {
        char quoted[64];

        snprintf(quoted, sizeof quoted, "\"%s\": ", what);
        if (strstr(line, key) && strstr(line, quoted))
            value = strtol(strstr(line, quoted) + strlen(quoted), NULL, 10);
    }
    pclose(pipe);
    return value;
}

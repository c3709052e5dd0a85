/* SPDX-License-Identifier: MIT */
/* fuzz_vmux.c: a table between owners that keep to the calls and a device that sends any header at all, from few addresses so
 * that they meet.  Whatever comes, the table stays whole, an owner's record stays its own, an RST is not answered, and in
 * the end nothing is left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmux.h"

#define HELD 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *in, *in_end;
static struct vmux *m;
static struct vmux_conn *held[HELD];
static struct vmux_listener *listener[3];
static uint64_t now;
static bool offer;

static uint32_t byte(void)
{
    return in < in_end ? *in++ : 0;
}

static uint32_t some_length(void)
{
    uint32_t b = byte();

    return b < 160 ? b : b < 240 ? (b - 159) * 1024 : UINT32_MAX - byte();
}

static void insist(bool cond, const char *what)
{
    if (cond)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void dispose(struct vmux_conn *conn, void *arg)
{
    (void)arg;
    insist(conn->in_use, "disposed twice");
    for (int i = 0; i < HELD; i++)
        insist(held[i] != conn, "a record was freed under its owner");
}

static void hold(struct vmux_conn *conn)
{
    for (int i = 0; i < HELD; i++)
        if (!held[i]) {
            held[i] = conn;
            return;
        }
    vmux_release(m, conn, now);
}

static void let_go(int i)
{
    struct vmux_conn *conn = held[i];

    held[i] = NULL;
    if (conn)
        vmux_release(m, conn, now);
}

/* False: the device is closed. */
static bool receive(void)
{
    struct vsockif_hdr hdr = { .src_cid = 5 + (byte() & 1), .dst_cid = 2, .src_port = byte() % 6, .dst_port = byte() % 6,
                               .op = (uint16_t)(byte() % 8), .buf_alloc = some_length() };
    uint32_t type = byte();
    bool had_owed = vmux_has_owed(m);
    struct vmux_event ev;

    if (hdr.op == VSOCKIF_OP_RW)
        hdr.len = some_length() % (VSOCKIF_MAX_PACKET + 2);
    hdr.type = type & 3 ? VSOCKIF_TYPE_STREAM : VSOCKIF_TYPE_SEQPACKET;
    if (hdr.op == VSOCKIF_OP_RW && !(type & 3))
        hdr.flags = type >> 2 & 3;
    if (hdr.op == VSOCKIF_OP_SHUTDOWN)
        hdr.flags = byte() % 5;
    if (byte() == 255)
        hdr.fwd_cnt = byte();
    else
        for (int i = 0; i < HELD; i++)
            if (held[i] && held[i]->peer.port == hdr.src_port && held[i]->local.port == hdr.dst_port)
                hdr.fwd_cnt = held[i]->c.tx_cnt;
    if (vmux_is_choked(m))
        return true;
    vmux_rx(m, &hdr, now, &ev);
    if (hdr.op == VSOCKIF_OP_RST)
        vmux_heard(&ev, &hdr, (struct reason){ (uint8_t)byte(), (uint8_t)byte() });
    switch (ev.kind) {
    case VMUX_VIOLATION:
        insist(ev.why != NULL, "a violation without a sentence");
        return false;
    case VMUX_OFFER:
        insist(offer && ev.conn->c.state == VCONN_OFFERED, "an offer that is none");
        hold(ev.conn);
        break;
    case VMUX_INCOMING:
        insist(!offer && ev.listener, "a listener that is none");
        break;
    case VMUX_CONN:
        insist(ev.conn->in_use && !ev.conn->released, "an event for nobody");
        break;
    case VMUX_NOTHING:
        break;
    }
    insist(hdr.op != VSOCKIF_OP_RST || had_owed || !vmux_has_owed(m), "an answer to an RST");
    return true;
}

static void lost(struct vmux_conn *conn, void *arg)
{
    (void)arg;
    insist(conn->c.state == VCONN_CLOSED && conn->c.owed == 0, "alive after a transport reset");
    if (byte() & 1)
        for (int i = 0; i < HELD; i++)
            if (held[i] == conn)
                let_go(i);
}

static void on_conn(int i)
{
    struct vmux_conn *conn = held[i];
    struct vsockif_hdr hdr;
    uint32_t len, room;

    if (!conn)
        return;
    insist(conn->in_use, "an owner's record is in the pool");
    switch (byte() % 10) {
    case 0: vmux_answer(m, conn); break;
    case 1: vmux_abort(m, conn, 1, REASON(NONE)); break;
    case 2: vmux_close(m, conn, now); break;
    case 3: let_go(i); break;
    case 4: vmux_shutdown(m, conn, byte() % 4, now); break;
    case 5: vmux_consumed(m, conn, some_length()); break;
    case 6: vmux_set_buf_alloc(m, conn, some_length()); break;
    case 7: vmux_want_room(m, conn); break;
    default:
        room = vconn_room(&conn->c);
        len = some_length();
        len = len < room ? len : room;
        len = len < VSOCKIF_MAX_PACKET ? len : VSOCKIF_MAX_PACKET;
        if (len) {
            vmux_send(m, conn, len, &hdr);
            if (vconn_is_seqpacket(&conn->c))
                vconn_end_message(&conn->c, &hdr, len & 1);
            insist(!vsockif_check(&hdr), "sent a header that breaks a rule");
        }
    }
}

static void begin(void)
{
    struct vmux_config config = {
        .conn_size = sizeof(struct vmux_conn) + 8, .max_conns = 1 + byte() % 24, .buf_alloc = some_length(),
        .tx_cap = 1 + byte() * 777, .first_port = 3, .max_resets = 1 + byte() % 8, .offer = byte() & 1, .dispose = dispose,
    };

    now = 0;
    offer = config.offer;
    memset(held, 0, sizeof held);
    memset(listener, 0, sizeof listener);
    insist(vmux_new(&config, &m) == 0, "no table");
    vmux_allow_seqpacket(m, byte() & 3);
}

static void end(void)
{
    struct vmux_event ev;
    struct vsockif_hdr hdr;

    if (byte() & 1) {
        vmux_transport_reset(m, lost, NULL);
        insist(!vmux_has_owed(m), "owes after a transport reset");
    }
    for (int i = 0; i < HELD; i++)
        let_go(i);
    for (int i = 0; i < 3; i++)
        vmux_unlisten(m, listener[i]);
    while (vmux_expire(m, now + VCONN_CLOSE_MS + 100000, &ev))
        ;
    while (vmux_owed(m, &hdr))
        ;
    insist(vmux_count(m) == 0, "records are left");
    insist(vmux_next_deadline(m) == VCONN_NO_DEADLINE, "deadlines are left");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    in = data;
    in_end = data + size;
    begin();
    while (in < in_end) {
        struct vmux_conn *conn;
        struct vsockif_hdr hdr;
        struct vmux_event ev;
        struct vmux_sender by;
        const char *why;
        uint32_t i;

        switch (byte() % 12) {
        case 0: case 1: case 2: case 3:
            if (!receive())
                in = in_end;
            break;
        case 4: case 5:
            if (vmux_owed_by(m, &hdr, &by)) {
                insist(!vsockif_check(&hdr), "owed a header that breaks a rule");
                insist(hdr.type == VSOCKIF_TYPE_STREAM || vmux_has_seqpacket(m), "owed a packet of a type that was not agreed on");
                insist(!by.conn || (by.conn->in_use && !by.conn->released), "owed by nobody");
                insist(hdr.op == VSOCKIF_OP_RST || !by.reason.code, "a reason for what is no RST");
            }
            break;
        case 6: case 7:
            on_conn((int)(byte() % HELD));
            break;
        case 8:
            if (vmux_connect(m, (struct vaddr){ 2, byte() & 1 ? byte() % 6 : VSOCKIF_PORT_ANY },
                             (struct vaddr){ 5, byte() % 6 }, some_length(), byte() * 8, now, &conn) == 0) {
                if (vmux_has_seqpacket(m) && !(byte() & 3))
                    vconn_set_type(&conn->c, VSOCKIF_TYPE_SEQPACKET);
                hold(conn);
            }
            break;
        case 9:
            i = byte() % 3;
            if (!listener[i]) {
                if (vmux_listen(m, byte() % 6, 1 + byte() % 4, NULL, &listener[i]) == 0 && !(byte() & 3))
                    vmux_listener_set_type(listener[i], VSOCKIF_TYPE_SEQPACKET);
            } else if (byte() & 3) {
                if ((conn = vmux_accept(m, listener[i])))
                    hold(conn);
            } else {
                vmux_unlisten(m, listener[i]);
                listener[i] = NULL;
            }
            break;
        case 10:
            now += byte() * 32;
            while (vmux_expire(m, now, &ev))
                insist(ev.kind != VMUX_CONN || (ev.conn->in_use && !ev.conn->released), "expired for nobody");
            insist(vmux_next_deadline(m) > now, "a deadline in the past");
            break;
        case 11:
            if (byte() > 250)
                vmux_transport_reset(m, lost, NULL);
            break;
        }
        why = vmux_invariant(m);
        insist(!why, why);
    }
    end();
    vmux_free(m);
    return 0;
}

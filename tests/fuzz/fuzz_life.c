/* SPDX-License-Identifier: MIT */
/* fuzz_life.c: each machine of life.h against a peer, a xenstore and a clock that do what they like.
 *
 * tests/unit/test_life.c searches what two honest ends can do to each other.  Here the other end is a liar: whatever it
 * writes, the caller must never be led round for ever, pages must never be taken back or kept in the wrong state, and
 * a reconnect must cost its time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "life.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input { const uint8_t *at, *end; };

#define must(holds) do { if (!(holds)) { fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds); abort(); } } while (0)

static unsigned byte(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static int some_error(struct input *in)
{
    static const int errors[] = { 0, 0, 0, 0, 0, 0, -EAGAIN, -ENOENT, -ECONNRESET, -EIO, -EINVAL };

    return errors[byte(in) % (sizeof errors / sizeof *errors)];
}

static struct life_look some_look(struct input *in, unsigned own, bool has_pages)
{
    unsigned b = byte(in), peer = b & 15;
    struct life_look look = { (uint8_t)own, (uint8_t)(peer > 8 ? 255 : peer), !has_pages || b & 16 };

    if (b >> 5 == 7)
        look.own = (uint8_t)(byte(in) % 8);     /* someone meddles with our node, or removes it */
    return look;
}

static void run_back(struct input *in)
{
    uint64_t now = 1000, last_offer = 0;
    struct life_back b;

    life_back_init(&b, byte(in) % 7, now);
    while (in->at < in->end) {
        struct life_look look = some_look(in, b.own, b.mapped);
        unsigned what = byte(in), acts = 0;
        enum life_act act;

        now += what >> 3;
        life_back_look(&b, &look, now);
        if ((what & 7) == 7)
            life_back_refuse(&b, "fuzz", now);
        if ((what & 127) == 6)
            life_back_close(&b);
        if ((what & 31) == 5)
            life_back_offer_again(&b);
        if ((what & 255) == 133)
            life_back_domain_died(&b);
        while ((act = life_back_next(&b, now)) != LIFE_WAIT) {
            int err = some_error(in);

            must(act < LIFE_RESET || act > LIFE_UNSHARE);
            must(act != LIFE_RESTART && act != LIFE_SHARE);
            must(acts++ < 8);
            must(life_back_deadline(&b) <= now);
            if (act == LIFE_OFFER || act == LIFE_REFUSE || act == LIFE_CLOSING || act == LIFE_CLOSED)
                must(!b.mapped);
            if (act == LIFE_MAP)
                must(!b.mapped && b.own == VSOCKIF_INITWAIT && b.peer == VSOCKIF_INITIALISED && b.offered);
            if (act == LIFE_OFFER && !err) {
                must(last_offer == 0 || now - last_offer >= LIFE_GAP_MS);
                last_offer = now;
            }
            if (b.leaving)
                must(act != LIFE_OFFER && act != LIFE_MAP && act != LIFE_CONNECT);
            life_back_done(&b, act, err, now);
        }
        must(life_back_deadline(&b) > now);
        if (life_back_is_connected(&b))
            must(b.mapped && (b.peer == VSOCKIF_INITIALISED || b.peer == VSOCKIF_CONNECTED) && look.live);
        if (life_back_is_over(&b))
            must(!b.mapped);
    }
}

static void run_front(struct input *in)
{
    bool may_free = false, answered = false;
    struct life_front f;
    uint64_t now = 1000;

    life_front_init(&f, byte(in) % 7, now);
    while (in->at < in->end) {
        struct life_look look = some_look(in, f.own, f.shares);
        unsigned what = byte(in), acts = 0;
        enum life_act act;

        now += what >> 3;
        answered = answered || look.peer == VSOCKIF_CONNECTED;
        if (look.own != f.own || look.peer == VSOCKIF_CLOSING || look.peer == VSOCKIF_CLOSED || (answered && !look.live))
            may_free = true;
        life_front_look(&f, &look, now);
        if ((what & 7) == 7)
            life_front_fault(&f, "fuzz", now);
        if ((what & 127) == 6)
            life_front_close(&f);
        while ((act = life_front_next(&f, now)) != LIFE_WAIT) {
            int err = some_error(in);

            must(act != LIFE_OFFER && act != LIFE_MAP && act != LIFE_UNMAP && act != LIFE_REFUSE);
            must(acts++ < 8);
            must(life_front_deadline(&f) <= now);
            if (act == LIFE_UNSHARE)
                must(may_free && !f.used);
            if (act == LIFE_SHARE)
                must(!f.shares && !f.leaving && f.own == VSOCKIF_INITIALISING && f.peer == VSOCKIF_INITWAIT);
            if (act == LIFE_RESTART || act == LIFE_CLOSED)
                must(!f.shares);
            life_front_done(&f, act, err, now);
            if (act == LIFE_SHARE && !err)
                may_free = answered = false;
            if (err == -ENOENT && act != LIFE_SHARE)
                may_free = true;                /* the directory is gone */
        }
        must(life_front_deadline(&f) > now);
        if (life_front_is_connected(&f))
            must(f.shares && !f.free && !f.fault);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };

    if (byte(&in) & 1)
        run_back(&in);
    else
        run_front(&in);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* gate.c: see gate.h. */
#include "gate.h"

#include <stdio.h>

#include "feed.h"

#define FORBIDDEN ((struct refusals_what){ EVENT_FORBIDDEN, reason_word(VSOCKIF_REASON_POLICY) })
#define WHY 500                 /* bytes of what decides, with its end */

static const struct title nobody = { .name = "", .uuid = "" };

static const struct policy_line *decide_out(const struct lane *from, enum policy_kind to, const struct lane *there, uint32_t port)
{
    const struct policy_end here = { .kind = POLICY_GUEST, .guest = from->title };
    const struct policy_end other = { .kind = to, .guest = there ? there->title : &nobody };

    return policy_decide(from->all->policy, &here, &other, port);
}

static const struct policy_line *decide_in(const struct lane *to, enum policy_kind from, const struct policy_peer *peer, uint32_t port)
{
    const struct policy_end other = { .kind = from, .peer = peer }, here = { .kind = POLICY_GUEST, .guest = to->title };

    return policy_decide(to->all->policy, &other, &here, port);
}

bool gate_lets_out(const struct lane *from, enum policy_kind to, const struct lane *there, uint32_t port)
{
    return policy_allows(decide_out(from, to, there, port));
}

bool gate_lets_in(const struct lane *to, enum policy_kind from, const struct policy_peer *peer, uint32_t port)
{
    return policy_allows(decide_in(to, from, peer, port));
}

/* ---- telling ---- */

static void say_why(char why[WHY], const struct policy_line *line, uint32_t port)
{
    if (line)
        snprintf(why, WHY, "port %u: %.200s:%u: %.200s", port, line->file, line->number, line->text);
    else
        snprintf(why, WHY, "port %u: no line of the policy allows it", port);
}

static const char *by(enum policy_kind kind)
{
    return kind == POLICY_VSOCK ? " by AF_VSOCK" : "";
}

/* Of a guest's refusals: which pair, in which direction. */
static uint64_t number_of(bool in, enum policy_kind other, const struct lane *there)
{
    return (uint64_t)in << 63 | (uint64_t)other << 60 | (there ? there->cid : 0);
}

/* rule: the line that decides. */
static void feed(struct lane *lane, struct vaddr from, struct vaddr to, const char *text, const char *rule)
{
    feed_tell(lane->all, &(struct happening){ .kind = EVENT_FORBIDDEN, .lane = lane, .has_reason = true, .reason = REASON(POLICY),
                                              .has_ends = true, .from = from, .to = to, .text = text, .rule = rule });
}

void gate_refused_out(struct lane *from, enum policy_kind to, struct lane *there, uint32_t port)
{
    uint64_t pair = number_of(false, to, there);
    char text[REFUSALS_PAIR], why[WHY];
    bool again;

    from->count.refused++;
    if (there) {
        there->count.refused++;
        lane_refused(there, true, REASON(POLICY));
    }
    again = refusals_again(&from->refusals, pair);
    if (again && !feed_is_heard(from->all))
        return;
    snprintf(text, sizeof text, "may not reach %s%s",
             there ? there->journal->who : to == POLICY_GUEST ? "other guests" : "the host", by(to));
    say_why(why, decide_out(from, to, there, port), port);
    if (feed_is_heard(from->all))
        feed(from, (struct vaddr){ .cid = from->cid, .port = VSOCKIF_PORT_ANY },
             (struct vaddr){ .cid = there ? there->journal->cid : VSOCKIF_CID_HOST, .port = port }, text, why);
    if (again)
        return;
    refusals_add(&from->refusals, FORBIDDEN, from->journal, pair, text, why);
}

void gate_refused_in(struct lane *to, enum policy_kind from, const struct policy_peer *peer, uint32_t port)
{
    uint64_t pair = number_of(true, from, NULL);
    char text[REFUSALS_PAIR], why[WHY];
    bool again;

    to->count.refused++;
    lane_refused(to, true, REASON(POLICY));
    again = refusals_again(&to->refusals, pair);
    if (again && !feed_is_heard(to->all))
        return;
    if (peer)
        snprintf(text, sizeof text, "a program of the host (user %u) may not reach it", peer->user);
    else
        snprintf(text, sizeof text, "a program of the host may not reach it%s", by(from));
    say_why(why, decide_in(to, from, peer, port), port);
    if (feed_is_heard(to->all))
        feed(to, (struct vaddr){ .cid = VSOCKIF_CID_HOST, .port = VSOCKIF_PORT_ANY },
             (struct vaddr){ .cid = to->journal->cid, .port = port }, text, why);
    if (again)
        return;
    refusals_add(&to->refusals, FORBIDDEN, to->journal, pair, text, why);
}

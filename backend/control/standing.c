/* SPDX-License-Identifier: MIT */
/* standing.c: see standing.h. */
#include "standing.h"

#include <stdio.h>
#include <string.h>

#include "vconn.h"

static const char *const words[] = {
#define X(name, word) [STANDING_##name] = word,
    STANDINGS(X)
#undef X
};

const char *standing_word(enum standing_for whom)
{
    return words[whom];
}

enum standing_for standing_judge(const struct standing *s)
{
    switch ((enum vconn_state)s->state) {
    case VCONN_OFFERED:
        return STANDING_END;
    case VCONN_CONNECTING:
        return STANDING_GUEST;
    case VCONN_CLOSING:
        return STANDING_CLOSE;
    case VCONN_CLOSED:
        return s->released || !s->held ? STANDING_CLOSE : STANDING_END;
    case VCONN_ESTABLISHED:
        break;
    }
    if (s->released)
        return STANDING_CLOSE;
    if (s->starves)
        return STANDING_SOCKETS;
    if (s->stuck && s->held)
        return STANDING_END;
    if (s->dry)
        return STANDING_GUEST;
    return s->thirsts ? STANDING_BUFFERS : STANDING_NOBODY;
}

/* Who is at the other end, for a sentence. */
static const char *whom(const char *end)
{
    static const struct { const char *end, *words; } known[] = {
        { "host", "the host's program" }, { "guest", "the other guest's program" }, { "AF_VSOCK", "the host's AF_VSOCK program" },
        { "service", "the daemon's own service" }
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].end, end))
            return known[i].words;
    return "the other end";
}

void standing_text(char *text, size_t size, const struct standing *s)
{
    const char *end = whom(s->end);

    *text = '\0';
    switch (standing_judge(s)) {
    case STANDING_NOBODY:
        break;
    case STANDING_END:
        if (s->state == VCONN_OFFERED)
            snprintf(text, size, "the guest has asked, and %s has not answered yet", end);
        else
            snprintf(text, size, "%u bytes of the guest's wait for %s, which does not read", s->held, end);
        break;
    case STANDING_GUEST:
        if (s->state == VCONN_CONNECTING)
            snprintf(text, size, "%s has asked, and the guest's program has not answered yet", end);
        else
            snprintf(text, size, "data of %s waits for the guest's program, which does not read: %u bytes are on their way to it, of %u "
                     "that it takes", end, s->flying, s->window);
        break;
    case STANDING_BUFFERS:
        snprintf(text, size, "data of %s waits for an empty buffer of the guest's: its programs hold all of them and do not read", end);
        break;
    case STANDING_SOCKETS:
        snprintf(text, size, "%u bytes of the guest's wait for readers of its other streams, which hold what the guest may hold here "
                 "(held_spill_bytes)", s->held);
        break;
    case STANDING_CLOSE:
        snprintf(text, size, "it is over, and the guest's program has not read everything, or not said so; it has 8 seconds");
        break;
    }
}

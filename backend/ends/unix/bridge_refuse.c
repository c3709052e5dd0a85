/* SPDX-License-Identifier: MIT */
/* bridge_refuse.c: a host program that calls, and does not come to its guest, hears so; and why, if it asks. */
#include "bridge_inside.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "feed.h"
#include "hostsock.h"
#include "peercred.h"

#define REFUSED_LINE 40         /* bytes of "REFUSED <by> <reason>\n", with its end */

/* Why a program was refused whose guest has not been asked, or was not there to answer. */
static struct reason reason_of_refusal(int err)
{
    switch (err) {
    case EACCES:     return REASON(POLICY);
    case ENOTCONN:   return REASON(ABSENT);
    case ECONNRESET: return REASON(LEFT);
    case EMFILE:
    case ENOBUFS:    return REASON(LIMIT);
    case ENOMEM:     return REASON(SHORT);
    case ETIMEDOUT:  return REASON(TIMEOUT);
    case ESOCKTNOSUPPORT: return REASON(STREAMS);
    default:         return REASON(NONE);
    }
}

/* Who refuses, and why, where that is not said by it. */
static int refusal_line(char line[REFUSED_LINE], int err, struct reason reason)
{
    char words[REASON_WORDS];

    if (err == ETIMEDOUT || err == EACCES)
        return snprintf(line, REFUSED_LINE, "REFUSED %s\n", err == EACCES ? "policy" : "time");
    return snprintf(line, REFUSED_LINE, "REFUSED %s%s%s\n",
                    err == ECONNREFUSED ? "port" : err == ENOTCONN || err == ECONNRESET ? "guest" : "daemon",
                    reason.code ? " " : "", reason.code ? reason_words(words, reason) : "");
}

/* A host program is turned away.  A CALL with a word, so that a daemon that does not know CALL is not taken for one that refuses; whoever said
 * CONNECT may ask. */
void bridge_turn_away(struct hostside *host, int fd, uint32_t port, bool vouched, int err, struct reason reason)
{
    char line[REFUSED_LINE];
    struct ucred who;

    if (!reason.code)
        reason = reason_of_refusal(err);
    lane_tell_refused(host->lane, reason, port);
    if (peercred_of(fd, &who))
        turned_note(&host->turned, &who, 0, port, reason);
    if (vouched)
        (void)!send(fd, line, (size_t)refusal_line(line, err, reason), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A refusal is an end of file and no reset, for it is the answer that was asked for. */
void bridge_refuse(struct hostside *host, int fd, uint32_t port, bool vouched, int err)
{
    hostsock_take_line(fd);
    if (err != -EACCES) {       /* gate_refused_in() has counted that */
        lane_refused(host->lane, true, reason_of_refusal(-err));
        if (feed_is_heard(host->lane->all))
            feed_refused(host->lane, (struct vaddr){ .cid = VSOCKIF_CID_HOST, .port = VSOCKIF_PORT_ANY },
                         (struct vaddr){ .cid = host->lane->journal->cid, .port = port }, reason_of_refusal(-err));
    }
    bridge_turn_away(host, fd, port, vouched, -err, REASON(NONE));
    close(fd);
    account_give_file(host->lane->account);
}

void bridge_tell_why(struct hostside *host, int fd, uint32_t port)
{
    char line[TURNED_LINE];
    struct ucred who;
    bool known = peercred_of(fd, &who);
    int n = turned_line(line, port, known ? turned_find(&host->turned, &who, 0, port) : NULL);

    (void)!send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
    account_give_file(host->lane->account);
}

void bridge_let_in(const struct bridge *b)
{
    struct turned_away *turned = &b->s.lane->host->turned;
    struct ucred who;

    if (turned->count && peercred_of(b->socket.fd, &who))
        turned_let_in(turned, &who, 0, b->s.v.peer.port);
}

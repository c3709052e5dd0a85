/* SPDX-License-Identifier: MIT */
/* chain.c: see chain.h.  One function a link; each may be called only if those before it hold. */
#include "chain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *chain_word(enum chain_verdict verdict)
{
    return verdict == CHAIN_GOOD ? "good" : verdict == CHAIN_BROKEN ? "broken" : "unknown";
}

__attribute__((format(printf, 3, 4)))
static void judge(struct chain_link *l, enum chain_verdict verdict, const char *format, ...)
{
    va_list args;

    l->verdict = verdict;
    va_start(args, format);
    vsnprintf(l->says, sizeof l->says, format, args);
    va_end(args);
}

__attribute__((format(printf, 2, 3)))
static void advise(struct chain_link *l, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(l->advice, sizeof l->advice, format, args);
    va_end(args);
}

static void explain_daemon(const struct chain_facts *f, struct chain_link *l)
{
    if (!f->daemon_err) {
        judge(l, CHAIN_GOOD, "xvsd runs, and answers");
        return;
    }
    judge(l, CHAIN_BROKEN, "xvsd cannot be asked: %s", f->daemon_why);
    if (f->daemon_err == -EACCES)
        advise(l, "become root, or somebody whom status_group lets in");
    else if (f->daemon_err == -ENOENT)
        advise(l, "start it: 'systemctl start xvsd', and 'journalctl -u xvsd' says why it does not stay");
    else
        advise(l, "see 'journalctl -u xvsd'");
}

static void explain_device(const struct chain_facts *f, struct chain_link *l)
{
    if (f->has_device) {
        judge(l, CHAIN_GOOD, "%s has device %u, with CID %llu", f->guest, f->device, (unsigned long long)f->cid);
        return;
    }
    judge(l, CHAIN_BROKEN, "xvsd knows no guest %s with a device", f->guest);
    advise(l, "'xl list' shows whether the domain is there; 'xvs attach %s' gives it a device, and so does 'attach' in xvsd.conf(5)",
           f->guest);
}

static void explain_program(const struct chain_facts *f, struct chain_link *l)
{
    if (!strcmp(f->use, "in use")) {
        judge(l, CHAIN_GOOD, "a program in the guest has the device open");
    } else if (!strcmp(f->use, "refused")) {
        judge(l, CHAIN_BROKEN, "the guest's program was %s", f->says);
        advise(l, "it broke a rule, or something is short here: update xvs in the guest, and start its program again");
    } else if (!strcmp(f->use, "opening")) {
        judge(l, CHAIN_UNKNOWN, "%s", f->says);
        advise(l, "ask again: if it stays so, the guest's program hangs, or xenstored does");
    } else {
        judge(l, CHAIN_BROKEN, "%s", f->says);
        advise(l, "start the agent, or whatever opens the device, in the guest; 'xvs ls' there says why it cannot");
    }
}

static void explain_socket(const struct chain_facts *f, struct chain_link *l)
{
    if (!f->socket_err) {
        judge(l, CHAIN_GOOD, "the guest's socket is in its directory, and you may use it");
        return;
    }
    judge(l, CHAIN_BROKEN, "the guest's socket: %s", strerror(-f->socket_err));
    if (f->socket_err == -EACCES)
        advise(l, "socket_group and socket_mode in xvsd.conf(5) say who may use it");
    else
        advise(l, "somebody has removed it: 'xvs reload' does not make it anew, 'xvs detach %s' and 'xvs attach %s' do", f->guest, f->guest);
}

/* Both directions: the one that is forbidden is said, and it is broken only if both are. */
static void explain_policy(const struct chain_facts *f, struct chain_link *l)
{
    const char *no_line = "no line of the policy allows it";
    bool to_guest = f->to_guest != CHAIN_DENIES, to_host = f->to_host != CHAIN_DENIES;

    if (f->to_guest == CHAIN_NOT_ASKED || f->to_host == CHAIN_NOT_ASKED) {
        judge(l, CHAIN_UNKNOWN, "the policy could not be asked");
        return;
    }
    if (to_guest && to_host) {
        judge(l, CHAIN_GOOD, "it lets you call port %u of %s, and the guest port %u of this host", f->port, f->guest, f->port);
        return;
    }
    if (to_guest)
        judge(l, CHAIN_UNKNOWN, "it lets you call port %u of %s, but not the guest port %u of this host: %s", f->port, f->guest, f->port,
              f->to_host_line ? f->to_host_line : no_line);
    else if (to_host)
        judge(l, CHAIN_UNKNOWN, "it lets the guest call port %u of this host, but not you port %u of %s: %s", f->port, f->port, f->guest,
              f->to_guest_line ? f->to_guest_line : no_line);
    else
        judge(l, CHAIN_BROKEN, "it forbids port %u in both directions: %s", f->port,
              f->to_guest_line ? f->to_guest_line : f->to_host_line ? f->to_host_line : no_line);
    advise(l, "a line of policy.d allows it (xvs-policy(5)): '%u %s %s allow'; then 'xvs reload'", f->port, to_guest ? f->guest : "@unix",
           to_guest ? "@unix" : f->guest);
}

static void explain_listener(const struct chain_facts *f, struct chain_link *l)
{
    char line[REASON_LINE];

    if (f->streams) {
        judge(l, CHAIN_GOOD, "%u stream%s by port %u", f->streams, f->streams == 1 ? " goes" : "s go", f->port);
    } else if (f->was_refused && f->refusal.code != VSOCKIF_REASON_POLICY) {
        judge(l, f->listens_here ? CHAIN_UNKNOWN : CHAIN_BROKEN, "the last time you were refused port %u of %s: %s", f->port, f->guest,
              reason_line(line, f->refusal));
        if (f->refusal.code == VSOCKIF_REASON_BACKLOG)
            advise(l, "the program that listens in the guest does not accept: it hangs, or has too much to do");
        else if (f->refusal.code == VSOCKIF_REASON_NOBODY)
            advise(l, "start what is to listen at port %u in the guest", f->port);
        else
            advise(l, "'xvs cat -z %s %u' tries it again", f->guest, f->port);
    } else if (f->listens_here) {
        judge(l, CHAIN_GOOD, "a program of this host listens for the guest at port %u", f->port);
    } else {
        judge(l, CHAIN_UNKNOWN, "no program of this host listens for the guest at port %u; of the guest's nobody knows until it is called", f->port);
        advise(l, "'xvs cat -z %s %u' tries whether somebody listens in the guest", f->guest, f->port);
    }
}

static void explain_credit(const struct chain_facts *f, struct chain_link *l)
{
    if (!f->streams) {
        judge(l, CHAIN_GOOD, "no stream is there that could stand still");
    } else if (!f->standing) {
        judge(l, CHAIN_GOOD, "none of them stands still");
    } else {
        judge(l, CHAIN_BROKEN, "%u stream%s still, of %u: %s", f->standing, f->standing == 1 ? " stands" : "s stand", f->streams, f->stands);
        advise(l, "'xvs dump %s' has all of them; the program that is named there hangs, or waits for something itself", f->guest);
    }
}

size_t chain_explain(const struct chain_facts *f, struct chain_link links[CHAIN_LINKS])
{
    static const struct { const char *name; void (*explain)(const struct chain_facts *f, struct chain_link *l); bool of_port; } all[] = {
        { "daemon", explain_daemon, false }, { "device", explain_device, false }, { "program", explain_program, false },
        { "socket", explain_socket, false }, { "policy", explain_policy, true }, { "listener", explain_listener, true },
        { "credit", explain_credit, false }
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].of_port && !f->has_port)
            continue;
        links[n] = (struct chain_link){ .name = all[i].name };
        all[i].explain(f, &links[n]);
        if (links[n++].verdict == CHAIN_BROKEN)
            break;
    }
    return n;
}

const struct chain_link *chain_broken(const struct chain_link *links, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (links[i].verdict == CHAIN_BROKEN)
            return &links[i];
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/* verb.h: the verbs of the command. */
#ifndef XVS_VERB_H
#define XVS_VERB_H

#include "options.h"

struct verb {
    const char *name;
    const char *brief;
    const char *help;
    int (*run)(const struct verb *verb, int argc, char **argv);     /* argv[0] is the verb; an exit status */
};

extern const struct verb verb_ls, verb_attach, verb_detach, verb_dump, verb_stats, verb_metrics, verb_top, verb_pcap, verb_trace, verb_events, verb_cat, verb_serve, verb_ping, verb_policy, verb_reload,
    verb_cp, verb_exec, verb_shell, verb_call;
extern const struct verb verb_ga, verb_info, verb_freeze, verb_vcpus, verb_memory, verb_shutdown, verb_reboot, verb_time_sync;
extern const struct verb verb_why;

#endif

/* SPDX-License-Identifier: MIT */
/* policy_text.h: a policy from the text of its files.
 *
 * All of it is good, or nothing is, and all errors are found at once (complaints.h).  Pure. */
#ifndef XVSD_POLICY_TEXT_H
#define XVSD_POLICY_TEXT_H

#include "policy.h"
#include "settings.h"

struct policy_file {
    const char *path;           /* for people */
    const char *text;
    size_t len;
};

/* Whoever knows the host's users and groups. */
struct policy_ids {
    /* 0 and the number of the user, or of the group, of that name; -ENOENT: there is none; or another negative errno. */
    int (*find)(struct policy_ids *ids, bool group, const char *name, uint32_t *id);
};

/* settings: for its groups of guests.  0 and a policy, or -EINVAL or -ENOMEM, and complaints. */
int policy_read(const struct policy_file *files, size_t count, const struct settings *settings, struct policy_ids *ids,
                struct policy **out, struct complaints *c);

#endif

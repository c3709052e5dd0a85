/* SPDX-License-Identifier: MIT */
/* policy_dir.h: the administrator's policy, from a directory: its files NAME.policy in the order of their names (by bytes).
 *
 * Where there is no directory, what dist/90-default.policy says holds: the file that is installed for the administrator to edit is
 * itself a part of the program.  In a directory without files nothing is allowed.
 * For a process that may read the files and the host's lists of users and groups. */
#ifndef XVSD_POLICY_DIR_H
#define XVSD_POLICY_DIR_H

#include "policy_pack.h"

/* dir: its path.  given: it must be there.  pack: an empty one, which becomes what policy_pack_read() makes of it the same policy elsewhere.
 * 0, or a negative errno and complaints. */
int policy_load(const char *dir, bool given, const struct settings *settings, struct policy_pack *pack, struct policy **out,
                struct complaints *c);

/* It is not the administrator's. */
bool policy_is_built_in(const struct policy *p);

/* From what was handed over, a pack in a file, from where it stands, which it takes in any case.  As policy_pack_read(), or another
 * negative errno. */
int policy_take(int fd, const struct settings *settings, struct policy **out);

/* The text of dist/90-default.policy. */
extern const char policy_default[], policy_default_end[];

#endif

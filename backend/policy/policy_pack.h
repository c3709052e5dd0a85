/* SPDX-License-Identifier: MIT */
/* policy_pack.h: the files of a policy as one text, with the users and groups of the host that occur in them, by number.
 *
 * It is for a process that can open neither the files nor the lists of users: it reads from the pack the same policy, with the same
 * lines, as whoever made it.
 *
 *     "file PATH-BYTES TEXT-BYTES\n" PATH TEXT
 *     "user NUMBER NAME\n"
 *     "group NUMBER NAME\n"
 *
 * Pure. */
#ifndef XVSD_POLICY_PACK_H
#define XVSD_POLICY_PACK_H

#include "policy_text.h"

/* All zero is an empty one. */
struct policy_pack {
    char *bytes;
    size_t len, room;
};

/* 0 or -ENOMEM. */
int  policy_pack_file(struct policy_pack *pack, const char *path, const char *text, size_t len);
int  policy_pack_id(struct policy_pack *pack, bool group, const char *name, uint32_t id);
/* Of bytes that are len. */
int  policy_pack_bytes(struct policy_pack *pack, const char *bytes, size_t len);
void policy_pack_free(struct policy_pack *pack);

/* ids: whom to ask for users and groups; NULL: the pack itself.  As policy_read(), and -EPROTO: this is no pack. */
int  policy_pack_read(const struct policy_pack *pack, const struct settings *settings, struct policy_ids *ids, struct policy **out,
                      struct complaints *c);

#endif

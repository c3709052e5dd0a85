/* SPDX-License-Identifier: MIT */
/* journald.h: journald's own protocol, by which a line has fields: one datagram an entry, at a socket of its.
 *
 *     journald_begin()       an entry's bytes, …
 *     journald_add()         …to which fields are added (pure)
 *     journald_is_ours()     does standard error go to journald?
 *     journald_connect()     its socket
 *     journald_send()
 *
 * What it says of the format: systemd's JOURNAL_NATIVE_PROTOCOL; of JOURNAL_STREAM: systemd.exec(5).  Nothing here waits. */
#ifndef XVSD_JOURNALD_H
#define XVSD_JOURNALD_H

#include <stdbool.h>
#include <stddef.h>

#define JOURNALD_SOCKET "/run/systemd/journal/socket"
#define JOURNALD_ENTRY  4096u   /* bytes */

struct journald_entry {
    size_t len;
    bool is_cut;                /* a field did not fit: it is not an entry */
    char bytes[JOURNALD_ENTRY];
};

static inline void journald_begin(struct journald_entry *e)
{
    e->len = 0;
    e->is_cut = false;
}
/* name: capital letters, digits, '_'.  value: any bytes. */
void journald_add(struct journald_entry *e, const char *name, const char *value, size_t len);

/* stream: what JOURNAL_STREAM says, or NULL.  True if that is what descriptor fd is. */
bool journald_is_ours(const char *stream, int fd);
/* A descriptor or a negative errno.  It is none of the low ones, which a child may get by their numbers (spawn.h). */
int  journald_connect(const char *path);
/* False if it was not taken, for whatever reason. */
bool journald_send(int fd, const struct journald_entry *e);

#endif

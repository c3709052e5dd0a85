/* SPDX-License-Identifier: MIT */
/* settings.h: what the administrator has decided, read from xvsd.conf(5).
 *
 * Files are read whole, checked strictly and replace the old settings only if all are good: an unknown section or key,
 * a value out of bounds, a key given twice, two guests with one CID, are errors that name the file, the
 * line, the key and what would be right.  Without a file the defaults hold.  One struct is one
 * heap object, owned by the caller; nothing here is global.
 *
 *     settings.h          the value, and what it says of a domain
 *     settings_text.h     from the text of files: lines and sections (reader.h: how far it has come)
 *     keys.h              what each key means; values.h how a number, a name, a rate is written
 *     settings_files.h    from the administrator's files, or what was made of them for a process that cannot open them
 *     confdir.h           a directory of his
 *     complaints.h        what is wrong with them */
#ifndef XVSD_SETTINGS_H
#define XVSD_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "complaints.h"
#include "titles.h"
#include "names.h"

#define SETTINGS_WHY  COMPLAINT         /* bytes of an error, with its end */
#define SETTINGS_NAME (NAMES_MAX + 1)   /* bytes of a section's name, with its end */
#define SETTINGS_FILE "/etc/xvs/xvsd.conf"
#define SETTINGS_RUN  "/run/xvs"
#define SETTINGS_POLICY "/etc/xvs/policy.d"
#define SETTINGS_HELD (256u << 10)      /* bytes: held_spill_bytes at least, or a few streams would fill it */

/* Who may use a guest's sockets. */
struct settings_sockets {
    mode_t mode;                /* of the listening socket; the directory's follows from it */
    uid_t user;                 /* (uid_t)-1: the daemon's */
    gid_t group;                /* (gid_t)-1: the daemon's */
    bool has_mode, has_user, has_group;
};

/* Whether AF_VSOCK programs of the host reach a guest, and it them. */
enum settings_af_vsock {
    AF_VSOCK_INHERIT,
    AF_VSOCK_NO,
    AF_VSOCK_AUTO,              /* where the host's kernel can, and without a warning where it cannot */
    AF_VSOCK_YES
};

/* So much a second, and at once after a while with less. */
struct settings_rate {
    uint64_t per_second;        /* 0: not given; or SETTINGS_NO_LIMIT, and burst is without a meaning */
    uint64_t burst;
};

/* What one device may bring about, or hold.  0: not given. */
struct settings_limits {
    struct settings_rate connects;      /* that its guest asks for */
    struct settings_rate bytes;         /* both ways together */
    uint32_t max_connections;           /* at a time */
    uint32_t max_files;                 /* descriptors of ours; or UINT32_MAX */
};

#define SETTINGS_NO_LIMIT UINT64_MAX
#define SETTINGS_BYTES_LEAST 65536u     /* byte_rate: a stream that is closed is given 8 seconds for what is on its way, half a megabyte */

/* A socket of a guest's that leads straight to a port of it. */
struct settings_channel {
    char name[SETTINGS_NAME];   /* a good one (names.h) */
    uint32_t port;              /* or SETTINGS_NO_CHANNEL: what a section that is less close says of this name does not hold */
    bool messages;              /* it is a SOCK_SEQPACKET */
    uint32_t file;              /* where it was read (settings_text.c) */
};

#define SETTINGS_NO_CHANNEL UINT32_MAX
#define SETTINGS_CHANNELS   64u         /* of one section */

/* [guest …] */
struct settings_guest {
    char *name;                 /* or "uuid:" and a UUID in lower case, or a pattern (names.h) */
    bool is_pattern;
    uint64_t cid;               /* 0: not given; no pattern has one */
    enum settings_af_vsock af_vsock;
    struct settings_sockets sockets;
    struct settings_limits limits;
    struct settings_channel *channels;
    size_t channel_count;
    uint32_t file, cid_file, cid_line;  /* where it was read, for whoever reads (settings_text.c) */
};

/* What holds for a domain.  Of each key it is the value of the section that names the domain most closely, of those that have the key, and
 * else [daemon]'s. */
struct settings_own {
    uint64_t cid;               /* 0: none of its own */
    enum settings_af_vsock af_vsock;    /* never INHERIT */
    struct settings_sockets sockets;
    struct settings_limits limits;      /* all given */
};

/* [group NAME]: guests that a policy knows together. */
struct settings_group {
    char *name;
    char *guests;               /* such names as a guest's section has, each ended by a NUL, the last by two */
    uint32_t file;              /* where it was read last (settings_text.c) */
};

struct portnames;

struct settings {
    struct portnames *ports;        /* names of ports; NULL for none */
    char *run_dir;              /* NULL: not given */
    char *policy_dir;           /* …likewise */
    bool policy_cuts;           /* a new policy ends connections that it forbids */
    bool attach_auto;
    enum settings_af_vsock af_vsock;    /* never INHERIT */
    gid_t status_group;         /* may ask at the socket that only tells; (gid_t)-1: the daemon's user alone */
    bool services;              /* echo, discard and source (service.h) */
    int  log_level;             /* enum journal_level */
    struct settings_limits limits;      /* of one device; all given */
    uint32_t max_ring_page_order;
    uint32_t max_pool_pages;
    uint64_t held_spill_bytes;  /* of one device, the kernel's sockets included (held.h) */
    uint32_t farewell_seconds;  /* until a reader that takes nothing is given up, once its guest is gone */
    uint32_t spin_us;           /* how long to look at a ring before sleeping, when that pays (spinner.h); 0: never; or SPINNER_AUTO */
    struct settings_sockets sockets;
    struct settings_sockets any;        /* who may listen for all guests (anydir.h); inherits nothing */
    struct settings_guest *guests;      /* those that name one first, then patterns, the closest first */
    size_t guest_count;
    struct settings_group *groups;
    size_t group_count;
};

/* The defaults; NULL without memory. */
struct settings *settings_default(void);
void settings_free(struct settings *s);

/* The section [guest NAME], or with "uuid:" and a UUID, or a pattern, for NAME; NULL. */
const struct settings_guest *settings_guest(const struct settings *s, const char *name);

/* The sections that are a domain's, the closest first: the next one after 'after', or the first for NULL; NULL for no more.
 *
 * That of its UUID, or else that of its name, as far as it has them; then patterns that fit its name, those with more characters of their
 * own first, and of two that have as many the one that was read first.  Whoever has no name is fitted by "*" alone.
 * Constant for as long as s is. */
const struct settings_guest *settings_section(const struct settings *s, const struct title *title, const struct settings_guest *after);

/* What holds for a domain.  One that has lost its name to a newer one, and for which there is a section that names it, is nobody: its
 * sockets are ours alone, it has no CID and no AF_VSOCK.  But limits are those of whoever is called so: it does not gain by that. */
void settings_own(const struct settings *s, const struct title *title, struct settings_own *out);

/* The channels of a domain, at most room of them: how many.  Of each name the closest section that has it decides; a domain that is nobody
 * has none. */
size_t settings_channels(const struct settings *s, const struct title *title, struct settings_channel *out, size_t room);

/* Some guest's sockets may be open to others. */
bool settings_may_let_in(const struct settings *s, bool (*lets_in)(const struct settings_sockets *sockets));
/* The section that has this CID, or NULL. */
const struct settings_guest *settings_by_cid(const struct settings *s, uint64_t cid);

#endif

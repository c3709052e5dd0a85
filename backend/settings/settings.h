/* SPDX-License-Identifier: MIT */
/* settings.h: what the administrator has decided, read from xvsd.conf(5).
 *
 * A file is read whole, checked strictly and replaces the old settings only if it is good: an unknown section or key,
 * a value out of bounds, a key given twice, two guests with one CID, are errors that name the file, the
 * line, the key and what would be right.  Without a file the defaults hold.  One struct is one
 * heap object, owned by the caller; nothing here is global. */
#ifndef XVSD_SETTINGS_H
#define XVSD_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "titles.h"
#include "names.h"

#define SETTINGS_WHY  512       /* bytes of an error, with its end */
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

struct settings_guest {
    char *name;                 /* or "uuid:" and a UUID in lower case */
    uint64_t cid;               /* 0: not given */
    enum settings_af_vsock af_vsock;
    struct settings_sockets sockets;
};

/* [group NAME]: guests that a policy knows together. */
struct settings_group {
    char *name;
    char *guests;               /* such names as a guest's section has, each ended by a NUL, the last by two */
};

struct settings {
    char *run_dir;              /* NULL: not given */
    char *policy_dir;           /* …likewise */
    bool policy_cuts;           /* a new policy ends connections that it forbids */
    bool attach_auto;
    enum settings_af_vsock af_vsock;    /* never INHERIT */
    gid_t status_group;         /* may ask at the socket that only tells; (gid_t)-1: the daemon's user alone */
    bool services;              /* echo, discard and source (service.h) */
    int  log_level;             /* enum journal_level */
    uint32_t max_connections;   /* of one device */
    uint32_t max_ring_page_order;
    uint32_t max_pool_pages;
    uint64_t held_spill_bytes;  /* of one device, the kernel's sockets included (held.h) */
    uint32_t farewell_seconds;  /* until a reader that takes nothing is given up, once its guest is gone */
    uint32_t spin_us;           /* how long to look at a ring before sleeping, when that pays (spinner.h); 0: never; or SPINNER_AUTO */
    struct settings_sockets sockets;
    struct settings_sockets any;        /* who may listen for all guests (anydir.h); inherits nothing */
    struct settings_guest *guests;
    size_t guest_count;
    struct settings_group *groups;
    size_t group_count;
};

/* The defaults; NULL without memory. */
struct settings *settings_default(void);
/* 0 and new settings; or a negative errno (-ENOENT: no such file), why (SETTINGS_WHY bytes) filled and *out untouched. */
int  settings_load(const char *path, struct settings **out, char *why);
/* The same from an open file at its begin, which it takes in any case; path is for messages.  Without 'names' users and groups are not
 * looked up: for whoever does not need them, and has no right to. */
int  settings_read(int fd, const char *path, bool names, struct settings **out, char *why);
void settings_free(struct settings *s);

/* The section [guest NAME], or with "uuid:" and a UUID for NAME; NULL. */
const struct settings_guest *settings_guest(const struct settings *s, const char *name);

/* The section that is a domain's own: that of its UUID, or else that of its name, as far as it has them; NULL.  A domain that has
 * lost its name to a newer one, and for which there is a section, is nobody: it gets one that lets only us at its
 * sockets.  Constant for as long as s is. */
const struct settings_guest *settings_section(const struct settings *s, const struct title *title);

/* Sockets of a guest with this section: its own values where it has some, else those of [daemon]. */
struct settings_sockets settings_sockets_of(const struct settings *s, const struct settings_guest *section);
/* …its af_vsock, likewise; never INHERIT. */
enum settings_af_vsock settings_af_vsock_of(const struct settings *s, const struct settings_guest *section);
/* The section that has this CID, or NULL. */
const struct settings_guest *settings_by_cid(const struct settings *s, uint64_t cid);

#endif

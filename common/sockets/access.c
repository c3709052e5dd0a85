/* SPDX-License-Identifier: MIT */
/* access.c: see access.h.  An O_PATH descriptor knows no fchmod() and no fsetxattr(): /proc/self/fd names the file
 * itself. */
#include "access.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACL     "system.posix_acl_access"
#define ALL     07777
#define ENTRIES 5

struct acl {
    struct posix_acl_xattr_header header;
    struct posix_acl_xattr_entry entries[ENTRIES];
};

/* What is or shall be; the mode is as stat() shows it: with an ACL its middle digit is the mask. */
struct state {
    mode_t mode;
    uid_t uid;
    gid_t gid;
    struct acl acl;
    size_t acl_size;            /* bytes; 0: none */
};

static struct posix_acl_xattr_entry entry(unsigned tag, mode_t rights, uint32_t id)
{
    return (struct posix_acl_xattr_entry){ htole16((uint16_t)tag), htole16((uint16_t)(rights & 7)), htole32(id) };
}

static void plan(const struct access *wanted, struct state *s)
{
    mode_t owner = wanted->mode >> 6 & 7, group = wanted->mode >> 3 & 7;

    memset(s, 0, sizeof *s);
    s->mode = wanted->mode & ALL;
    s->uid = geteuid();
    s->gid = wanted->group == (gid_t)-1 ? getegid() : wanted->group;
    if (wanted->user == (uid_t)-1 || wanted->user == s->uid)
        return;
    s->acl.header.a_version = htole32(POSIX_ACL_XATTR_VERSION);
    s->acl.entries[0] = entry(ACL_USER_OBJ, owner, ACL_UNDEFINED_ID);
    s->acl.entries[1] = entry(ACL_USER, owner, wanted->user);
    s->acl.entries[2] = entry(ACL_GROUP_OBJ, group, ACL_UNDEFINED_ID);
    s->acl.entries[3] = entry(ACL_MASK, owner | group, ACL_UNDEFINED_ID);
    s->acl.entries[4] = entry(ACL_OTHER, wanted->mode, ACL_UNDEFINED_ID);
    s->acl_size = sizeof s->acl;
    s->mode |= owner << 3;
}

static int look(int fd, const char *path, struct state *s)
{
    struct stat st;
    ssize_t n;

    memset(s, 0, sizeof *s);
    if (fstat(fd, &st))
        return -errno;
    s->mode = st.st_mode & ALL;
    s->uid = st.st_uid;
    s->gid = st.st_gid;
    n = getxattr(path, ACL, &s->acl, sizeof s->acl);
    if (n < 0 && errno == ERANGE)
        s->acl_size = SIZE_MAX; /* not one of ours: larger */
    else if (n < 0 && errno != ENODATA && errno != EOPNOTSUPP)
        return -errno;
    else if (n > 0)
        s->acl_size = (size_t)n;
    return 0;
}

static bool is_acl_right(const struct state *now, const struct state *then)
{
    return now->acl_size == then->acl_size && !memcmp(&now->acl, &then->acl, then->acl_size);
}

int access_set(int fd, const struct access *wanted)
{
    char path[32];
    struct state now, then;
    int err, lacking = 0;
    mode_t meanwhile;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    plan(wanted, &then);
    if ((err = look(fd, path, &now)))
        return err;
    if (now.uid == then.uid && now.gid == then.gid && now.mode == then.mode && is_acl_right(&now, &then))
        return 0;
    meanwhile = now.mode & then.mode;
    if (now.gid != then.gid)
        meanwhile &= ~(mode_t)070;      /* the new group is not to have what the old one had */
    if (meanwhile != now.mode && chmod(path, meanwhile))
        return -errno;
    if ((now.uid != then.uid || now.gid != then.gid) && fchownat(fd, "", then.uid, then.gid, AT_EMPTY_PATH))
        return -errno;
    if (then.acl_size && setxattr(path, ACL, &then.acl, then.acl_size, 0)) {
        if (errno != EOPNOTSUPP)
            return -errno;
        lacking = -EOPNOTSUPP;
        then.mode = wanted->mode & ALL;
    } else if (!then.acl_size && now.acl_size && removexattr(path, ACL) && errno != ENODATA) {
        return -errno;
    }
    return chmod(path, then.mode) ? -errno : lacking;
}

/* SPDX-License-Identifier: MIT */
/* test_backend_access.c: each way from one set of rights to another, and what people may do at each step of it.  The calls
 * that change something are our own here; they do it, and then look who may do what. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "access.h"
#include "harness.h"

#define ACL "system.posix_acl_access"

static char path[] = "/tmp/xvs-access.XXXXXX";
static int name_fd = -1;        /* O_PATH, as the daemon has it */
static int steps;               /* calls that changed something */
static bool no_acls;            /* as of a file system that has none */
static int fails;               /* which of the next calls that change something fails; 0 for none */

/* ---- who may do what ---- */

/* People: a user who is named, another, and one of each group; and who is none of these. */
static const struct { uid_t uid; gid_t gid; } people[] = {
    { 64001, 64104 }, { 64002, 64104 }, { 64003, 64101 }, { 64003, 64102 }, { 64003, 0 }, { 64003, 64104 }
};
#define PEOPLE (sizeof people / sizeof *people)

struct acl {
    struct posix_acl_xattr_header header;
    struct posix_acl_xattr_entry entries[16];
};

static unsigned look(size_t who)
{
    struct acl acl = { 0 };
    ssize_t n = getxattr(path, ACL, &acl, sizeof acl);
    size_t count = n < 0 ? 0 : ((size_t)n - sizeof acl.header) / sizeof *acl.entries;
    unsigned group, mask = 7;
    struct stat st;

    EQ(stat(path, &st), 0);
    group = st.st_mode >> 3 & 7;
    for (size_t i = 0; i < count; i++) {
        unsigned tag = le16toh(acl.entries[i].e_tag), rights = le16toh(acl.entries[i].e_perm);

        if (tag == ACL_MASK)
            mask = rights;
        if (tag == ACL_GROUP_OBJ)
            group = rights;
    }
    for (size_t i = 0; i < count; i++)
        if (le16toh(acl.entries[i].e_tag) == ACL_USER && le32toh(acl.entries[i].e_id) == people[who].uid)
            return le16toh(acl.entries[i].e_perm) & mask;
    return people[who].gid == st.st_gid ? group & mask : st.st_mode & 7;
}

static unsigned wanted_by(const struct access *a, size_t who)
{
    if (a->user == people[who].uid)
        return a->mode >> 6 & 7;
    return people[who].gid == (a->group == (gid_t)-1 ? 0 : a->group) ? a->mode >> 3 & 7 : a->mode & 7;
}

/* ---- the calls ---- */

static unsigned may[PEOPLE];    /* what each may do at most, at any step */

static int step(long result)
{
    steps++;
    for (size_t i = 0; i < PEOPLE; i++)
        if (look(i) & ~may[i]) {
            fprintf(stderr, "after step %d user %u of group %u has %o, which he never was to have\n", steps,
                    people[i].uid, people[i].gid, look(i));
            CU_FAIL("too much in between");
        }
    return (int)result;
}

static bool is_to_fail(void)
{
    if (!fails || --fails)
        return false;
    errno = EPERM;
    return true;
}

int chmod(const char *file, mode_t mode)
{
    return is_to_fail() ? -1 : step(syscall(SYS_fchmodat, AT_FDCWD, file, mode));
}

int fchownat(int dir, const char *file, uid_t uid, gid_t gid, int flags)
{
    return is_to_fail() ? -1 : step(syscall(SYS_fchownat, dir, file, uid, gid, flags));
}

int setxattr(const char *file, const char *name, const void *value, size_t size, int flags)
{
    if (no_acls) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return is_to_fail() ? -1 : step(syscall(SYS_setxattr, file, name, value, size, flags));
}

int removexattr(const char *file, const char *name)
{
    return is_to_fail() ? -1 : step(syscall(SYS_removexattr, file, name));
}

ssize_t getxattr(const char *file, const char *name, void *value, size_t size)
{
    if (no_acls) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (ssize_t)syscall(SYS_getxattr, file, name, value, size);
}

/* ---- */

static bool begin(void)
{
    char byte;

    strcpy(path, "/tmp/xvs-access.XXXXXX");
    REQUIRE(mkdtemp(path) != NULL);
    name_fd = open(path, O_PATH | O_NOFOLLOW);
    steps = fails = 0;
    no_acls = false;
    for (size_t i = 0; i < PEOPLE; i++)
        may[i] = 7;
    return geteuid() == 0 && (getxattr(path, ACL, &byte, 1) >= 0 || errno != EOPNOTSUPP);
}

static void end(void)
{
    close(name_fd);
    EQ(rmdir(path), 0);
}

static void allow(const struct access *a, bool and_no_more)
{
    for (size_t i = 0; i < PEOPLE; i++)
        may[i] = wanted_by(a, i) | (and_no_more ? 0 : may[i]);
}

static void is_as_wanted(const struct access *a)
{
    struct stat st;

    for (size_t i = 0; i < PEOPLE; i++)
        EQ(look(i), wanted_by(a, i));
    EQ(stat(path, &st), 0);
    EQ(st.st_uid, 0);
    EQ(st.st_mode & 07700, a->mode & 07700);
}

static const mode_t modes[] = { 0600, 0660, 0640, 0666, 0620, 01770, 0755 };
static const uid_t users[] = { (uid_t)-1, 64001, 64002, 0 };
static const gid_t groups[] = { (gid_t)-1, 64101, 64102 };
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define ALL_OF_THEM (COUNT(modes) * COUNT(users) * COUNT(groups))

static struct access number(size_t n)
{
    return (struct access){ modes[n % COUNT(modes)], users[n / COUNT(modes) % COUNT(users)],
                            groups[n / COUNT(modes) / COUNT(users)] };
}

static void nobody_has_in_between_what_he_has_neither_before_nor_after(void)
{
    bool can = begin();

    for (size_t from = 0; can && from < ALL_OF_THEM; from++)
        for (size_t to = 0; to < ALL_OF_THEM; to++) {
            struct access a = number(from), b = number(to);

            for (size_t i = 0; i < PEOPLE; i++)
                may[i] = 7;
            EQ(access_set(name_fd, &a), 0);
            is_as_wanted(&a);
            allow(&a, true);
            allow(&b, false);
            EQ(access_set(name_fd, &b), 0);
            is_as_wanted(&b);
            steps = 0;
            EQ(access_set(name_fd, &b), 0);
            EQ(steps, 0);       /* there was nothing to do */
        }
    end();
    if (!can)
        SKIP("it needs root, and ACLs in /tmp");
}

/* An administrator may have let somebody in by hand; a reload makes it what the settings say. */
static void rights_that_somebody_added_by_hand_go(void)
{
    static const struct access plain = { 0660, (uid_t)-1, 64101 }, with_user = { 0660, 64001, 64101 };
    bool can = begin();

    for (int i = 0; can && i < 4; i++) {
        struct acl acl = { .header.a_version = htole32(POSIX_ACL_XATTR_VERSION) };
        const struct access *wanted = i & 1 ? &plain : &with_user;
        size_t n = 0;

        acl.entries[n++] = (struct posix_acl_xattr_entry){ htole16(ACL_USER_OBJ), htole16(6), htole32(ACL_UNDEFINED_ID) };
        acl.entries[n++] = (struct posix_acl_xattr_entry){ htole16(ACL_USER), htole16(6), htole32(64002) };
        if (i < 2)
            acl.entries[n++] = (struct posix_acl_xattr_entry){ htole16(ACL_USER), htole16(6), htole32(64003) };
        acl.entries[n++] = (struct posix_acl_xattr_entry){ htole16(ACL_GROUP_OBJ), htole16(6), htole32(ACL_UNDEFINED_ID) };
        acl.entries[n++] = (struct posix_acl_xattr_entry){ htole16(ACL_MASK), htole16(6), htole32(ACL_UNDEFINED_ID) };
        acl.entries[n++] = (struct posix_acl_xattr_entry){ htole16(ACL_OTHER), htole16(0), htole32(ACL_UNDEFINED_ID) };
        EQ(access_set(name_fd, &plain), 0);
        EQ(syscall(SYS_setxattr, path, ACL, &acl, sizeof acl.header + n * sizeof *acl.entries, 0), 0);
        EQ(look(1), 6);
        EQ(access_set(name_fd, wanted), 0);
        is_as_wanted(wanted);
    }
    end();
    if (!can)
        SKIP("it needs root, and ACLs in /tmp");
}

static void what_somebody_else_owns_becomes_ours(void)
{
    static const struct access wanted = { 0660, (uid_t)-1, 64101 };
    struct stat st;

    begin();
    if (geteuid() == 0) {
        EQ(access_set(name_fd, &wanted), 0);
        EQ(chown(path, 64005, 64101), 0);
        EQ(access_set(name_fd, &wanted), 0);
        EQ(stat(path, &st), 0);
        EQ(st.st_uid, 0);
    }
    end();
    if (geteuid())
        SKIP("it needs root");
}

static void without_acls_all_but_the_user_is_let_in(void)
{
    static const struct access wanted = { 0660, 64001, 64101 }, nobody = { 0600, 64001, (gid_t)-1 };
    struct stat st;

    begin();
    if (geteuid() == 0) {
        no_acls = true;
        EQ(access_set(name_fd, &wanted), -EOPNOTSUPP);
        EQ(stat(path, &st), 0);
        EQ(st.st_mode & 07777, 0660);
        EQ(st.st_gid, 64101);
        EQ(access_set(name_fd, &nobody), -EOPNOTSUPP);
        EQ(stat(path, &st), 0);
        EQ(st.st_mode & 07777, 0600);
        EQ(st.st_gid, 0);
    }
    end();
    if (geteuid())
        SKIP("it needs root");
}

static void what_fails_is_said(void)
{
    static const struct access few = { 0640, (uid_t)-1, (gid_t)-1 }, all = { 0606, 64001, 64101 };
    bool can = begin();
    int err;

    /* Of the calls that this takes the first fails, then the second, … */
    for (int there = 0; can && there < 2; there++)
        for (int n = 1; n; n++) {
            fails = 0;
            EQ(access_set(name_fd, there ? &few : &all), 0);
            fails = n;
            err = access_set(name_fd, there ? &all : &few);
            EQ(err, fails ? 0 : -EPERM);
            if (fails)
                n = -1;         /* all went well: it takes less than n */
        }
    fails = 0;
    EQ(access_set(-1, &few), -EBADF);
    end();
    if (!can)
        SKIP("it needs root, and ACLs in /tmp");
}

static const struct test tests[] = {
    TEST(nobody_has_in_between_what_he_has_neither_before_nor_after), TEST(rights_that_somebody_added_by_hand_go),
    TEST(what_somebody_else_owns_becomes_ours), TEST(without_acls_all_but_the_user_is_let_in), TEST(what_fails_is_said)
};

int main(int argc, char **argv)
{
    return harness_run("access", tests, sizeof tests / sizeof *tests, argc, argv);
}

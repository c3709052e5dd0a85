/* SPDX-License-Identifier: MIT */
/* test_backend_rundir.c: the run directory: whose it must be, what becomes of its mode, its lock, and who is let in. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "away.h"
#include "rundir_lab.h"

/* In place of libc's. */
static bool no_acls;

int setxattr(const char *path, const char *name, const void *value, size_t size, int flags)
{
    if (no_acls) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_setxattr, path, name, value, size, flags);
}

static void a_new_run_directory_is_ours_alone_until_others_are_let_in(void)
{
    begin();
    EQ(rundir_open(&run, in("run"), false, why), 0);
    EQ(mode_of("run"), 0700);
    EQ(mode_of("run/guest"), 0700);
    EQ(mode_of("run/cid"), 0700);
    EQ(rundir_permit(&run, true), 0);
    EQ(mode_of("run"), 0711);
    EQ(mode_of("run/guest"), 0711);
    EQ(mode_of("run/cid"), 0711);
    EQ(rundir_permit(&run, false), 0);
    EQ(mode_of("run"), 0700);
    EQ(mode_of("run/guest"), 0700);
    EQ(mode_of("run/cid"), 0700);
    end();
}

static void a_run_directory_that_was_there_keeps_its_mode(void)
{
    static const mode_t modes[] = { 0755, 0750, 0700 };

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        begin();
        EQ(mkdir(in("run"), 0700), 0);
        EQ(chmod(in("run"), modes[i]), 0);
        EQ(rundir_open(&run, in("run"), false, why), 0);
        EQ(mode_of("run"), modes[i]);
        /* Who may use a guest's sockets must get through. */
        EQ(rundir_permit(&run, true), 0);
        EQ(mode_of("run"), modes[i] | 0111);
        EQ(rundir_permit(&run, false), 0);
        EQ(mode_of("run"), modes[i]);
        EQ(mode_of("run/guest"), 0700);
        end();
    }
}

/* The daemon was killed while others were let in; the next one's settings let nobody in. */
static void a_run_directory_is_closed_again_by_the_next_daemon(void)
{
    begin();
    EQ(rundir_open(&run, in("run"), true, why), 0);
    EQ(mode_of("run"), 0711);
    rundir_close(&run);
    EQ(rundir_open(&run, in("run"), false, why), 0);
    EQ(mode_of("run"), 0700);
    EQ(mode_of("run/guest"), 0700);
    EQ(rundir_permit(&run, true), 0);
    EQ(mode_of("run"), 0711);
    end();
}

static void refused(mode_t mode, uid_t owner, const char *stranger, int err, const char *says)
{
    begin();
    EQ(mkdir(in("run"), 0700), 0);
    if (stranger)
        EQ(mknod(in(stranger), S_IFREG | 0600, 0), 0);
    EQ(chown(in("run"), owner, (gid_t)-1), 0);
    EQ(chmod(in("run"), mode), 0);
    EQ(rundir_open(&run, in("run"), true, why), err);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, says));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "--run-dir"));
    EQ(run.fd, -1);
    EQ(run.lock_fd, -1);
    EQ(mode_of("run"), mode);
    CU_ASSERT_EQUAL(owner_of("run"), owner);
    EQ(access(in("run/guest"), F_OK), -1);
    end();
}

static void a_run_directory_that_is_not_fit_is_refused_and_left_alone(void)
{
    refused(01777, geteuid(), NULL, -EPERM, "others may write");
    refused(0770, geteuid(), NULL, -EPERM, "others may write");
    refused(0755, geteuid(), "run/mail", -ENOTEMPTY, "\"mail\"");
    if (!geteuid())
        refused(0755, ANN, NULL, -EPERM, "belongs to user 64001");
}

static void a_run_directory_that_cannot_be_made_is_said(void)
{
    char longer[RUNDIR_PATH];
    const char *path;

    begin();
    EQ(mknod(in("file"), S_IFREG | 0600, 0), 0);
    path = in("file/run");
    EQ(rundir_open(&run, path, false, why), -ENOTDIR);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, path));
    EQ(rundir_open(&run, in("file"), false, why), -ENOTDIR);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    EQ(rundir_open(&run, longer, false, why), -ENAMETOOLONG);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "too long"));
    EQ(run.fd, -1);
    EQ(run.lock_fd, -1);
    /* Something of its names is not what it should be. */
    EQ(mkdir(in("run"), 0700), 0);
    EQ(symlink(in("."), in("run/guest")), 0);
    EQ(rundir_open(&run, in("run"), true, why), -ENOTDIR);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "remove what has these names"));
    EQ(mode_of("."), 0711);
    EQ(run.fd, -1);
    EQ(unlink(in("run/guest")), 0);
    EQ(rundir_open(&run, in("run"), true, why), 0);
    end();
}

static void a_control_socket_is_for_us_alone_and_not_taken_from_another(void)
{
    int fd, second;

    begin();
    EQ(rundir_open(&run, in("run"), true, why), 0);
    fd = rundir_listen(&run, "control.sock", why);
    CU_ASSERT_TRUE(fd >= 0);
    EQ(mode_of("run/control.sock"), 0600);
    EQ(connect_to(in("run/control.sock")), 0);
    second = rundir_listen(&run, "control.sock", why);
    EQ(second, -EADDRINUSE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, in("run/control.sock")));
    close(fd);
    fd = rundir_listen(&run, "control.sock", why);
    CU_ASSERT_TRUE(fd >= 0);
    close(fd);
    end();
}

static bool links_to(const char *name, const char *target)
{
    char text[128] = "";

    return readlink(in(name), text, sizeof text - 1) > 0 && !strcmp(text, target);
}

static void the_link_of_a_cid_follows_it(void)
{
    begin();
    open_both(&nobody);
    EQ(guest_dir_link(&guest, &run, 10), 0);
    CU_ASSERT_TRUE(links_to("run/cid/10", "../guest/web1"));
    EQ(guest_dir_link(&guest, &run, 10), 0);
    CU_ASSERT_TRUE(links_to("run/cid/10", "../guest/web1"));
    /* Another CID: the old link goes, and what is left at the new one's place from before is replaced. */
    EQ(symlink("../guest/gone", in("run/cid/11")), 0);
    EQ(guest_dir_link(&guest, &run, 11), 0);
    CU_ASSERT_TRUE(links_to("run/cid/11", "../guest/web1"));
    EQ(access(in("run/cid/10"), F_OK), -1);
    EQ(guest_dir_link(&guest, &run, 0), 0);
    EQ(guest.cid, 0);
    CU_ASSERT_FALSE(links_to("run/cid/11", "../guest/web1"));
    /* One that cannot be made is not remembered. */
    EQ(mkdir(in("run/cid/12"), 0700), 0);
    EQ(guest_dir_link(&guest, &run, 12), -EISDIR);
    EQ(guest.cid, 0);
    EQ(access(in("run/cid/.new"), F_OK), -1);
    EQ(guest_dir_link(&guest, &run, 13), 0);
    guest_dir_close(&guest, &run);
    CU_ASSERT_FALSE(links_to("run/cid/13", "../guest/web1"));
    EQ(access(in("run/guest/web1"), F_OK), -1);
    end();
}

/* As when a guest is renamed. */
static void a_cid_that_another_directory_gets_always_has_a_link(void)
{
    struct guest_dir renamed;
    int watch;

    begin();
    open_both(&nobody);
    EQ(guest_dir_link(&guest, &run, 10), 0);
    EQ(guest_dir_open(&renamed, &run, "web2", &nobody, why), 0);
    /* What a daemon that was killed has left is not in the way. */
    EQ(symlink("../guest/gone", in("run/cid/.new")), 0);
    REQUIRE((watch = away_watch(in("run/cid"))) >= 0);
    EQ(guest_dir_link(&renamed, &run, 10), 0);
    CU_ASSERT_TRUE(links_to("run/cid/10", "../guest/web2"));
    guest_dir_close(&guest, &run);
    CU_ASSERT_TRUE(links_to("run/cid/10", "../guest/web2"));
    CU_ASSERT_FALSE(away_was(watch, "10"));
    guest_dir_close(&renamed, &run);
    CU_ASSERT_TRUE(away_was(watch, "10"));
    close(watch);
    end();
}

static void a_guest_s_directory_that_cannot_be_made_is_said(void)
{
    begin();
    EQ(rundir_open(&run, in("run"), false, why), 0);
    EQ(mknod(in("run/guest/web1"), S_IFREG | 0600, 0), 0);
    EQ(guest_dir_open(&guest, &run, "web1", &nobody, why), -ENOTDIR);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, in("run/guest/web1/vsock")));
    EQ(*guest.name, '\0');
    EQ(guest.fd, -1);
    EQ(guest.vsock.listen_fd, -1);
    end();
}

static void a_run_directory_that_served_us_may_have_other_files(void)
{
    begin();
    EQ(rundir_open(&run, in("run"), false, why), 0);
    rundir_close(&run);
    EQ(mknod(in("run/notes"), S_IFREG | 0600, 0), 0);
    EQ(rundir_open(&run, in("run"), false, why), 0);
    end();
}

static void a_second_daemon_in_a_run_directory_is_told_the_pid(void)
{
    struct rundir second;
    char pid[16];
    long holder;

    begin();
    EQ(rundir_is_in_use(in("run"), NULL, &holder), -ENOENT);
    EQ(rundir_open(&run, in("run"), false, why), 0);
    EQ(rundir_open(&second, in("run"), false, why), -EBUSY);
    snprintf(pid, sizeof pid, "pid %d)", (int)getpid());
    CU_ASSERT_PTR_NOT_NULL(strstr(why, pid));
    EQ(rundir_is_in_use(in("run"), NULL, &holder), 1);
    EQ(holder, getpid());
    EQ(rundir_is_in_use(in("run"), &run, &holder), 0);
    rundir_close(&run);
    EQ(rundir_is_in_use(in("run"), NULL, &holder), 0);
    EQ(truncate(in("run/xvsd.pid"), 0), 0);
    EQ(rundir_is_in_use(in("run"), NULL, &holder), 0);
    EQ(holder, 0);
    EQ(rundir_open(&run, in("run"), false, why), 0);
    end();
}

static int can_lock(void)
{
    struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
    int fd = open(in("run/xvsd.pid"), O_RDONLY);

    return fd >= 0 && !flock(fd, LOCK_SH) && !fcntl(fd, F_OFD_SETLK, &lock) ? 0 : errno;
}

/* Versions before had the lock file open to all; who has it open still could keep us out. */
static void nobody_else_can_take_the_lock(void)
{
    struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
    int fd;

    NEED_ROOT();
    begin();
    EQ(mkdir(in("run"), 0711), 0);
    EQ(mknod(in("run/xvsd.pid"), S_IFREG | 0644, 0), 0);
    fd = open(in("run/xvsd.pid"), O_RDONLY);
    EQ(fcntl(fd, F_OFD_SETLK, &lock), 0);
    EQ(rundir_open(&run, in("run"), true, why), 0);
    EQ(as(EVE, ALONE, can_lock), EACCES);
    close(fd);
    end();
}

/* ---- who may use a guest's sockets ---- */

static void others_are_let_in_by_a_mode_or_a_user(void)
{
    const struct settings_sockets ourselves = { .mode = 0600, .user = geteuid(), .group = (gid_t)-1 },
                                  group_without_mode = { .mode = 0600, .user = (uid_t)-1, .group = GROUP },
                                  everybody = { .mode = 0606, .user = (uid_t)-1, .group = (gid_t)-1 };

    CU_ASSERT_FALSE(rundir_lets_in(&nobody));
    CU_ASSERT_FALSE(rundir_lets_in(&ourselves));
    CU_ASSERT_FALSE(rundir_lets_in(&group_without_mode));
    CU_ASSERT_TRUE(rundir_lets_in(&members));
    CU_ASSERT_TRUE(rundir_lets_in(&ann_only));
    CU_ASSERT_TRUE(rundir_lets_in(&everybody));
}

/* The guest is served all the same. */
static void without_acls_a_socket_user_is_left_out(void)
{
    NEED_ROOT();
    begin();
    no_acls = true;
    open_both(&ann_only);
    EQ(as(ANN, ALONE, can_connect), EACCES);
    EQ(can_connect(), 0);
    no_acls = false;
    end();
}

static void nobody_is_let_in_without_being_named(void)
{
    NEED_ROOT();
    begin();
    open_both(&nobody);
    EQ(mode_of("run/guest/web1"), 0700);
    EQ(mode_of("run/guest/web1/vsock"), 0600);
    EQ(as(ANN, GROUP, can_connect), EACCES);
    EQ(can_connect(), 0);
    end();
}

static void members_connect_and_listen_and_others_do_not(void)
{
    NEED_ROOT();
    begin();
    open_both(&members);
    EQ(mode_of("run/guest/web1"), 01770);
    EQ(owner_of("run/guest/web1"), 0);
    EQ(owner_of("run/guest/web1/vsock"), 0);
    EQ(mode_of("run/guest/web1/vsock"), 0660);
    EQ(as(ANN, GROUP, can_connect), 0);
    EQ(as(ANN, GROUP, can_listen), 0);
    EQ(as(BOB, GROUP, can_listen), 0);
    EQ(as(EVE, ALONE, can_connect), EACCES);
    EQ(as(EVE, ALONE, can_listen), EACCES);
    end();
}

static void a_socket_user_connects_and_listens_and_owns_nothing(void)
{
    NEED_ROOT();
    begin();
    open_both(&ann_only);
    if (!has_acls()) {
        end();
        SKIP("the file system of /tmp has no ACLs");
    }
    EQ(owner_of("run/guest/web1"), 0);
    EQ(owner_of("run/guest/web1/vsock"), 0);
    EQ(mode_of("run/guest/web1") & S_ISVTX, S_ISVTX);
    EQ(as(ANN, ALONE, can_connect), 0);
    EQ(as(ANN, ALONE, can_listen), 0);
    /* Neither the group of the directory nor anybody else. */
    EQ(as(BOB, 0, can_connect), EACCES);
    EQ(as(BOB, 0, can_listen), EACCES);
    EQ(as(EVE, ALONE, can_connect), EACCES);
    end();
}

static void a_reload_lets_in_and_out(void)
{
    static const struct settings_sockets both = { .mode = 0660, .user = BOB, .group = GROUP };
    bool acls;

    NEED_ROOT();
    begin();
    open_both(&nobody);
    EQ(rundir_permit(&run, true), 0);
    EQ(guest_dir_permit(&guest, &members), 0);
    EQ(as(ANN, GROUP, can_connect), 0);
    EQ(as(BOB, ALONE, can_connect), EACCES);
    acls = guest_dir_permit(&guest, &both) == 0;
    EQ(as(ANN, GROUP, can_connect), 0);
    EQ(as(BOB, ALONE, can_connect), acls ? 0 : EACCES);
    EQ(as(BOB, ALONE, can_listen), acls ? 0 : EACCES);
    EQ(as(EVE, ALONE, can_connect), EACCES);
    EQ(guest_dir_permit(&guest, &nobody), 0);
    EQ(mode_of("run/guest/web1"), 0700);
    EQ(mode_of("run/guest/web1/vsock"), 0600);
    EQ(as(ANN, GROUP, can_connect), EACCES);
    EQ(as(BOB, ALONE, can_connect), EACCES);
    EQ(as(BOB, 0, can_connect), EACCES);
    end();
}

/* It cannot be made ours by its mode alone. */
static void a_directory_in_it_that_is_somebody_else_s_is_refused(void)
{
    NEED_ROOT();
    begin();
    open_both(&nobody);
    REQUIRE(chown(in("run/cid"), ANN, GROUP) == 0);
    EQ(rundir_permit(&run, true), -EPERM);
    REQUIRE(chown(in("run/cid"), 0, 0) == 0);
    EQ(rundir_permit(&run, true), 0);
    end();
}

static const struct test tests[] = {
    TEST(a_new_run_directory_is_ours_alone_until_others_are_let_in),
    TEST(a_run_directory_that_was_there_keeps_its_mode), TEST(a_run_directory_is_closed_again_by_the_next_daemon),
    TEST(a_run_directory_that_is_not_fit_is_refused_and_left_alone),
    TEST(a_run_directory_that_cannot_be_made_is_said),
    TEST(a_control_socket_is_for_us_alone_and_not_taken_from_another), TEST(the_link_of_a_cid_follows_it),
    TEST(a_cid_that_another_directory_gets_always_has_a_link),
    TEST(a_guest_s_directory_that_cannot_be_made_is_said), TEST(a_run_directory_that_served_us_may_have_other_files),
    TEST(a_second_daemon_in_a_run_directory_is_told_the_pid), TEST(nobody_else_can_take_the_lock),
    TEST(others_are_let_in_by_a_mode_or_a_user), TEST(without_acls_a_socket_user_is_left_out),
    TEST(nobody_is_let_in_without_being_named), TEST(members_connect_and_listen_and_others_do_not),
    TEST(a_socket_user_connects_and_listens_and_owns_nothing), TEST(a_reload_lets_in_and_out),
    TEST(a_directory_in_it_that_is_somebody_else_s_is_refused)
};

int main(int argc, char **argv)
{
    return harness_run("rundir", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_backend_intruders.c: what people who may write in a guest's directory can do to its socket, and what they can
 * have the daemon connect to. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "rundir_lab.h"

static char dial_why[DIAL_WHY];

static int dial(void)
{
    int fd = dial_port(guest.fd, 5000, SOCK_STREAM, "", &(unsigned){ 0 }, dial_why);

    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

/* ---- what stands at our name ---- */

/* A stream is not what who listens there wants, but that is heard after the right to connect. */
static int can_connect_for_messages(void)
{
    int err = connect_to(in("run/guest/web1/vsock.seqpacket"));

    return err == EPROTOTYPE ? 0 : err;
}

static int take_away(void)
{
    const char *vsock = in("run/guest/web1/vsock"), *dir = in("run/guest/web1");

    if (!unlink(vsock) || !rename(vsock, in("run/guest/web1/mine")) || !rename(dir, in("run/guest/web2")))
        return 1;
    if (symlink("x", in("run/guest/web1/link")) || !rename(in("run/guest/web1/link"), vsock) || !chmod(vsock, 0666) ||
        !chmod(dir, 0777))
        return 2;
    return unlink(in("run/guest/web1/link"));
}

static void nobody_takes_the_socket_away(void)
{
    NEED_ROOT();
    begin();
    open_both(&members);
    EQ(as(ANN, GROUP, take_away), 0);
    EQ(as(ANN, GROUP, can_connect), 0);
    if (has_acls()) {
        EQ(as(ANN, ALONE, take_away), 0);
        EQ(as(ANN, ALONE, can_connect), 0);
    }
    end();
}

/* Each makes something at one of the daemon's names, or at both, while no daemon is there. */
static const char *const names[] = { "vsock", "vsock.seqpacket" };
enum { BOTH = 2 };
static unsigned at_name;
enum { FULL_DIRECTORY = 6, DEAD_SOCKET, SOCKET_IN_USE };
static int obstacle;
static const char *const obstacles[] = { "link to a file", "link to nothing", "link to a directory", "FIFO", "file", "directory",
                                         "full directory", "dead socket", "socket in use" };

static int put_at(const char *name)
{
    char at[200], deeper[210];

    snprintf(at, sizeof at, "%s/%s", in("run/guest/web1"), name);
    snprintf(deeper, sizeof deeper, "%s/deeper", at);
    switch (obstacle) {
    case 0:  return symlink(in("victim"), at);
    case 1:  return symlink(in("nothing"), at);
    case 2:  return symlink(in("victims"), at);
    case 3:  return mkfifo(at, 0666);
    case 4:  return mknod(at, S_IFREG | 0666, 0);
    case 5:  return mkdir(at, 0777);
    case FULL_DIRECTORY: return mkdir(at, 0777) || mkdir(deeper, 0777);
    case DEAD_SOCKET: return socket_at(at, false) < 0;
    default: return socket_at(at, true) < 0;
    }
}

static int put_obstacle(void)
{
    if (at_name < BOTH)
        return put_at(names[at_name]);
    return put_at(names[0]) || put_at(names[1]);
}

static pid_t put_it_there(void)
{
    if (obstacle == SOCKET_IN_USE)
        return as_long(ANN, GROUP, put_obstacle);
    EQ(as(ANN, GROUP, put_obstacle), 0);
    return 0;
}

static void served_past_each_obstacle(void)
{
    struct stat before, after;

    for (obstacle = 0; obstacle <= SOCKET_IN_USE; obstacle++) {
        pid_t pid;

        begin();
        EQ(mknod(in("victim"), S_IFREG | 0640, 0), 0);
        EQ(mkdir(in("victims"), 0750), 0);
        EQ(stat(in("victim"), &before), 0);
        open_both(&members);
        EQ(as(ANN, GROUP, can_listen), 0);          /* so that the directory stays */
        guest_dir_close(&guest, &run);
        EQ(access(in("run/guest/web1/vsock"), F_OK), -1);
        EQ(access(in("run/guest/web1/vsock.seqpacket"), F_OK), -1);

        pid = put_it_there();
        EQ(guest_dir_open(&guest, &run, "web1", &members, why), 0);
        if (*guest.name == '\0')
            fprintf(stderr, "not past a %s (%u): %s\n", obstacles[obstacle], at_name, why);
        EQ(owner_of("run/guest/web1/vsock.seqpacket"), 0);
        EQ(mode_of("run/guest/web1/vsock.seqpacket"), 0660);
        EQ(as(BOB, GROUP, can_connect_for_messages), 0);
        EQ(owner_of("run/guest/web1/vsock"), 0);
        EQ(mode_of("run/guest/web1/vsock"), 0660);
        EQ(mode_of("run/guest/web1"), 01770);
        EQ(as(BOB, GROUP, can_connect), 0);
        EQ(stat(in("victim"), &after), 0);
        EQ(after.st_mode, before.st_mode);
        EQ(after.st_uid, before.st_uid);
        EQ(after.st_gid, before.st_gid);
        EQ(mode_of("victims"), 0750);
        EQ(access(in("nothing"), F_OK), -1);
        end_long(pid);
        end();
    }
}

static void the_guest_is_served_whatever_stands_at_its_names(void)
{
    NEED_ROOT();
    for (at_name = 0; at_name <= BOTH; at_name++)
        served_past_each_obstacle();
    at_name = 0;
}

static bool has_aside(void)
{
    DIR *dir = opendir(in("run/guest/web1"));
    const struct dirent *entry;
    bool found = false;

    while (dir && (entry = readdir(dir)))
        found |= !strncmp(entry->d_name, ".vsock.", 7);
    if (dir)
        closedir(dir);
    return found;
}

/* What cannot be removed without harm is moved aside; what can, is gone. */
static void a_full_directory_and_a_used_socket_are_moved_aside(void)
{
    NEED_ROOT();
    for (obstacle = 0; obstacle <= SOCKET_IN_USE; obstacle++) {
        pid_t pid;

        begin();
        open_both(&members);
        EQ(as(ANN, GROUP, can_listen), 0);
        guest_dir_close(&guest, &run);
        pid = put_it_there();
        EQ(guest_dir_open(&guest, &run, "web1", &members, why), 0);
        EQ(has_aside(), obstacle == FULL_DIRECTORY || obstacle == SOCKET_IN_USE);
        end_long(pid);
        /* And again: the first of them is still there. */
        guest_dir_close(&guest, &run);
        pid = put_it_there();
        EQ(guest_dir_open(&guest, &run, "web1", &members, why), 0);
        EQ(as(BOB, GROUP, can_connect), 0);
        end_long(pid);
        end();
    }
}

/* With fs.protected_hardlinks = 0 a member may link any socket: root does it for him here. */
static void a_link_to_a_used_socket_of_ours_is_no_daemon(void)
{
    int fd;

    NEED_ROOT();
    begin();
    fd = socket_at(in("other.sock"), true);
    open_both(&members);
    EQ(as(ANN, GROUP, can_listen), 0);
    guest_dir_close(&guest, &run);
    EQ(link(in("other.sock"), in("run/guest/web1/vsock")), 0);
    EQ(guest_dir_open(&guest, &run, "web1", &members, why), 0);
    EQ(connect_to(in("other.sock")), 0);
    close(fd);
    end();
}

/* Where only we may write, a socket that is in use is that of a program of ours. */
static void in_our_own_directory_a_used_socket_stays(void)
{
    int fd;

    begin();
    EQ(rundir_open(&run, in("run"), false, why), 0);
    EQ(mkdir(in("run/guest/web1"), 0700), 0);
    fd = socket_at(in("run/guest/web1/vsock"), true);
    EQ(guest_dir_open(&guest, &run, "web1", &nobody, why), -EADDRINUSE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "another program listens there"));
    EQ(connect_to(in("run/guest/web1/vsock")), 0);
    close(fd);
    EQ(guest_dir_open(&guest, &run, "web1", &nobody, why), 0);
    end();
}

/* A killed daemon's socket goes without anybody being kept out meanwhile. */
static void what_a_killed_daemon_left_is_replaced(void)
{
    struct guest_dir dead;

    begin();
    open_both(&nobody);
    dead = guest;
    close(dead.vsock.listen_fd);
    close(dead.messages.listen_fd);
    EQ(guest_dir_open(&guest, &run, "web1", &nobody, why), 0);
    EQ(can_connect(), 0);
    EQ(can_connect_for_messages(), 0);
    CU_ASSERT_FALSE(has_aside());
    close(dead.vsock.name_fd);
    close(dead.messages.name_fd);
    close(dead.fd);
    end();
}

/* A sockaddr has 108 bytes; the path here has more. */
static void a_path_may_be_longer_than_a_sockaddr(void)
{
    static const char deep[] = "a-folder-with-a-long-name/another-folder-with-a-long-name/a-third-folder-with-a-long-name";
    char below[160];
    struct stat st;
    int fd;

    begin();
    EQ(rundir_open(&run, in(deep), false, why), 0);
    EQ(guest_dir_open(&guest, &run, "web1", &nobody, why), 0);
    snprintf(below, sizeof below, "%s/guest/web1/vsock", deep);
    EQ(mode_of(below), 0600);
    EQ(chdir(in(deep)), 0);
    EQ(connect_to("guest/web1/vsock"), 0);
    fd = socket_at("guest/web1/vsock_5000", true);
    EQ(dial(), 0);
    close(fd);
    guest_dir_close(&guest, &run);
    EQ(stat("guest/web1/vsock", &st), -1);
    EQ(chdir("/"), 0);
    end();
}

static void a_directory_is_in_use_while_somebody_listens_there(void)
{
    int fd, other;

    begin();
    open_both(&nobody);
    CU_ASSERT_FALSE(guest_dir_is_used(&guest));
    fd = socket_at(in("run/guest/web1/vsock_5000"), true);
    CU_ASSERT_TRUE(guest_dir_is_used(&guest));
    CU_ASSERT_TRUE(guest_dir_is_used(&guest));
    EQ(accept4(fd, NULL, NULL, 0), -1);         /* it was not called */
    EQ(errno, EAGAIN);
    close(fd);
    CU_ASSERT_FALSE(guest_dir_is_used(&guest)); /* it has left its name */
    /* What lives elsewhere does not count here, nor what is no socket. */
    other = socket_at(in("other"), true);
    EQ(symlink(in("other"), in("run/guest/web1/vsock_1")), 0);
    EQ(link(in("other"), in("run/guest/web1/vsock_2")), 0);
    EQ(mkfifo(in("run/guest/web1/vsock_3"), 0600), 0);
    EQ(mkdir(in("run/guest/web1/vsock_4"), 0700), 0);
    EQ(symlink("/nowhere", in("run/guest/web1/vsock_5")), 0);
    CU_ASSERT_FALSE(guest_dir_is_used(&guest));
    close(other);
    end();
}

/* Whoever fills it keeps us neither reading nor from what comes after. */
static void a_full_directory_is_looked_through_a_part_at_a_time(void)
{
    char name[64];
    int fd, looks = 0;

    begin();
    open_both(&nobody);
    for (int i = 0; i < 1500; i++) {
        snprintf(name, sizeof name, "run/guest/web1/vsock_%d", i);
        EQ(mknod(in(name), S_IFSOCK | 0600, 0), 0);
    }
    while (looks < 10 && guest_dir_is_used(&guest))
        looks++;
    EQ(looks, 1);
    for (int i = 0; i < 2; i++) {
        /* The newest and the oldest name of all: one of the two comes late, in whatever order a file system has them. */
        EQ(unlink(in(i ? "run/guest/web1/vsock_0" : "run/guest/web1/vsock_1499")), 0);
        fd = socket_at(in(i ? "run/guest/web1/vsock_0" : "run/guest/web1/vsock_1499"), true);
        for (int n = 0; n < 5; n++)
            CU_ASSERT_TRUE(guest_dir_is_used(&guest));
        close(fd);
        for (looks = 0; looks < 10 && guest_dir_is_used(&guest); looks++)
            ;
        CU_ASSERT_TRUE(looks >= 1 && looks <= 3);
    }
    end();
}

/* Versions before gave the directory to a user, and its modes had no sticky bit. */
static void a_directory_of_somebody_else_becomes_ours(void)
{
    NEED_ROOT();
    begin();
    EQ(rundir_open(&run, in("run"), true, why), 0);
    EQ(mkdir(in("run/guest/web1"), 0700), 0);
    EQ(chown(in("run/guest/web1"), ANN, GROUP), 0);
    EQ(chmod(in("run/guest/web1"), 0770), 0);
    obstacle = FULL_DIRECTORY;
    EQ(as(ANN, GROUP, put_obstacle), 0);
    EQ(guest_dir_open(&guest, &run, "web1", &members, why), 0);
    EQ(owner_of("run/guest/web1"), 0);
    EQ(mode_of("run/guest/web1"), 01770);
    EQ(as(ANN, GROUP, take_away), 0);
    end();
}

/* Root itself may put something in its place; a reload is for the socket that was bound, all the same. */
static void a_reload_is_for_the_socket_that_was_bound(void)
{
    struct stat st;

    NEED_ROOT();
    begin();
    open_both(&nobody);
    EQ(mknod(in("victim"), S_IFREG | 0600, 0), 0);
    EQ(rename(in("run/guest/web1/vsock"), in("run/guest/web1/old")), 0);
    EQ(symlink(in("victim"), in("run/guest/web1/vsock")), 0);
    EQ(guest_dir_permit(&guest, &members), 0);
    EQ(mode_of("victim"), 0600);
    EQ(stat(in("victim"), &st), 0);
    EQ(st.st_gid, 0);
    EQ(mode_of("run/guest/web1/old"), 0660);
    /* …and so is the end. */
    guest_dir_close(&guest, &run);
    EQ(readlink(in("run/guest/web1/vsock"), why, sizeof why) > 0, 1);
    end();
}

/* sockfile_open() alone: whether the directory had to be closed, and that it was. */
static void opens_as(uid_t owner, mode_t mode, int (*put)(void), bool closes)
{
    struct sockfile s;
    bool closed = !closes;
    int fd;

    begin();
    EQ(mkdir(in("run"), 0711) || mkdir(in("run/guest"), 0711) || mkdir(in("run/guest/web1"), 0700), 0);
    EQ(chown(in("run/guest/web1"), owner, GROUP), 0);
    EQ(chmod(in("run/guest/web1"), mode), 0);
    if (put)
        EQ(as(put == put_obstacle ? ANN : 0, GROUP, put), 0);
    fd = open(in("run/guest/web1"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    EQ(sockfile_open(&s, in("run/guest/web1"), fd, "vsock", &closed), 0);
    EQ(closed, closes);
    EQ(mode_of("run/guest/web1"), closes ? 0700 : mode);
    EQ(owner_of("run/guest/web1"), 0);
    EQ(owner_of("run/guest/web1/vsock"), 0);
    EQ(mode_of("run/guest/web1/vsock"), 0600);
    sockfile_close(&s, fd, "vsock");
    EQ(s.listen_fd, -1);
    EQ(s.name_fd, -1);
    sockfile_close(&s, fd, "vsock");
    EQ(access(in("run/guest/web1/vsock"), F_OK), -1);
    close(fd);
    end();
}

static int leave_ours(void)
{
    return socket_at(in("run/guest/web1/vsock"), true) < 0;
}

static void the_directory_is_closed_when_it_must_be_and_only_then(void)
{
    NEED_ROOT();
    opens_as(0, 0700, NULL, false);
    opens_as(0, 0700, leave_ours, false);
    opens_as(0, 01770, NULL, false);
    opens_as(0, 01770, leave_ours, false);      /* members who listen meanwhile are not to be kept out */
    opens_as(0, 0770, NULL, true);              /* not sticky: what is ours would not be safe */
    opens_as(ANN, 0700, NULL, true);
    opens_as(ANN, 01770, NULL, true);
    for (obstacle = 0; obstacle <= DEAD_SOCKET; obstacle++)
        opens_as(0, 01770, put_obstacle, true);
}

static void what_does_not_open_leaves_nothing_open(void)
{
    struct sockfile s;
    bool closed;
    int fd, used;

    begin();
    fd = open(in("."), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    used = socket_at(in("vsock"), true);
    EQ(chmod(in("."), 0700), 0);
    EQ(sockfile_open(&s, in("."), fd, "vsock", &closed), -EADDRINUSE);
    EQ(s.listen_fd, -1);
    EQ(s.name_fd, -1);
    EQ(sockfile_open(&s, in("nothing"), fd, "vsock", &closed), -ENOENT);
    EQ(s.listen_fd, -1);
    close(used);
    close(fd);
    end();
}

/* ---- two of them, as fast as they can ---- */

static int rage(void)
{
    const char *ours[] = { in("run/guest/web1/vsock"), in("run/guest/web1/vsock.seqpacket") };
    const char *mine = in("run/guest/web1/mine"), *aside = in("run/guest/web1/aside");
    unsigned turn = getuid();

    while (!*shared) {
        const char *vsock = ours[turn / 7 % 2];

        /* What comes of each does not matter to him. */
        switch (turn++ % 7) {
        case 0: (void)!symlink(in("victim"), vsock); break;
        case 1: (void)!symlink(in("victim"), mine); (void)!rename(mine, vsock); break;
        case 2: mkfifo(vsock, 0666); break;
        case 3: mkdir(vsock, 0777); break;
        case 4: close(socket_at(vsock, true)); break;
        case 5: (void)!rename(vsock, aside); break;
        case 6: (void)!link(in("victim"), vsock); break;
        }
        chmod(in("run/guest/web1"), 0777);
        unlink(turn & 1 ? vsock : aside);
        rmdir(turn & 2 ? vsock : aside);
        unlink(mine);
    }
    return 0;
}

static void two_attackers_race_with_starts_and_reloads(void)
{
    pid_t ann, bob;

    NEED_ROOT();
    begin();
    EQ(mknod(in("victim"), S_IFREG | 0600, 0), 0);
    open_both(&members);
    EQ(as(ANN, GROUP, can_listen), 0);
    guest_dir_close(&guest, &run);
    ann = as_meanwhile(ANN, GROUP, rage);
    bob = as_meanwhile(BOB, GROUP, rage);
    for (int i = 0; i < 300; i++) {
        EQ(guest_dir_open(&guest, &run, "web1", &members, why), 0);
        EQ(owner_of("run/guest/web1/vsock"), 0);
        EQ(guest_dir_permit(&guest, &nobody), 0);
        EQ(guest_dir_permit(&guest, &members), 0);
        EQ(can_connect(), 0);
        guest_dir_close(&guest, &run);
        sched_yield();
    }
    *shared = 1;
    EQ(waitpid(ann, NULL, 0), ann);
    EQ(waitpid(bob, NULL, 0), bob);
    EQ(mode_of("victim"), 0600);
    EQ(owner_of("victim"), 0);
    end();
}

/* ---- connecting to what they put there ---- */

static int listen_5000(void)
{
    umask(022);
    return socket_at(in("run/guest/web1/vsock_5000"), true) < 0;
}

/* Accepts one connection, and ends with 0 if it was made by its own user. */
static int serve_5000(void)
{
    struct pollfd p = { .fd = socket_at(in("run/guest/web1/vsock_5000"), true), .events = POLLIN };
    struct ucred peer = { 0 };
    socklen_t len = sizeof peer;
    int fd;

    if (p.fd < 0 || *shared)
        return 1;
    *shared = 1;
    if (poll(&p, 1, PATIENCE_MS) != 1 || (fd = accept(p.fd, NULL, NULL)) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
        return 2;
    return peer.uid == getuid() && peer.gid == getgid() ? 0 : 3;
}

/* And what is refused: with a reason that has these words. */
static void refuses(const char *words)
{
    EQ(dial(), -EACCES);
    if (!strstr(dial_why, words)) {
        fprintf(stderr, "said \"%s\", expected \"%s\"\n", dial_why, words);
        CU_FAIL("the reason");
    }
}

static void a_listener_is_connected_to_as_its_owner(void)
{
    int status = -1;
    pid_t pid;

    NEED_ROOT();
    begin();
    open_both(&members);
    EQ(dial(), -ENOENT);
    EQ(*dial_why, '\0');
    pid = as_meanwhile(ANN, GROUP, serve_5000);
    while (!*shared && waitpid(pid, &status, WNOHANG) == 0)
        sched_yield();
    EQ(setegid(ALONE), 0);
    EQ(prctl(PR_SET_DUMPABLE, 1), 0);
    EQ(dial(), 0);
    EQ(prctl(PR_GET_DUMPABLE), 1);
    EQ(waitpid(pid, &status, 0), pid);
    EQ(status, 0);
    EQ(geteuid(), 0);
    EQ(getegid(), ALONE);
    EQ(setegid(0), 0);
    EQ(prctl(PR_SET_DUMPABLE, 1), 0);
    EQ(dial(), -ECONNREFUSED);          /* it is a left-over now */
    end();
}

static void our_own_listener_is_connected_to_with_the_usual_umask(void)
{
    int fd;

    begin();
    open_both(geteuid() ? &nobody : &members);
    umask(022);
    fd = socket_at(in("run/guest/web1/vsock_5000"), true);
    EQ(dial(), 0);
    close(fd);
    EQ(dial(), -ECONNREFUSED);
    /* As xvs serve does: it has its name when it listens. */
    unlink(in("run/guest/web1/vsock_5000"));
    fd = socket_at(in("run/guest/web1/.vsock_5000.42"), true);
    EQ(rename(in("run/guest/web1/.vsock_5000.42"), in("run/guest/web1/vsock_5000")), 0);
    EQ(dial(), 0);
    close(fd);
    end();
}

static bool was_called(int fd)
{
    int got = accept(fd, NULL, NULL);

    if (got >= 0)
        close(got);
    return got >= 0;
}

static void nothing_but_a_socket_is_connected_to(void)
{
    const char *at;
    int fd;

    begin();
    at = in("run/guest/web1/vsock_5000");
    open_both(geteuid() ? &nobody : &members);
    fd = socket_at(in("other.sock"), true);
    EQ(symlink(in("other.sock"), at), 0);
    refuses("a symbolic link");
    CU_ASSERT_FALSE(was_called(fd));
    EQ(unlink(at), 0);
    EQ(mkfifo(at, 0666), 0);
    refuses("a FIFO");
    EQ(unlink(at), 0);
    EQ(mkdir(at, 0777), 0);
    refuses("a directory");
    EQ(rmdir(at), 0);
    EQ(mknod(at, S_IFREG | 0666, 0), 0);
    refuses("a file");
    EQ(unlink(at), 0);
    close(fd);
    /* Of another type. */
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        snprintf(a.sun_path, sizeof a.sun_path, "%s", at);
        EQ(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    }
    EQ(dial(), -EPROTOTYPE);
    close(fd);
    end();
}

/* A socket of root's, and one of somebody else's, that were linked or moved here: nobody is called, or not a byte
 * comes. */
static void a_socket_from_elsewhere_is_not_connected_to(void)
{
    const char *at;
    char byte;
    int fd, got;

    begin();
    at = in("run/guest/web1/vsock_5000");
    open_both(geteuid() ? &nobody : &members);
    fd = socket_at(in("vsock_5000"), true);
    EQ(link(in("vsock_5000"), at), 0);
    refuses("2 names");
    CU_ASSERT_FALSE(was_called(fd));
    EQ(unlink(at), 0);
    close(fd);
    fd = socket_at(in("docker.sock"), true);
    EQ(rename(in("docker.sock"), at), 0);
    refuses("docker.sock");
    got = accept(fd, NULL, NULL);
    EQ(read(got, &byte, 1), 0);
    close(got);
    close(fd);
    EQ(unlink(at), 0);
    /* The port's number is the whole of a number. */
    fd = socket_at(in("vsock_50001"), true);
    EQ(rename(in("vsock_50001"), at), 0);
    refuses("vsock_50001");
    close(fd);
    end();
}

/* All 108 bytes of a sockaddr, without an end. */
static void a_listener_with_the_longest_path_is_connected_to(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    const char name[] = "vsock_5000";
    size_t at = 0;
    int fd;

    begin();
    open_both(&nobody);
    EQ(chdir(in("run/guest/web1")), 0);
    for (; at < sizeof a.sun_path - (sizeof name - 1); at++)
        a.sun_path[at] = at % 2 ? '/' : '.';
    memcpy(a.sun_path + at, name, sizeof name - 1);
    EQ(at + sizeof name - 1, sizeof a.sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EQ(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    EQ(listen(fd, 1), 0);
    EQ(dial(), 0);
    close(fd);
    EQ(chdir("/"), 0);
    end();
}

static int dial_without_capabilities(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[2] = { { 0 } };

    if (syscall(SYS_capset, &header, none))
        return 1;
    return dial() == -EACCES && strstr(dial_why, "belongs to user 64001") && geteuid() == 0 && getegid() == 0 ? 0 : 2;
}

static void without_the_right_to_be_another_nobody_is_connected_to(void)
{
    pid_t pid;

    NEED_ROOT();
    begin();
    open_both(&members);
    pid = as_long(ANN, GROUP, listen_5000);
    EQ(as(0, 0, dial_without_capabilities), 0);
    end_long(pid);
    end();
}

/* Ann's socket is for Ann: that Bob may not connect to it does not matter, and that the daemon could is not used. */
static void a_socket_that_lets_nobody_in_is_not_connected_to(void)
{
    pid_t pid;

    NEED_ROOT();
    begin();
    open_both(&members);
    pid = as_long(ANN, GROUP, listen_5000);
    EQ(dial(), 0);
    EQ(chmod(in("run/guest/web1/vsock_5000"), 0077), 0);
    EQ(dial(), -EACCES);
    EQ(*dial_why, '\0');
    end_long(pid);
    end();
}

static const struct test tests[] = {
    TEST(nobody_takes_the_socket_away), TEST(the_guest_is_served_whatever_stands_at_its_names),
    TEST(a_full_directory_and_a_used_socket_are_moved_aside), TEST(a_link_to_a_used_socket_of_ours_is_no_daemon),
    TEST(in_our_own_directory_a_used_socket_stays), TEST(what_a_killed_daemon_left_is_replaced),
    TEST(a_path_may_be_longer_than_a_sockaddr),
    TEST(a_directory_is_in_use_while_somebody_listens_there), TEST(a_full_directory_is_looked_through_a_part_at_a_time),
    TEST(a_directory_of_somebody_else_becomes_ours),
    TEST(a_reload_is_for_the_socket_that_was_bound), TEST(the_directory_is_closed_when_it_must_be_and_only_then),
    TEST(what_does_not_open_leaves_nothing_open), TEST(two_attackers_race_with_starts_and_reloads),
    TEST(a_listener_is_connected_to_as_its_owner), TEST(our_own_listener_is_connected_to_with_the_usual_umask),
    TEST(nothing_but_a_socket_is_connected_to), TEST(a_socket_from_elsewhere_is_not_connected_to),
    TEST(a_listener_with_the_longest_path_is_connected_to),
    TEST(without_the_right_to_be_another_nobody_is_connected_to),
    TEST(a_socket_that_lets_nobody_in_is_not_connected_to)
};

int main(int argc, char **argv)
{
    return harness_run("intruders", tests, sizeof tests / sizeof *tests, argc, argv);
}

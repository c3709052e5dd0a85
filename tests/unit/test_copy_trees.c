/* SPDX-License-Identifier: MIT */
/* test_copy_trees.c: whole trees through both ends of put and get, which are the caller (client.h) here and the agent's service (putget.h) in
 * a process of its own, joined by a socket pair: what comes to stand where, what is kept, what is told. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "harness.h"
#include "list.h"
#include "putget.h"

#define PROBLEMS 8

static struct {
    struct channel_fds channel;
    struct client client;
    struct request request;
    struct target target;
    int fd;
    pid_t pid;
    unsigned problems;
    bool there[PROBLEMS];
    char problem[PROBLEMS][300];
    void (*tick)(void);
    int err;
} lab;

static void problem(struct client *c, bool there, const char *name, const char *why)
{
    (void)c;
    if (lab.problems < PROBLEMS) {
        lab.there[lab.problems] = there;
        snprintf(lab.problem[lab.problems], sizeof *lab.problem, "%.140s: %.140s", name, why);
    }
    lab.problems++;
}

/* Amid the first large file. */
static void tick(struct client *c)
{
    if (lab.tick && c->wire.data_out + c->wire.data_in > 1 << 20)
        lab.tick();
}

static bool told(const char *text)
{
    for (unsigned i = 0; i < lab.problems && i < PROBLEMS; i++)
        if (strstr(lab.problem[i], text))
            return true;
    for (unsigned i = 0; i < lab.problems && i < PROBLEMS; i++)
        printf("    told: %s\n", lab.problem[i]);
    return false;
}

/* A new directory, which is the working directory. */
static void begin(void)
{
    const char *dir = harness_directory("trees");

    REQUIRE(dir != NULL && chdir(dir) == 0);
    umask(022);
    memset(&lab, 0, sizeof lab);
    lab.request.pack.sums = lab.request.unpack.sums = true;
    lab.request.unpack.quick = true;
}

/* The agent, and a stream to it. */
static void call(const char *service)
{
    int pair[2];

    lab.client = (struct client){ .problem = problem, .tick = tick };
    EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    lab.pid = fork();
    if (!lab.pid) {
        close(pair[0]);
        _exit((strcmp(service, "put") ? putget_get : putget_put)(pair[1], pair[1], NULL));
    }
    close(pair[1]);
    lab.fd = pair[0];
    fcntl(lab.fd, F_SETFL, O_NONBLOCK);
    channel_fds(&lab.channel, lab.fd, lab.fd);
    EQ(client_open(&lab.client, strcmp(service, "put") ? CLIENT_GET : CLIENT_PUT, &lab.channel.channel, &lab.request), 0);
}

static int hang_up(int err)
{
    int status;

    if (err)
        printf("    %s%s\n", lab.client.theirs ? "there: " : "", lab.client.why);
    client_close(&lab.client);
    close(lab.fd);
    EQ(waitpid(lab.pid, &status, 0), lab.pid);
    lab.err = err;
    return err;
}

static int put(const char *source, const char *target)
{
    lab.request.paths = (char *[]){ (char *)(uintptr_t)target, NULL };
    lab.request.count = 1;
    call("put");
    return hang_up(client_put(&lab.client, &source, 1, false));
}

static int get(const char *source, const char *target)
{
    lab.request.paths = (char *[]){ (char *)(uintptr_t)source, NULL };
    lab.request.count = 1;
    lab.target.path = target;
    call("get");
    return hang_up(client_get(&lab.client, &lab.target));
}

/* ---- files ---- */

static void write_file(const char *path, const char *content)
{
    FILE *f = fopen(path, "w");

    REQUIRE(f != NULL);
    fputs(content, f);
    fclose(f);
}

static bool has(const char *path, const char *content)
{
    char text[256];
    FILE *f = fopen(path, "r");
    size_t n;

    if (!f)
        return false;
    n = fread(text, 1, sizeof text, f);
    fclose(f);
    return n == strlen(content) && memcmp(text, content, n) == 0;
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static struct stat look(const char *path)
{
    struct stat st;

    memset(&st, 0, sizeof st);
    EQ(lstat(path, &st), 0);
    return st;
}

/* src/ with a file, a directory, and links. */
static void make_tree(void)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { 1234567890, 123456789 } };

    REQUIRE(mkdir("src", 0755) == 0 && mkdir("src/dir", 0750) == 0);
    write_file("src/file", "file");
    write_file("src/dir/deep", "deep");
    write_file("src/new\nline\xff", "odd");
    write_file("src/empty", "");
    EQ(link("src/file", "src/hard"), 0);
    EQ(symlink("dir/deep", "src/link"), 0);
    EQ(symlink("nowhere", "src/dangling"), 0);
    EQ(chmod("src/file", 0640), 0);
    EQ(utimensat(AT_FDCWD, "src/file", times, 0), 0);
    EQ(utimensat(AT_FDCWD, "src/link", times, AT_SYMLINK_NOFOLLOW), 0);
    EQ(utimensat(AT_FDCWD, "src/dir", times, 0), 0);
}

static void tree_is_at(const char *root)
{
    char at[300];
    ssize_t n;

#define AT(name) (snprintf(at, sizeof at, "%s/" name, root), at)
    CU_ASSERT_TRUE(has(AT("file"), "file"));
    CU_ASSERT_TRUE(has(AT("dir/deep"), "deep"));
    CU_ASSERT_TRUE(has(AT("new\nline\xff"), "odd"));
    CU_ASSERT_TRUE(has(AT("empty"), ""));
    EQ(look(AT("file")).st_mode & 07777, 0640);
    EQ(look(AT("dir")).st_mode & 07777, 0750);
    EQ(look(AT("file")).st_nlink, 2);
    EQ(look(AT("file")).st_mtim.tv_sec, 1234567890);
    EQ(look(AT("file")).st_mtim.tv_nsec, 123456789);
    EQ(look(AT("dir")).st_mtim.tv_nsec, 123456789);
    EQ(look(AT("link")).st_mtim.tv_nsec, 123456789);
    CU_ASSERT_TRUE(S_ISLNK(look(AT("dangling")).st_mode));
    CU_ASSERT_TRUE(S_ISLNK(look(AT("link")).st_mode));
    n = readlink(AT("link"), at, sizeof at);
    CU_ASSERT_TRUE(n == 8 && memcmp(at, "dir/deep", 8) == 0);
#undef AT
}

/* ---- trees ---- */

static void a_tree_comes_through_as_it_is(void)
{
    begin();
    make_tree();
    EQ(put("src", "there"), 0);
    EQ(lab.problems, 0);
    tree_is_at("there");
    EQ(lab.client.there.files, 4);
    EQ(lab.client.there.directories, 2);
    EQ(lab.client.there.links, 3);
    EQ(get("there", "back"), 0);
    tree_is_at("back");
}

static void a_directory_lands_in_one_that_exists_and_its_content_over_it(void)
{
    begin();
    make_tree();
    REQUIRE(mkdir("d", 0755) == 0 && mkdir("e", 0700) == 0 && mkdir("f", 0755) == 0);
    EQ(put("src", "d"), 0);
    tree_is_at("d/src");
    EQ(put("src/.", "e"), 0);
    tree_is_at("e");
    EQ(look("e").st_mode & 07777, 0700);        /* it was there: it keeps its rights */
    EQ(get("src/", "f/"), 0);
    tree_is_at("f/src");
    EQ(lab.problems, 0);
}

static void a_compressed_archive_comes_through_as_well(void)
{
    begin();
    make_tree();
    lab.request.pack.zstd = lab.request.unpack.zstd = true;
    EQ(put("src", "there"), 0);
    tree_is_at("there");
    EQ(get("there", "back"), 0);
    tree_is_at("back");
    EQ(lab.problems, 0);
}

/* More files at once than the sums' queue would have to hold if their order were not kept. */
static void many_small_files_come_through_compressed(void)
{
    char name[64];

    begin();
    REQUIRE(mkdir("src", 0755) == 0);
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "src/%u", i);
        write_file(name, "the same");
    }
    lab.request.pack.zstd = lab.request.unpack.zstd = true;
    EQ(get("src", "there"), 0);
    EQ(lab.client.here.files, 3000);
    EQ(lab.problems, 0);
}

static void a_file_gets_the_name_that_it_is_given_and_replaces_what_has_it(void)
{
    begin();
    write_file("a", "new");
    write_file("b", "old");
    EQ(put("a", "b"), 0);
    CU_ASSERT_TRUE(has("b", "new"));
    EQ(get("a", "./c"), 0);
    CU_ASSERT_TRUE(has("c", "new"));
    EQ(lab.problems, 0);
}

static void a_missing_parent_is_said_or_made(void)
{
    begin();
    write_file("a", "a");
    EQ(put("a", "x/y/b"), -EREMOTEIO);
    CU_ASSERT_TRUE(strstr(lab.client.why, "x/y/b: the directory that is to hold it does not exist; -p makes it") != NULL);
    EQ(get("a", "x/y/b"), -ENOENT);
    begin();
    write_file("a", "a");
    lab.request.parents = lab.target.parents = true;
    EQ(put("a", "x/y/b"), 0);
    CU_ASSERT_TRUE(has("x/y/b", "a"));
    EQ(get("a", "z/"), 0);
    CU_ASSERT_TRUE(has("z/a", "a"));
}

static void a_directory_does_not_replace_a_file(void)
{
    begin();
    make_tree();
    write_file("f", "f");
    EQ(put("src", "f"), -EREMOTEIO);
    EQ(lab.client.error, 1);
    CU_ASSERT_TRUE(has("f", "f"));
}

static void links_are_followed_where_that_is_asked_for(void)
{
    begin();
    make_tree();
    unlink("src/dangling");
    EQ(symlink("..", "src/dir/round"), 0);
    lab.request.pack.follow = true;
    EQ(put("src", "there"), 0);
    CU_ASSERT_TRUE(S_ISREG(look("there/link").st_mode) && has("there/link", "deep"));
    CU_ASSERT_TRUE(told("src/dir/round: the link leads back"));
    EQ(lab.problems, 1);
}

static void rights_and_owners_are_those_that_were_asked_for(void)
{
    begin();
    if (geteuid() != 0)
        SKIP("only root gives files to others");
    write_file("a", "a");
    EQ(chown("a", 12, 34), 0);
    EQ(chmod("a", 04755), 0);
    EQ(put("a", "plain"), 0);
    EQ(look("plain").st_uid, 0);
    EQ(look("plain").st_mode & 07777, 0755);
    lab.request.unpack.owner = true;
    EQ(put("a", "owner"), 0);
    EQ(look("owner").st_uid, 12);
    EQ(look("owner").st_gid, 34);
    EQ(look("owner").st_mode & 07777, 0755);
    lab.request.unpack.special = true;
    EQ(put("a", "special"), 0);
    EQ(look("special").st_mode & 07777, 04755);
    lab.request.unpack.has_uid = lab.request.unpack.has_mode = true;
    lab.request.unpack.uid = 99;
    lab.request.unpack.mode = 0600;
    EQ(put("a", "given"), 0);
    EQ(look("given").st_uid, 99);
    EQ(look("given").st_gid, 34);
    EQ(look("given").st_mode & 07777, 0600);
}

/* ---- what goes wrong ---- */

static void what_is_no_file_is_told_and_the_rest_goes_on(void)
{
    begin();
    make_tree();
    EQ(mkfifo("src/fifo", 0600), 0);
    EQ(put("src", "there"), 0);
    CU_ASSERT_TRUE(told("src/fifo: left out"));
    EQ(lab.client.here.problems, 1);
    EQ(get("src", "back"), 0);
    CU_ASSERT_TRUE(lab.there[1]);
    EQ(lab.client.there.problems, 1);
    tree_is_at("there");
    tree_is_at("back");
}

static void a_source_that_is_not_there_is_told(void)
{
    begin();
    EQ(get("nosuch", "x"), 0);
    CU_ASSERT_TRUE(told("nosuch: No such file or directory"));
    EQ(lab.client.there.problems, 1);
    CU_ASSERT_FALSE(is_there("x"));
}

/* As a user who may not read one of the files, nor one of the directories. */
static void what_may_not_be_read_is_told_and_the_rest_goes_on(void)
{
    pid_t pid;
    int status;

    begin();
    if (geteuid() != 0)
        SKIP("only root becomes somebody else");
    make_tree();
    EQ(unlink("src/hard"), 0);
    EQ(chmod("src/file", 0600), 0);
    EQ(chmod("src/dir", 0700), 0);
    EQ(mkdir("theirs", 0777), 0);
    EQ(chmod("theirs", 0777), 0);
    EQ(chmod(".", 0755), 0);
    if (!(pid = fork())) {
        if (setgid(65534) || setuid(65534))
            _exit(9);
        put("src", "theirs/x");
        _exit(lab.err || lab.problems != 2 || !told("src/dir: Permission denied") || !told("Permission denied") ||
              !has("theirs/x/empty", "") || is_there("theirs/x/dir/deep"));
    }
    EQ(waitpid(pid, &status, 0), pid);
    EQ(status, 0);
}

/* It is cut while its reader waits for room in the stream: the archive has room for it as it was. */
static void cut_it(void)
{
    if (lab.tick && truncate("src/big", 1000) == 0)
        lab.tick = NULL;
}

static void make_big(const char *path)
{
    static char piece[1 << 20];
    FILE *f = fopen(path, "w");

    REQUIRE(f != NULL);
    for (unsigned i = 0; i < sizeof piece; i++)
        piece[i] = (char)(i * 7 + i / 1000);
    for (int i = 0; i < 8; i++)
        EQ(fwrite(piece, sizeof piece, 1, f), 1);
    fclose(f);
}

static void a_file_that_becomes_shorter_while_it_is_read_does_not_appear(void)
{
    begin();
    REQUIRE(mkdir("src", 0755) == 0);
    make_big("src/big");
    write_file("src/small", "small");
    lab.tick = cut_it;
    EQ(put("src", "there"), 0);
    CU_ASSERT_TRUE(told("src/big: it became shorter while it was read"));
    CU_ASSERT_FALSE(is_there("there/big"));
    CU_ASSERT_TRUE(has("there/small", "small"));
    EQ(lab.client.here.problems, 1);
}

static void grow_it(void)
{
    FILE *f = lab.tick ? fopen("src/big", "a") : NULL;

    lab.tick = NULL;
    if (f) {
        fputs("more", f);
        fclose(f);
    }
}

static void a_file_that_grows_while_it_is_read_arrives_as_it_was_and_is_told(void)
{
    begin();
    REQUIRE(mkdir("src", 0755) == 0);
    make_big("src/big");
    lab.tick = grow_it;
    EQ(put("src", "there"), 0);
    CU_ASSERT_TRUE(told("src/big: it changed while it was read"));
    EQ(look("there/big").st_size, 8 << 20);
}

static void a_sparse_file_stays_one_and_costs_its_data_alone(void)
{
    char text[16] = "";
    int fd;

    begin();
    fd = open("s", O_RDWR | O_CREAT, 0644);
    if (ftruncate(fd, INT64_C(100) << 30) < 0)
        SKIP("this file system has no file of 100 GiB");
    EQ(pwrite(fd, "begin", 5, 0), 5);
    EQ(pwrite(fd, "middle", 6, INT64_C(50) << 30), 6);
    close(fd);
    EQ(put("s", "t"), 0);
    EQ(lab.problems, 0);
    EQ(look("t").st_size, INT64_C(100) << 30);
    CU_ASSERT_TRUE(look("t").st_blocks < 1000);
    fd = open("t", O_RDONLY);
    EQ(pread(fd, text, 6, INT64_C(50) << 30), 6);
    EQ(strcmp(text, "middle"), 0);
    close(fd);
    EQ(truncate("s", 0), 0);
    EQ(truncate("s", INT64_C(100) << 30), 0);
    EQ(get("s", "u"), 0);
    EQ(look("u").st_size, INT64_C(100) << 30);
    EQ(look("u").st_blocks, 0);
}

static void a_full_disk_ends_it_and_says_where(void)
{
    begin();
    REQUIRE(mkdir("full", 0755) == 0 && mkdir("src", 0755) == 0);
    if (mount("none", "full", "tmpfs", 0, "size=1m") < 0)
        SKIP("no file system can be mounted here");
    write_file("src/a", "a");
    make_big("src/big");
    EQ(put("src", "full/x"), -EREMOTEIO);
    CU_ASSERT_TRUE(strstr(lab.client.why, "full/x/big: No space left on device") != NULL);
    CU_ASSERT_FALSE(is_there("full/x/big"));
    EQ(get("src", "full/y"), -ENOSPC);
    CU_ASSERT_TRUE(strstr(lab.client.why, "full/y/big: No space left on device") != NULL);
    EQ(umount("full"), 0);
}

static void a_target_that_cannot_be_written_is_told(void)
{
    begin();
    write_file("a", "a");
    EQ(put("a", "/proc/x"), 0);
    EQ(lab.problems, 1);
    CU_ASSERT_TRUE(told("/proc/x: "));
}

/* ---- the end of one of them ---- */

static void kill_it(void)
{
    if (lab.tick)
        kill(lab.pid, SIGKILL);
    lab.tick = NULL;
}

static unsigned count(const char *path)
{
    char command[300];
    unsigned n = 99;
    FILE *f;

    snprintf(command, sizeof command, "find %s -mindepth 1 | wc -l", path);
    f = popen(command, "r");
    REQUIRE(f != NULL);
    EQ(fscanf(f, "%u", &n), 1);
    pclose(f);
    return n;
}

static void an_agent_that_is_killed_leaves_nothing_of_the_file(void)
{
    begin();
    REQUIRE(mkdir("d", 0755) == 0);
    make_big("big");
    lab.tick = kill_it;
    EQ(put("big", "d"), -ECONNRESET);
    EQ(count("d"), 0);
    lab.tick = kill_it;
    EQ(get("big", "d"), -ECONNRESET);
    EQ(count("d"), 0);
}

static void kill_myself(void)
{
    kill(getpid(), SIGKILL);
}

static void a_caller_that_is_killed_leaves_nothing_of_the_file(void)
{
    int pair[2], status;
    pid_t caller;

    begin();
    REQUIRE(mkdir("d", 0755) == 0);
    make_big("big");
    EQ(pipe(pair), 0);
    if (!(caller = fork())) {
        lab.tick = kill_myself;
        put("big", "d");
        _exit(0);
    }
    close(pair[1]);
    EQ(waitpid(caller, &status, 0), caller);
    CU_ASSERT_TRUE(WIFSIGNALED(status));
    /* The agent holds the other end of this pipe: when that closes, it has ended. */
    EQ(read(pair[0], &status, 1), 0);
    close(pair[0]);
    EQ(count("d"), 0);
}

static void what_speaks_no_frames_is_told_so(void)
{
    char bytes[200];
    ssize_t n;

    begin();
    call("put");
    EQ(write(lab.fd, "GET / HTTP/1.0\r\n", 16), 16);
    shutdown(lab.fd, SHUT_WR);
    fcntl(lab.fd, F_SETFL, 0);
    n = read(lab.fd, bytes, sizeof bytes);
    CU_ASSERT_TRUE(n > 8 && bytes[4] == FRAME_ERROR);
    hang_up(0);
}

/* ---- as a tar stream ---- */

static void a_tar_stream_goes_out_and_comes_in(void)
{
    struct channel_fds file;
    int fd;

    begin();
    make_tree();
    lab.request.tar = true;
    lab.request.pack.sums = lab.request.unpack.sums = false;
    lab.request.paths = (char *[]){ (char[]){ "src" }, NULL };
    lab.request.count = 1;
    fd = open("a.tar", O_RDWR | O_CREAT, 0600);
    channel_fds(&file, fd, fd);
    call("get");
    EQ(hang_up(client_get_stream(&lab.client, &file.channel)), 0);
    EQ(system("tar tf a.tar 2>/dev/null | grep -q '^src/dir/deep$'"), 0);
    EQ(lseek(fd, 0, SEEK_SET), 0);
    EQ(mkdir("there", 0755), 0);
    lab.request.paths = (char *[]){ (char[]){ "there" }, NULL };
    call("put");
    EQ(hang_up(client_put_stream(&lab.client, &file.channel)), 0);
    tree_is_at("there/src");
    EQ(lab.problems, 0);
    close(fd);
}

static void a_stream_that_is_no_tar_is_said_to_be_none(void)
{
    struct channel_fds file;
    int fd;

    begin();
    write_file("no.tar", "this is some text and no archive at all");
    lab.request.tar = true;
    lab.request.paths = (char *[]){ (char[]){ "." }, NULL };
    lab.request.count = 1;
    fd = open("no.tar", O_RDONLY);
    channel_fds(&file, fd, fd);
    call("put");
    EQ(hang_up(client_put_stream(&lab.client, &file.channel)), -EREMOTEIO);
    CU_ASSERT_TRUE(strstr(lab.client.why, "no good archive") != NULL);
    close(fd);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_tree_comes_through_as_it_is),
        TEST(a_directory_lands_in_one_that_exists_and_its_content_over_it),
        TEST(a_compressed_archive_comes_through_as_well),
        TEST(many_small_files_come_through_compressed),
        TEST(a_file_gets_the_name_that_it_is_given_and_replaces_what_has_it),
        TEST(a_missing_parent_is_said_or_made),
        TEST(a_directory_does_not_replace_a_file),
        TEST(links_are_followed_where_that_is_asked_for),
        TEST(rights_and_owners_are_those_that_were_asked_for),
        TEST(what_is_no_file_is_told_and_the_rest_goes_on),
        TEST(a_source_that_is_not_there_is_told),
        TEST(what_may_not_be_read_is_told_and_the_rest_goes_on),
        TEST(a_file_that_becomes_shorter_while_it_is_read_does_not_appear),
        TEST(a_file_that_grows_while_it_is_read_arrives_as_it_was_and_is_told),
        TEST(a_sparse_file_stays_one_and_costs_its_data_alone),
        TEST(a_full_disk_ends_it_and_says_where),
        TEST(a_target_that_cannot_be_written_is_told),
        TEST(an_agent_that_is_killed_leaves_nothing_of_the_file),
        TEST(a_caller_that_is_killed_leaves_nothing_of_the_file),
        TEST(what_speaks_no_frames_is_told_so),
        TEST(a_tar_stream_goes_out_and_comes_in),
        TEST(a_stream_that_is_no_tar_is_said_to_be_none),
    };

    signal(SIGPIPE, SIG_IGN);
    return harness_run("copy_trees", tests, sizeof tests / sizeof *tests, argc, argv);
}

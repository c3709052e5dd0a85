/* SPDX-License-Identifier: MIT */
/* test_look.c: how a device is, as somebody sees it who does not take it. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "lab.h"

static struct xvs_device_info info;

static int look_at(unsigned device)
{
    struct xvs_options o;
    int err;

    xvs_options_init(&o);
    o.device = device;
    memset(&info, 0xee, sizeof info);
    info.size = sizeof info;
    hosted_become(GUEST);
    err = xvs_look(device ? &o : NULL, &info);
    hosted_become(0);
    return err;
}

static bool says(const char *words)
{
    bool found = strstr(info.reason, words) != NULL;

    if (!found)
        fprintf(stderr, "%s (wanted: %s)\n", info.reason, words);
    return found;
}

static void a_device_that_is_not_attached_is_none_and_no_error(void)
{
    lab_stop();
    EQ(look_at(0), 0);
    CU_ASSERT_FALSE(info.is_attached || info.is_up);
    EQ(info.cid, 0);
    EQ(info.owner, 0);
    EQ(info.state, 0);
    EQ(info.backend_state, 0);
    CU_ASSERT_TRUE(says("no device/vsock/0: nothing in dom0 has attached one"));
    lab_attach();
    EQ(look_at(5), 0);
    CU_ASSERT_FALSE(info.is_attached);
    CU_ASSERT_TRUE(says("no device/vsock/5"));
    EQ(look_at(PATHS_DEVICES), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), "xvs_options.device"));
    lab_stop();
}

static void a_device_that_nobody_has_is_free(void)
{
    lab_attach();
    EQ(look_at(0), 0);
    CU_ASSERT_TRUE(info.is_attached);
    CU_ASSERT_FALSE(info.is_up);
    EQ(info.owner, 0);
    EQ(info.cid, CID);
    EQ(info.state, VSOCKIF_INITIALISING);
    EQ(info.backend_state, VSOCKIF_INITIALISING);
    CU_ASSERT_TRUE(says("is xvsd running?"));           /* it has not answered */
    REQUIRE(rawback_offer(&back) == 0);
    EQ(look_at(0), 0);
    EQ(info.backend_state, VSOCKIF_INITWAIT);
    CU_ASSERT_TRUE(says("no program of this guest has it open, and xvsd is ready"));
    lab_stop();
}

/* By another process, and by the owner itself, who does not lose the lock that tells by looking. */
static void the_owner_is_told_to_others_and_to_itself(void)
{
    char owner[64];
    pid_t pid;
    int status;

    lab_start();
    snprintf(owner, sizeof owner, "process %ld has it", (long)getpid());
    for (int i = 0; i < 2; i++) {
        EQ(look_at(0), 0);
        CU_ASSERT_TRUE(info.is_attached && info.is_up);
        EQ(info.owner, getpid());
        EQ(info.state, VSOCKIF_CONNECTED);
        EQ(info.backend_state, VSOCKIF_CONNECTED);
        CU_ASSERT_TRUE(says(owner));
        if ((pid = fork()) == 0) {
            status = look_at(0) == 0 && info.is_up && info.owner == getppid() && says(owner) ? 0 : 1;
            _exit(status);
        }
        REQUIRE(waitpid(pid, &status, 0) == pid);
        EQ(status, 0);
    }
    lab_stop();
    lab_attach();
    EQ(look_at(0), 0);
    EQ(info.owner, 0);
    lab_stop();
}

static void an_owner_without_a_daemon_is_down(void)
{
    lab_start();
    lab_reset();
    EQ(look_at(0), 0);
    CU_ASSERT_FALSE(info.is_up);
    EQ(info.owner, getpid());
    CU_ASSERT_TRUE(says("is not connected: is xvsd running in dom0?"));
    REQUIRE(nodes_refuse(back.store, &back.paths, "its CID belongs\tto web2") == 0);
    EQ(look_at(0), 0);
    CU_ASSERT_TRUE(says("xvsd has closed it: its CID belongs to web2"));
    lab_handshake();
    EQ(look_at(0), 0);                          /* an old reason stays in xenstore for a while */
    CU_ASSERT_TRUE(info.is_up);
    CU_ASSERT_TRUE(says("has it"));
    lab_stop();
}

/* What an owner that was killed has left: its state says Connected, and nobody is. */
static void a_state_that_nobody_keeps_is_not_believed(void)
{
    lab_attach();
    REQUIRE(store_write(back.store, "/local/domain/1/device/vsock/0/state", "4") == 0);
    REQUIRE(rawback_set_state(&back, VSOCKIF_CONNECTED) == 0);
    EQ(look_at(0), 0);
    CU_ASSERT_FALSE(info.is_up);
    EQ(info.owner, 0);
    CU_ASSERT_TRUE(says("no program of this guest has it open"));
    lab_stop();
}

static void nonsense_in_xenstore_is_told(void)
{
    char path[PATHS_MAX];

    lab_attach();
    REQUIRE(store_write(back.store, paths_join(path, back.paths.front, "backend"), "/local/domain/0/backend/vif/1/0") == 0);
    EQ(look_at(0), 0);
    CU_ASSERT_FALSE(info.is_attached);
    CU_ASSERT_TRUE(says("device/vsock/0 is not a device"));
    lab_attach();
    REQUIRE(store_write(back.store, paths_join(path, back.paths.back, "cid"), "many") == 0);
    REQUIRE(rawback_set_state(&back, 77) == 0);
    EQ(look_at(0), 0);
    CU_ASSERT_TRUE(info.is_attached);
    EQ(info.cid, 0);
    EQ(info.backend_state, 0);
    lab_stop();
}

static void an_older_program_is_told_what_it_knows(void)
{
    lab_start();
    memset(&info, 0xee, sizeof info);
    info.size = offsetof(struct xvs_device_info, state);
    hosted_become(GUEST);
    EQ(xvs_look(NULL, &info), 0);
    hosted_become(0);
    EQ(info.size, offsetof(struct xvs_device_info, state));
    EQ(info.cid, CID);
    EQ(info.owner, getpid());
    EQ(info.state, 0xeeeeeeee);
    lab_stop();
}

static void what_cannot_be_seen_is_an_error_with_words(void)
{
    struct rlimit old, few;
    int failures = 0;

    lab_attach();
    hosted_become(GUEST);
    setenv("XENSTORED_PATH", "/nonexistent", 1);
    CU_ASSERT_TRUE(xvs_look(NULL, &info) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), "cannot reach xenstore"));
    hosted_become(GUEST);
    getrlimit(RLIMIT_NOFILE, &old);
    for (unsigned n = 3; n < 256; n++) {
        int err;

        few = old;
        few.rlim_cur = n;
        setrlimit(RLIMIT_NOFILE, &few);
        err = xvs_look(NULL, &info);
        setrlimit(RLIMIT_NOFILE, &old);
        if (err == 0)
            break;
        EQ(err, -EMFILE);
        CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), "no more descriptors"));
        failures++;
    }
    CU_ASSERT_TRUE(failures > 0);
    hosted_become(0);
    lab_stop();
}

/* One process looks without a pause, and another opens and closes the device: nobody is in anybody's way.  (To look was to open
 * for a moment, and of 20 programs that were started meanwhile 8 were refused.) */
static void looking_keeps_nobody_out(void)
{
    int status, fd;
    pid_t pid;

    lab_attach();
    if ((pid = child_fork()) == 0) {
        for (;;)
            if (look_at(0))
                _exit(1);
    }
    for (int i = 0; i < 300; i++) {
        EQ(lab_open(), 0);
        REQUIRE(x != NULL);
        xvs_close(x);
        x = NULL;
    }
    EQ(waitpid(pid, &status, WNOHANG), 0);
    kill(pid, SIGKILL);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    close(fd);
    for (int i = 0; i < 50; i++)
        EQ(look_at(0), 0);
    EQ(open("/dev/null", O_RDONLY | O_CLOEXEC), fd);    /* nor is anything left open */
    close(fd);
    lab_stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_device_that_is_not_attached_is_none_and_no_error),
        TEST(a_device_that_nobody_has_is_free),
        TEST(the_owner_is_told_to_others_and_to_itself),
        TEST(an_owner_without_a_daemon_is_down),
        TEST(a_state_that_nobody_keeps_is_not_believed),
        TEST(nonsense_in_xenstore_is_told),
        TEST(an_older_program_is_told_what_it_knows),
        TEST(what_cannot_be_seen_is_an_error_with_words),
        TEST(looking_keeps_nobody_out),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: looking", tests, sizeof tests / sizeof *tests, argc, argv);
}

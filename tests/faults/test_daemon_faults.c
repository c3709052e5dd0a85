/* SPDX-License-Identifier: MIT */
/* test_daemon_faults.c: every call that the daemon makes fails once, in each way that it can: of the system, of xenstored and Xen,
 * of malloc(); and some fail for a while.
 *
 * A scene is a part of the daemon's life on a mocked host (tests/mock).  It is played again and again with one more call that goes
 * well before one fails.  Whatever fails, the daemon goes on, or has ended with a sentence; when nothing fails any more it
 * serves its guests and a new one; and when it has stopped nothing is left open, mapped or allocated. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults.h"
#include "harness.h"
#include "host.h"
#include "mock.h"
#include "process.h"
#include "world.h"

#define A 1u                    /* domids */
#define B 2u
#define NEW 7u
#define HEAL_MS 20000u          /* by then the daemon has looked again at whatever it could not do */

static struct front a, b;
static struct host_end h, k;
static int listener;
static bool warm;               /* libraries have allocated what they allocate once and keep */

static const char *const settings =
    "[daemon]\nspin_us = 0\nservices = yes\nheld_spill_bytes = 1000000\n";

/* ---- around a scene ---- */

static void open_world(void)
{
    process_count();
    world_new();
    world_settings(settings);
    world_policy(WORLD_OPEN);
    host_end_init(&h);
    host_end_init(&k);
    listener = -1;
    front_init(&a, A, 0);
    front_init(&b, B, 0);
    a.pool_pages = b.pool_pages = 16;
    a.buffer = b.buffer = 4096;
    world_appear(A, "a");
    world_appear(B, "b");
}

static void step(void)
{
    process_rest();
    front_take(&a, FRONT_SLOTS);
    front_take(&b, FRONT_SLOTS);
}

static void kick(void)
{
    front_kick(&a);
    front_kick(&b);
    step();
}

/* It goes on, or has ended with a sentence; then another one is started. */
static void ends_with_a_sentence(void)
{
    const char *left = mock_left_over();

    MOCK_MUST(process_status() == 1, "it ended with status %d", process_status());
    MOCK_MUST(strstr(process_log(), "cannot") || strstr(process_log(), "memory"), "it ended without a sentence: %s",
              process_log());
    MOCK_MUST(!*left, "it ended, and %s", left);
}

static void close_ends(void)
{
    host_close(&h);
    host_close(&k);
    host_unlisten(listener);
    listener = -1;
}

static void goes(struct front *f)
{
    front_die(f);
    front_state(f, "5");
}

/* All who could wait for anything are gone: nothing is kept for them. */
static void keeps_nothing(void)
{
    static const char *const request = "{\"verb\":\"stats\"}\n";
    char answer[2000] = "";

    goes(&a);
    goes(&b);
    process_pass(1000);
    MOCK_MUST(host_control(&h), "the control socket is gone");
    host_say(&h, request, (uint32_t)strlen(request));
    process_rest();
    MOCK_MUST(recv(h.fd, answer, sizeof answer - 1, MSG_DONTWAIT) > 0, "no answer");
    host_close(&h);
    MOCK_MUST(strstr(answer, "\"farewells\":0,") && strstr(answer, "\"spilled_bytes\":0,") &&
              strstr(answer, "\"socket_bytes\":0"), "something is kept for nobody: %s; the log: %s", answer, process_log());
}

/* Nothing fails any more. */
static void close_world(bool may_end)
{
    faults_end();
    close_ends();
    if (process_is_running())
        process_pass(HEAL_MS);
    if (!process_is_running()) {
        MOCK_MUST(may_end, "it has ended: %s", process_log());
        ends_with_a_sentence();
        world_daemon();
        process_pass(1000);
    }
    MOCK_MUST(process_is_running(), "it does not run: %s", process_log());
    MOCK_MUST(front_connect(&a) && front_connect(&b), "a guest does not come back; the log:\n%s", process_log());
    world_serves(NEW, "new");
    keeps_nothing();
    MOCK_MUST(process_end(), "it does not stop: %s", process_log());
    MOCK_MUST(!*mock_left_over(), "%s", mock_left_over());
    front_die(&a);
    front_die(&b);
    world_over();
    MOCK_MUST(!warm || !*process_left_over(), "left over: %s", process_left_over());
}

static void start(void)
{
    open_world();
    MOCK_MUST(world_daemon(), "it does not start: %s", process_log());
}

static void start_connected(void)
{
    start();
    MOCK_MUST(front_connect(&a) && front_connect(&b), "the guests do not connect: %s", process_log());
}

/* ---- scenes ---- */

static void scene_start(void)
{
    open_world();
    faults_begin();
    world_daemon();
    close_world(true);
}

static void make(const char *below, mode_t mode, bool is_dir)
{
    char path[400];
    int fd;

    snprintf(path, sizeof path, "%s/%s", host_run_dir, below);
    if (is_dir) {
        MOCK_MUST(!mkdir(path, 0700) || errno == EEXIST, "cannot make %s", path);
        chmod(path, mode);
    } else {
        MOCK_MUST((fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode)) >= 0, "cannot make %s", path);
        close(fd);
    }
}

static void unmake(const char *below)
{
    char path[400];

    snprintf(path, sizeof path, "%s/%s", host_run_dir, below);
    if (unlink(path) && rmdir(path))
        MOCK_MUST(errno == ENOENT, "cannot remove %s", path);
}

/* In a directory that nobody has locked yet there is something already: what a daemon that was killed has left, and what
 * somebody has put in the way who may write there. */
static void scene_start_among_others(void)
{
    open_world();
    unmake("xvsd.pid");
    make("guest", 0700, true);
    make("guest/a", 0777, true);
    make("guest/a/vsock", 0777, true);
    make("guest/a/vsock/full", 0600, false);
    make("guest/b", 0700, true);
    close(host_listen("guest/b", 1));
    make("guest/b/vsock", 0600, false);
    faults_begin();
    world_daemon();
    close_world(true);
}

static void scene_take_in(void)
{
    start();
    faults_begin();
    world_appear(3, "c");
    process_pass(700);
    world_die(3, NULL, 0);
    process_rest();
    close_world(false);
}

static void scene_connect(void)
{
    start();
    faults_begin();
    front_connect(&a);
    close_world(false);
}

/* A guest connects to a host program; bytes go both ways; both ends close in order. */
static void scene_to_host(void)
{
    struct conn *c;

    start_connected();
    faults_begin();
    listener = host_listen("guest/a", 5000);
    if ((c = front_open(&a, VSOCKIF_CID_HOST, 5000, 65536))) {
        kick();
        host_accept(&h, listener, 1);
        front_send(&a, c, 3000);
        host_write(&h, 5000);
        kick();
        host_read(&h, 10000);
        front_consume(&a, c, 5000, 65536);
        front_shutdown(&a, c, VSOCKIF_SHUTDOWN_SEND);
        kick();
        host_read(&h, 10000);
        host_half_close(&h, SHUT_WR);
        kick();
        front_reset(&a, c);
        kick();
    }
    close_world(false);
}

/* The same to one that listens for all guests, and that another one takes no notice of. */
static void scene_to_any(void)
{
    struct conn *c;

    start_connected();
    faults_begin();
    listener = host_listen("any", 5000);
    front_open(&b, VSOCKIF_CID_HOST, 5000, 65536);
    kick();
    if ((c = front_open(&a, VSOCKIF_CID_HOST, 5000, 65536))) {
        kick();
        if (host_accept(&k, listener, 2))
            host_close(&k);
        host_accept(&h, listener, 1);
        front_send(&a, c, 3000);
        kick();
        host_read(&h, 10000);
        front_shutdown(&a, c, 3);
        kick();
    }
    close_world(false);
}

/* A host program connects to a guest, twice: one is refused, one reset in the middle. */
static void scene_from_host(void)
{
    start_connected();
    faults_begin();
    host_connect(&h, "guest/a", 9, 99, 2);
    host_connect(&k, "guest/a", 10, 4, 3);
    step();
    host_say(&k, "ECT 10\n", 7);
    step();
    for (int i = 0; i < FRONT_CONNS; i++)
        if (a.conn[i].state == CONN_OFFERED)
            front_answer(&a, &a.conn[i], a.conn[i].port == 9 ? 20000 : 0);
    kick();
    host_read(&h, 1);
    if (!h.wants_ok)
        host_write(&h, 30000);
    step();
    host_read(&k, 1);
    host_close(&h);
    step();
    close_world(false);
}

/* A host program that reads nothing: what its guest sends is held, spilled, and at last read; the guest goes meanwhile. */
static void slow_reader(bool goes)
{
    struct conn *c;

    start_connected();
    faults_begin();
    listener = host_listen("guest/a", 5000);
    if ((c = front_open(&a, VSOCKIF_CID_HOST, 5000, 65536))) {
        kick();
        host_accept(&h, listener, 1);
        for (int i = 0; i < 12; i++) {
            front_send(&a, c, 65536);
            kick();
        }
        front_shutdown(&a, c, VSOCKIF_SHUTDOWN_SEND);
        kick();
        if (goes) {
            front_die(&a);
            front_state(&a, "5");
            process_pass(600);
        }
        for (int i = 0; i < 6; i++) {
            host_read(&h, UINT32_MAX);
            step();
        }
    }
    close_world(false);
}

static void scene_slow_reader(void)
{
    slow_reader(false);
}

static void scene_farewell(void)
{
    slow_reader(true);
}

/* From one guest to the other, which is slow; then one of them goes. */
static void scene_relay(void)
{
    struct conn *c;

    start_connected();
    faults_begin();
    if ((c = front_open(&a, b.cid, 77, 65536))) {
        kick();
        kick();
        front_answer(&b, &b.conn[0], 20000);
        kick();
        kick();
        front_send(&a, c, 65536);
        front_send(&b, &b.conn[0], 4000);
        kick();
        kick();
        front_consume(&b, &b.conn[0], 20000, 20000);
        kick();
        kick();
        front_shutdown(&a, c, VSOCKIF_SHUTDOWN_SEND);
        kick();
        front_die(&a);
        front_state(&a, "5");
        process_pass(600);
        for (int i = 0; i < 4; i++) {
            front_consume(&b, &b.conn[0], 20000, 20000);
            kick();
        }
    }
    close_world(false);
}

/* What is left of a guest that is gone is for another one, which has few buffers and takes its time. */
static void scene_left_to_guest(void)
{
    struct conn *c;

    start();
    b.pool_pages = 1;
    b.buffer = 64;
    MOCK_MUST(front_connect(&a) && front_connect(&b), "the guests do not connect: %s", process_log());
    faults_begin();
    if ((c = front_open(&a, b.cid, 77, 65536))) {
        kick();
        front_answer(&b, &b.conn[0], 65536);
        kick();
        for (int i = 0; i < 4; i++) {
            front_send(&a, c, 15000);
            front_kick(&a);
            process_rest();
            front_take(&a, FRONT_SLOTS);
        }
        front_shutdown(&a, c, VSOCKIF_SHUTDOWN_SEND);
        front_kick(&a);
        process_rest();
        front_die(&a);
        front_state(&a, "5");
        process_pass(600);
        for (int i = 0; i < 4; i++) {
            front_consume(&b, &b.conn[0], 20000, 20000);
            kick();
        }
    }
    close_world(false);
}

/* A client waits for the end of a stream, and stands for its program. */
static void scene_watch(void)
{
    char line[40];
    unsigned number;

    start_connected();
    faults_begin();
    host_connect(&h, "guest/a", 9, 99, 2);
    step();
    front_answer(&a, &a.conn[0], 20000);
    kick();
    host_read(&h, 1);
    if (sscanf(h.line, "OK %u", &number) == 1) {
        for (int i = 0; i < 2; i++) {
            host_connect(&k, "guest/a", 0, 0, 3);
            k.wants_ok = false;
            host_say(&k, line, (uint32_t)snprintf(line, sizeof line, i ? "VOUCH %u\n" : "WATCH %u\n", number));
            step();
        }
        host_write(&h, 5000);
        step();
        host_half_close(&h, SHUT_WR);
        step();
        host_say(&k, "END\n", 4);
        step();
        front_shutdown(&a, &a.conn[0], 3);
        kick();
    }
    close_world(false);
}

/* The guest has another name, and there are programs in its old directory. */
static void scene_rename(void)
{
    start_connected();
    listener = host_listen("guest/a", 5000);
    host_connect(&h, "guest/a", 9, 99, 2);
    step();
    front_answer(&a, &a.conn[0], 20000);
    kick();
    faults_begin();
    world_name(A, "new");
    process_pass(1100);
    host_connect(&k, "guest/a", 9, 99, 2);
    step();
    host_close(&h);
    host_close(&k);
    process_pass(6000);         /* who listens there still keeps the old directory */
    host_unlisten(listener);
    listener = -1;
    process_pass(6000);
    world_name(A, "a");
    process_pass(1100);
    close_world(false);
}

static void scene_service(void)
{
    struct conn *c;

    start_connected();
    faults_begin();
    if ((c = front_open(&a, VSOCKIF_CID_HOST, 7, 65536))) {
        kick();
        front_send(&a, c, 3000);
        kick();
        front_shutdown(&a, c, 3);
        kick();
    }
    close_world(false);
}

static void scene_reload(void)
{
    start_connected();
    world_settings("[daemon]\nspin_us = 0\nsocket_mode = 0660\n[guest a]\ncid = 77\n[group g]\nguests = a, b\n");
    world_policy("1-9 @group:g b allow\n9 @unix/user:root a allow\n8 @unix/group:root @any deny\n8 @any @unix deny\n" WORLD_OPEN);
    faults_begin();
    raise(SIGHUP);
    step();
    front_die(&a);
    front_state(&a, "6");
    step();
    front_connect(&a);
    raise(SIGHUP);
    step();
    close_world(false);
}

static void reload(const char *text)
{
    world_settings(text);
    if (process_is_running())
        raise(SIGHUP);
    step();
}

/* The guests are reached by AF_VSOCK, too, but for one whose CID another virtual machine has; and one leaves. */
static void scene_kernel(void)
{
    open_world();
    world_settings("[daemon]\nspin_us = 0\naf_vsock = yes\n");
    mock_vhost(true, 1000 + B);
    MOCK_MUST(world_daemon(), "it does not start: %s", process_log());
    faults_begin();
    front_connect(&a);
    front_connect(&b);
    if (front_open(&a, VSOCKIF_CID_HOST, 5000, 65536))
        kick();
    goes(&a);
    process_pass(3000);         /* until the kernel's end has had its time */
    close_world(false);
}

/* Programs enter the channels of a guest, of which a reload takes one away and makes another one. */
static void scene_channels(void)
{
    open_world();
    world_settings("[daemon]\nspin_us = 0\n[guest a]\nchannel one = 9\nchannel two = 10\n");
    faults_begin();
    world_daemon();
    front_connect(&a);
    if (host_enter(&h, "a", "one"))
        step();
    for (int i = 0; i < FRONT_CONNS; i++)
        if (a.conn[i].state == CONN_OFFERED)
            front_answer(&a, &a.conn[i], 20000);
    host_write(&h, 5000);
    kick();
    reload("[daemon]\nspin_us = 0\n[guest a]\nchannel two = 11\nchannel three = 9\n");
    if (host_enter(&k, "a", "three"))
        step();
    close_world(true);
}

/* Host programs are known by user and group; a new policy ends what is open. */
static void scene_policy(void)
{
    start_connected();
    world_policy("9 @unix/user:root a allow\n9 @unix/group:root a allow\n* @unix a deny\n" WORLD_OPEN);
    raise(SIGHUP);
    process_rest();
    faults_begin();
    host_connect(&h, "guest/a", 9, 99, 2);
    step();
    front_answer(&a, &a.conn[0], 20000);
    kick();
    host_connect(&k, "guest/a", 8, 99, 2);
    front_open(&a, b.cid, 9, 65536);
    front_open(&a, VSOCKIF_CID_HOST, 9, 65536);
    kick();
    world_settings("[daemon]\nspin_us = 0\npolicy_cuts = yes\n");
    world_policy("9 @unix/user:root a deny\n8 @any @any deny\n* @any @vsock deny\n" WORLD_OPEN);
    raise(SIGHUP);
    kick();
    front_open(&a, b.cid, 8, 65536);
    front_open(&a, b.cid, 8, 65536);
    kick();
    process_pass(1100);
    close_world(false);
}

/* Every verb, and what is none. */
static void scene_control(void)
{
    static const char *const requests[] = {
        "{\"verb\":\"ls\"}\n", "{\"verb\":\"stats\"}\n", "{\"verb\":\"dump\",\"domain\":\"a\"}\n", "{\"verb\":\"reload\"}\n",
        "{\"verb\":\"policy\"}\n",
        "{\"verb\":\"policy\",\"source\":\"@unix\",\"destination\":\"a\",\"port\":9,\"user\":0,\"groups\":[0]}\n",
        "{\"verb\":\"attach\",\"domain\":\"b\"}\n", "{\"verb\":\"detach\",\"domain\":2,\"device\":1}\n",
        "{\"verb\":\"attach\",\"domain\":\"nobody\"}\n", "[]\n", "{\"verb\":\"no\"}\n",
    };

    start_connected();
    front_open(&a, VSOCKIF_CID_HOST, 9, 65536);
    front_open(&a, b.cid, 9, 65536);
    kick();
    faults_begin();
    host_control(&k);
    step();
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        if (k.fd >= 0)
            host_say(&k, requests[i], (uint32_t)strlen(requests[i]));
        step();
    }
    process_pass(600);
    close_world(false);
}

static void scene_detach(void)
{
    static const char *const request = "{\"verb\":\"detach\",\"domain\":\"a\",\"device\":0}\n",
                      *const again = "{\"verb\":\"attach\",\"domain\":\"a\"}\n";

    start_connected();
    host_control(&k);
    step();
    faults_begin();
    host_say(&k, request, (uint32_t)strlen(request));
    step();
    front_step(&a);
    process_pass(1000);
    faults_end();
    process_pass(HEAL_MS);
    front_die(&a);
    front_step(&a);
    process_pass(1000);
    if (!host_control(&k))
        MOCK_MUST(false, "the control socket is gone");
    host_say(&k, again, (uint32_t)strlen(again));
    process_pass(1000);
    close_world(false);
}

/* Attached again before the old one's directories are gone, where they cannot be removed at once. */
static void scene_reattach(void)
{
    static const char *const request = "{\"verb\":\"detach\",\"domain\":\"a\"}\n",
                      *const again = "{\"verb\":\"attach\",\"domain\":\"a\",\"device\":0}\n";

    start_connected();
    host_control(&k);
    step();
    faults_begin();
    host_say(&k, request, (uint32_t)strlen(request));
    step();
    front_die(&a);
    front_step(&a);
    step();
    front_step(&a);
    step();
    host_say(&k, again, (uint32_t)strlen(again));
    step();
    mock_now_ns += UINT64_C(2000000000);            /* the daemon's next try is due, and the next word there, too */
    host_say(&k, again, (uint32_t)strlen(again));
    step();
    faults_end();
    process_pass(HEAL_MS);
    if (!host_control(&k))
        MOCK_MUST(false, "the control socket is gone");
    host_say(&k, again, (uint32_t)strlen(again));   /* unless that was heard already */
    process_pass(1000);
    close_world(false);
}

static void scene_lost(void)
{
    start_connected();
    faults_begin();
    mock_store_lose(false);
    process_pass(6000);
    world_die(A, &a, 1);
    process_pass(700);
    world_appear(A, "a");
    process_pass(700);
    close_world(false);
}

static void scene_death(void)
{
    start_connected();
    front_open(&a, VSOCKIF_CID_HOST, 7, 65536);
    front_open(&b, a.cid, 7, 65536);
    kick();
    faults_begin();
    world_die(A, &a, 0);
    process_pass(700);
    faults_end();
    process_pass(HEAL_MS);
    world_appear(A, "a");
    process_pass(700);
    close_world(false);
}

static void scene_stop(void)
{
    start_connected();
    front_open(&a, VSOCKIF_CID_HOST, 7, 65536);
    kick();
    faults_begin();
    MOCK_MUST(process_end(), "it does not stop: %s", process_log());
    MOCK_MUST(process_status() == 0, "it stopped with status %d", process_status());
    MOCK_MUST(!*mock_left_over(), "%s", mock_left_over());
    faults_end();
    for (int i = 0; i < 6; i++)
        front_step(&a), front_step(&b);
    world_daemon();
    close_world(false);
}

/* ---- tests ---- */

static const struct scene { const char *name; void (*play)(void); } scenes[] = {
    { "start", scene_start }, { "take in", scene_take_in }, { "connect", scene_connect }, { "to host", scene_to_host }, { "to any", scene_to_any },
    { "from host", scene_from_host }, { "slow reader", scene_slow_reader }, { "farewell", scene_farewell },
    { "start among others", scene_start_among_others }, { "left to guest", scene_left_to_guest }, { "watch", scene_watch },
    { "rename", scene_rename }, { "relay", scene_relay }, { "service", scene_service }, { "reload", scene_reload }, { "kernel", scene_kernel }, { "channels", scene_channels },
    { "policy", scene_policy }, { "control", scene_control },
    { "detach", scene_detach }, { "reattach", scene_reattach }, { "lost", scene_lost }, { "death", scene_death }, { "stop", scene_stop },
};

static void each_scene(enum faults_kind kind, bool lasting, unsigned at_least)
{
    const char *only = getenv("XVS_SCENE");
    unsigned count = 0;

    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        unsigned n;

        if (only && strcmp(only, scenes[i].name))
            continue;
        faults_scene = scenes[i].name;
        n = faults_each(kind, lasting, scenes[i].play);
        if (getenv("XVS_COUNT"))
            printf("    %-12s %u\n", scenes[i].name, n);
        count += n;
    }
    printf("    %u faults\n", count);
    CU_ASSERT_TRUE(only || count >= at_least);
    EQ(faults_failures, 0);
}

static void each_allocation_fails_once(void)
{
    each_scene(FAULTS_MEMORY, false, 500);
}

static void there_is_no_memory_for_a_while(void)
{
    each_scene(FAULTS_MEMORY, true, 500);
}

static void each_call_of_the_system_fails_once_in_each_way(void)
{
    each_scene(FAULTS_CALL, false, 1000);
}

static void each_request_of_xen_fails_once_in_each_way(void)
{
    each_scene(FAULTS_XEN, false, 1000);
}

static void the_connection_to_xenstored_breaks_at_each_request(void)
{
    each_scene(FAULTS_LOST, false, 300);
}

static void xenstored_is_away_for_a_while_from_each_request_on(void)
{
    each_scene(FAULTS_LOST, true, 300);
}

static void there_are_no_descriptors_for_a_while(void)
{
    each_scene(FAULTS_FILES, true, 30);
}

static void the_disk_is_full_for_a_while(void)
{
    each_scene(FAULTS_DISK, true, 50);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(each_allocation_fails_once),
        TEST(there_is_no_memory_for_a_while),
        TEST(each_call_of_the_system_fails_once_in_each_way),
        TEST(each_request_of_xen_fails_once_in_each_way),
        TEST(the_connection_to_xenstored_breaks_at_each_request),
        TEST(xenstored_is_away_for_a_while_from_each_request_on),
        TEST(there_are_no_descriptors_for_a_while),
        TEST(the_disk_is_full_for_a_while),
    };
    static char out[4096];
    int err;

    world_open();
    process_is_loud = getenv("XVS_LOUD");
    setvbuf(stdout, out, _IOLBF, sizeof out);
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
        scenes[i].play();
    warm = true;
    err = harness_run("daemon: calls that fail", tests, sizeof tests / sizeof *tests, argc, argv);
    world_close();
    return err;
}

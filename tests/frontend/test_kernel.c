/* SPDX-License-Identifier: MIT */
/* test_kernel.c: a device that the library has open, and the guest's kernel takes (xen_vsock), while xvsd is away or just then: one of
 * the two has it, and the other writes nothing.  The test plays the driver, which writes the same nodes. */
#include <unistd.h>

#include "lab.h"

#define LINK "/sys/bus/xen/devices/vsock-0/driver"

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);

static const struct front_nodes kernels = { .version = VSOCKIF_VERSION, .control_ref = 7, .event_channel = 5, .queues = 1 };

static bool bound;                  /* the driver is: sysfs says so before the driver reads a node */
static bool (*answer)(void);        /* …or says this, NULL: the former */

int __wrap_access(const char *path, int mode)
{
    if (strcmp(path, LINK))
        return __real_access(path, mode);
    errno = ENOENT;
    return (answer ? answer() : bound) ? 0 : -1;
}

static void kernel_shares(void)
{
    REQUIRE(nodes_share(back.store, &back.paths, &kernels) == 0);
}

static void kernel_writes(unsigned state)
{
    REQUIRE(nodes_set_state(back.store, back.paths.front, state) == 0);
}

static long granted;                /* pages, while the device waits */

static void begin(void)
{
    bound = false;
    answer = NULL;
    lab_attach();
    REQUIRE(lab_open() == 0);
    lab_settle();
    granted = lab_count(GUEST, "granted");
}

static void expect_kernels(unsigned state)
{
    lab_settle();
    EQ(rawback_front_state(&back), state);
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_reason(x), "xen_vsock"));
    CU_ASSERT_FALSE(x->bus.life.shares);
    EQ(lab_count(GUEST, "granted"), granted);
}

/* What the driver has shared is what xvsd will find. */
static void expect_its_pages(void)
{
    struct front_nodes nodes = { .control_ref = 0 };

    EQ(nodes_read_front(back.store, &back.paths, &nodes, NULL), 0);
    EQ(nodes.control_ref, kernels.control_ref);
}

static void a_kernel_that_takes_it_while_xvsd_is_away_has_it(void)
{
    begin();
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSED) == 0);
    lab_settle();
    bound = true;
    REQUIRE(rawback_offer(&back) == 0);
    expect_kernels(VSOCKIF_INITIALISING);
    kernel_shares();
    REQUIRE(rawback_set_state(&back, VSOCKIF_CONNECTED) == 0);
    expect_kernels(VSOCKIF_INITIALISED);
    expect_its_pages();
    kernel_writes(VSOCKIF_CONNECTED);
    x->bus.store_check = 0;
    expect_kernels(VSOCKIF_CONNECTED);
    /* xvsd ends, the driver waits for it, and lets go meanwhile: no event says so. */
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSED) == 0);
    kernel_writes(VSOCKIF_CLOSED);
    expect_kernels(VSOCKIF_CLOSED);
    bound = false;
    x->bus.store_check = 0;
    lab_handshake();
    lab_stop();
}

/* Just after the library has asked for the first time. */
static bool binds_and_shares(void)
{
    bool was = bound;

    if (!was)
        kernel_shares();
    bound = true;
    return was;
}

static void a_kernel_that_shares_first_has_it(void)
{
    begin();
    answer = binds_and_shares;
    REQUIRE(rawback_offer(&back) == 0);
    UNTIL(strstr(xvs_reason(x), "xen_vsock"));
    expect_kernels(VSOCKIF_INITIALISED);
    expect_its_pages();
    lab_stop();
}

/* Just before it asks for the second time, for it has written 3. */
static bool binds_at_3(void)
{
    return bound = bound || rawback_front_state(&back) == VSOCKIF_INITIALISED;
}

static void share_and_lose(void)
{
    begin();
    answer = binds_at_3;
    REQUIRE(rawback_offer(&back) == 0);
    lab_settle();
    CU_ASSERT_FALSE(x->bus.life.shares);
}

static void a_kernel_that_comes_as_the_library_shares_has_it(void)
{
    share_and_lose();
    expect_kernels(VSOCKIF_INITIALISED);
    /* To the driver this 3 is a predecessor's. */
    kernel_writes(VSOCKIF_CLOSED);
    kernel_writes(VSOCKIF_INITIALISING);
    kernel_shares();
    x->bus.store_check = 0;
    expect_kernels(VSOCKIF_INITIALISED);
    expect_its_pages();
    lab_stop();
}

/* Its driver has read the 3, and left the device to the library, which has left it to the driver. */
static void when_each_leaves_it_to_the_other_the_library_takes_it(void)
{
    share_and_lose();
    answer = NULL;
    bound = false;
    x->bus.store_check = 0;
    UNTIL(x->bus.life.shares);
    REQUIRE(rawback_map(&back) == 0);
    UNTIL(xvs_is_up(x));
    lab_stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_kernel_that_takes_it_while_xvsd_is_away_has_it),
        TEST(a_kernel_that_shares_first_has_it),
        TEST(a_kernel_that_comes_as_the_library_shares_has_it),
        TEST(when_each_leaves_it_to_the_other_the_library_takes_it),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: the guest's kernel", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_registry.c: which devices there are, as the control socket is asked and xenstore says. */
#include <signal.h>
#include <string.h>

#include "hosted.h"
#include "toolstack.h"

#define GUEST 1u

static void start(const char *conf)
{
    toolstack_open();
    domain_make(GUEST, "web1", NULL);
    REQUIRE(daemon_start(conf) == 0);
}

static void stop(void)
{
    EQ(daemon_stop(SIGTERM), 0);
    toolstack_close();
}

static void attach(uint32_t domid, uint32_t number)
{
    REQUIRE(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u,\"device\":%u}", domid, number), "\"ok\":true") != NULL);
}

/* "main" is a part of "domain": such a key was taken and ignored. */
static void a_key_that_a_verb_does_not_have_is_refused(void)
{
    static const char *const keys[] = { "main", "domai", "in", "", " ", "e", "domain device", "devic", "ci", "verbs" };

    start("[daemon]\nattach = manual\n");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *answer = daemon_ask("{\"verb\":\"attach\",\"domain\":%u,\"%s\":1}", GUEST, keys[i]);

        if (!strstr(answer, "it has no key"))
            fprintf(stderr, "\"%s\": %s\n", keys[i], answer);
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, "it has no key"));
    }
    CU_ASSERT_PTR_NULL(record_of(GUEST, 0));
    stop();
}

static void detach_of_several_devices_asks_which_one(void)
{
    const char *answer;

    start("[daemon]\nattach = manual\n");
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "1 has no device"));
    attach(GUEST, 3);
    attach(GUEST, 0);
    attach(GUEST, 1);
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "1 has 3 devices, 0 1 3: name one of them (--device), or"));
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"device\":2}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "1 has no device 2"));
    for (uint32_t number = 0; number < 4; number++)
        EQ(domain_has_device(GUEST, number), number != 2);

    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"device\":0,\"all\":true}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ok\":false"));
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"device\":1}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"devices\":[1]"));
    UNTIL(!domain_has_device(GUEST, 1));
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"all\":true}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"devices\":[0,3]"));
    UNTIL(!domain_has_device(GUEST, 0) && !domain_has_device(GUEST, 3));

    /* One alone needs no number, and one that goes already does not count. */
    attach(GUEST, 2);
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"devices\":[2]"));
    UNTIL(!domain_has_device(GUEST, 2));
    stop();
}

static const struct test tests[] = {
    TEST(a_key_that_a_verb_does_not_have_is_refused), TEST(detach_of_several_devices_asks_which_one)
};

int main(int argc, char **argv)
{
    if (!hosted_is_here())
        return 2;
    return harness_run("registry", tests, sizeof tests / sizeof *tests, argc, argv);
}

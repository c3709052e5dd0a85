/* SPDX-License-Identifier: MIT */
/* test_verbs.c: what the control socket's verbs refuse, in which words, and what they do. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admitted.h"
#include "hosted.h"
#include "rawfront.h"
#include "toolstack.h"

#define GUEST 1u
#define OTHER 2u
#define PORT  500u

static void start(const char *conf)
{
    toolstack_open();
    domain_make(GUEST, "web1", NULL);
    domain_make(OTHER, "db1", NULL);
    REQUIRE(store_remove(dom0, "/local/domain/0/backend/vsock") == 0);
    REQUIRE(daemon_start(conf) == 0);
}

static void stop(void)
{
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(GUEST);
    domain_remove(OTHER);
    toolstack_close();
}

static void answers(const char *request, const char *text)
{
    const char *answer = daemon_ask("%s", request);

    if (!strstr(answer, text))
        fprintf(stderr, "%s\ngives\n%snot\n%s\n", request, answer, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, text));
}

static void each_wrong_request_is_refused_in_words(void)
{
    static const struct { const char *request, *text; } wrong[] = {
        { "{}", "an object with a string \\\"verb\\\"" },
        { "{\"verb\":\"dance\"}", "there is no verb \\\"dance\\\"" },
        { "{\"verb\":\"ls\",\"domain\":1}", "ls: it has no key \\\"domain\\\"" },
        { "{\"verb\":\"attach\"}", "attach: \\\"domain\\\" must be" },
        { "{\"verb\":\"attach\",\"domain\":\"\"}", "attach: \\\"domain\\\" must be" },
        { "{\"verb\":\"attach\",\"domain\":[1]}", "attach: \\\"domain\\\" must be" },
        { "{\"verb\":\"attach\",\"domain\":\"nobody\"}", "there is no domain nobody" },
        { "{\"verb\":\"attach\",\"domain\":-1}", "there is no domain -1" },
        { "{\"verb\":\"attach\",\"domain\":1,\"device\":256}", "attach: \\\"device\\\" must be a number from 0 to 255" },
        { "{\"verb\":\"attach\",\"domain\":1,\"device\":-1}", "attach: \\\"device\\\" must be a number from 0 to 255" },
        { "{\"verb\":\"attach\",\"domain\":1,\"device\":\"0\"}", "attach: \\\"device\\\" must be a number from 0 to 255" },
        { "{\"verb\":\"attach\",\"domain\":1,\"cid\":2}", "attach: \\\"cid\\\" must be a number from 3" },
        { "{\"verb\":\"attach\",\"domain\":1,\"cid\":4294967295}", "attach: \\\"cid\\\" must be a number from 3" },
        { "{\"verb\":\"detach\"}", "detach: \\\"domain\\\" must be" },
        { "{\"verb\":\"detach\",\"domain\":\"nobody\"}", "there is no domain nobody" },
        { "{\"verb\":\"detach\",\"domain\":1,\"device\":256}", "detach: \\\"device\\\" must be a number from 0 to 255" },
        { "{\"verb\":\"detach\",\"domain\":1,\"all\":1}", "detach: \\\"all\\\" must be true or false" },
        { "{\"verb\":\"policy\",\"source\":\"a\"}", "policy: \\\"source\\\", \\\"destination\\\" and \\\"port\\\" go together" },
        { "{\"verb\":\"policy\",\"source\":1,\"destination\":\"a\",\"port\":1}", "go together, the first two are strings" },
        { "{\"verb\":\"policy\",\"source\":\"a\",\"destination\":\"b\"}", "policy: \\\"port\\\" must be a number from 0 to 4294967294" },
        { "{\"verb\":\"policy\",\"source\":\"a\",\"destination\":\"b\",\"port\":4294967295}", "must be a number from 0" },
        { "{\"verb\":\"policy\",\"source\":\"a\",\"destination\":\"b\",\"port\":-1}", "must be a number from 0" },
        { "{\"verb\":\"policy\",\"source\":\":99\",\"destination\":\"b\",\"port\":1}", "policy: there is no domain 99 with a device" },
        { "{\"verb\":\"policy\",\"source\":\"@any\",\"destination\":\"b\",\"port\":1}", "policy: \\\"@any\\\" is no source; it is the name of a guest" },
        { "{\"verb\":\"policy\",\"source\":\"a\",\"destination\":\"uuid:5\",\"port\":1}", "\\\"uuid:5\\\" is no destination" },
        { "{\"verb\":\"policy\",\"source\":\"@unix\",\"destination\":\"@vsock\",\"port\":1}", "one of the two is a guest" },
        { "{\"verb\":\"policy\",\"source\":\"@unix\",\"destination\":\"a\",\"port\":1,\"user\":\"root\"}", "\\\"user\\\" is a number" },
        { "{\"verb\":\"policy\",\"source\":\"@unix\",\"destination\":\"a\",\"port\":1,\"groups\":5}", "\\\"groups\\\" are a list" },
        { "{\"verb\":\"policy\",\"sauce\":\"a\"}", "policy: it has no key \\\"sauce\\\"" },
        { "{\"verb\":\"dump\"}", "dump: \\\"domain\\\" must be" },
        { "{\"verb\":\"dump\",\"domain\":true}", "dump: \\\"domain\\\" must be" },
        { "{\"verb\":\"dump\",\"domain\":\"nobody\"}", "dump: there is no domain nobody" },
        { "{\"verb\":\"dump\",\"domain\":\"nobody:3\"}", "dump: there is no device nobody:3" },
        { "{\"verb\":\"dump\",\"domain\":\"uuid:5\"}", "dump: there is no domain uuid:5" },
        { "{\"verb\":\"attach\",\"domain\":\"uuid:5\"}", "attach: \\\"domain\\\" must be a name, a domid or uuid:UUID, perhaps with :DEVICE behind it" },
        { "{\"verb\":\"attach\",\"domain\":\"uuid:01234567-89ab-cdef-0123-456789abcdef\"}", "no domain with a device has the uuid:01234567" },
        { "{\"verb\":\"attach\",\"domain\":\"web1:1\",\"device\":2}", "attach: web1:1 is device 1, and \\\"device\\\" is 2" },
        { "{\"verb\":\"detach\",\"domain\":\"web1:1\",\"all\":true}", "\\\"device\\\" is one and \\\"all\\\" is all" },
        { "{\"verb\":\"attach\",\"domain\":\"web1:256\"}", "there is no domain web1:256" },
    };

    start("[daemon]\nattach = manual\n");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        answers(wrong[i].request, wrong[i].text);
        answers(wrong[i].request, "\"ok\":false");
    }
    CU_ASSERT_PTR_NULL(record_of(GUEST, 0));
    stop();
}

static void attach_gives_the_least_free_number_and_the_usual_cid(void)
{
    start("[daemon]\nattach = manual\n[guest web1]\ncid = 77\n");
    answers("{\"verb\":\"attach\",\"domain\":1,\"device\":1}", "\"device\":1");
    answers("{\"verb\":\"attach\",\"domain\":\"web1\"}", "\"device\":0,\"cid\":77,");
    answers("{\"verb\":\"attach\",\"domain\":\"web1\"}", "\"device\":2");
    answers("{\"verb\":\"attach\",\"domain\":\"1\",\"device\":5,\"cid\":500}", "\"device\":5,\"cid\":500,");
    answers("{\"verb\":\"attach\",\"domain\":1,\"device\":5}", "cannot attach device 5 to domain 1");
    answers("{\"verb\":\"attach\",\"domain\":2,\"cid\":500}", "CID 500 belongs to guest web1");
    answers("{\"verb\":\"attach\",\"domain\":2}", "\"device\":0");
    CU_ASSERT_TRUE(domain_has_device(GUEST, 0) && domain_has_device(GUEST, 1) && domain_has_device(GUEST, 2));
    CU_ASSERT_FALSE(domain_has_device(GUEST, 3));
    stop();
}

static void a_guest_goes_by_its_name_its_domid_its_uuid_and_a_device_of_these(void)
{
    static const char uuid[] = "uuid:01234567-89AB-cdef-0123-456789abcdef";
    static const char *const all[] = { "web1", "1", ":1", uuid };
    char request[200];

    start("[daemon]\nattach = manual\n");
    domain_make(3, "lb1", uuid + 5);
    answers("{\"verb\":\"attach\",\"domain\":\"web1:3\"}", "\"device\":3");
    answers("{\"verb\":\"attach\",\"domain\":\":1:5\",\"device\":5}", "\"device\":5");
    answers("{\"verb\":\"attach\",\"domain\":\"lb1\"}", "\"device\":0");
    answers("{\"verb\":\"attach\",\"domain\":\"uuid:01234567-89AB-cdef-0123-456789abcdef:7\"}", "\"domid\":3,\"device\":7");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(request, sizeof request, "{\"verb\":\"dump\",\"domain\":\"%s\"}", all[i]);
        answers(request, i < 3 ? "\"device\":5" : "\"device\":7");
        answers(request, i < 3 ? "\"device\":3" : "\"device\":0");
        snprintf(request, sizeof request, "{\"verb\":\"dump\",\"domain\":\"%s:%d\"}", all[i], i < 3 ? 5 : 7);
        answers(request, i < 3 ? "\"device\":5" : "\"device\":7");
        CU_ASSERT_PTR_NULL(strstr(daemon_ask("%s", request), i < 3 ? "\"device\":3" : "\"device\":0"));
        snprintf(request, sizeof request, "{\"verb\":\"policy\",\"source\":\"%s\",\"destination\":\"@unix\",\"port\":1}", all[i]);
        answers(request, "\"ok\":true");
    }
    answers("{\"verb\":\"detach\",\"domain\":\"web1:3\"}", "\"devices\":[3]");
    domain_remove(3);
    stop();
}

/* Sixteen of them would be many; a domain may have 256. */
static void attach_says_when_no_number_is_free(void)
{
    const char *answer;
    int n = 0;

    start("[daemon]\nattach = manual\n");
    while (n < 300 && strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":1}"), "\"ok\":true"))
        n++;
    EQ(n, PATHS_DEVICES);
    answers("{\"verb\":\"attach\",\"domain\":1}", "no device number is free");
    answers("{\"verb\":\"detach\",\"domain\":1,\"device\":129}", "\"ok\":true");
    UNTIL(!domain_has_device(GUEST, 129));
    answers("{\"verb\":\"attach\",\"domain\":1}", "\"device\":129,");
    /* So many take their time, which on a slow machine is more than a client is let wait. */
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":1,\"all\":true}");
    CU_ASSERT_TRUE(strstr(answer, "\"devices\":[0,") || strstr(answer, "what was asked for is done when it does"));
    UNTIL(!domain_has_device(GUEST, 255));
    stop();
}

/* Detaching takes a moment, and has been answered before: the next device is not another one because of that. */
static void a_device_that_is_attached_again_at_once_has_its_number(void)
{
    struct rawfront guest;

    start("[daemon]\nattach = manual\n");
    answers("{\"verb\":\"attach\",\"domain\":1}", "\"device\":0,");
    for (int i = 0; i < 5; i++) {
        REQUIRE(rawfront_open(&guest, GUEST) == 0);
        REQUIRE(daemon_connect(&guest) == 0);
        answers("{\"verb\":\"detach\",\"domain\":1}", "\"devices\":[0]");
        answers("{\"verb\":\"attach\",\"domain\":1}", "\"device\":0,");
        rawfront_close(&guest);
    }
    stop();
}

static void stats_and_dump_count_what_there_is(void)
{
    struct rawfront guest;
    struct vsockif_hdr hdr;
    const char *stats;
    int listener, stream;

    start("[daemon]\n");
    stats = daemon_ask("{\"verb\":\"stats\"}");
    EQ(daemon_number(stats, "connected"), 0);
    EQ(daemon_number(stats, "mapped_bytes"), 0);
    CU_ASSERT_TRUE(daemon_number(stats, "resident_bytes") > 1 << 20);
    CU_ASSERT_TRUE(daemon_number(stats, "fds") > 5);
    REQUIRE(rawfront_open(&guest, GUEST) == 0);
    REQUIRE(daemon_connect(&guest) == 0);
    REQUIRE((listener = host_listen("web1", 5000)) >= 0);
    hdr = rawfront_header(&guest, VSOCKIF_OP_REQUEST, PORT, 5000);
    rawfront_send(&guest, &hdr);
    rawfront_kick(&guest);
    REQUIRE((stream = host_accept(listener)) >= 0);
    REQUIRE(rawfront_recv(&guest, &hdr, PATIENCE_MS));

    UNTIL(daemon_number(daemon_ask("{\"verb\":\"stats\"}"), "connected") == 1);
    stats = daemon_ask("{\"verb\":\"stats\"}");
    EQ(daemon_number(stats, "connections"), 1);
    EQ(daemon_number(stats, "mapped_bytes"), (2 * (1 << RAWFRONT_ORDER) + 2 * RAWFRONT_POOL) * VSOCKIF_PAGE_SIZE);
    CU_ASSERT_TRUE(daemon_number(stats, "table_bytes") > 0);
    answers("{\"verb\":\"dump\",\"domain\":\"web1\"}", "\"local\":{\"cid\":2,\"port\":5000},\"peer\":{\"cid\":1001,\"port\":500},\"type\":\"stream\",\"state\":\"ESTABLISHED\"");
    answers("{\"verb\":\"dump\",\"domain\":\"web1\"}", "\"end\":\"host\",\"held\":0");
    answers("{\"verb\":\"dump\",\"domain\":\"db1\"}", "\"streams\":[]");
    close(stream);
    close(listener);
    rawfront_close(&guest);
    stop();
}

/* ---- counts ---- */

static long long count(const char *group, const char *key)
{
    const char *record = record_of(GUEST, 0);

    if (record && *group)
        record = strstr(record, group);
    return record ? daemon_number(record, key) : -1;
}

static void tells(struct rawfront *guest, unsigned op, uint32_t len)
{
    struct vsockif_hdr hdr = rawfront_header(guest, op, PORT, 5000);

    hdr.len = len;
    rawfront_send(guest, &hdr);
    rawfront_kick(guest);
}

static void the_counts_of_a_device_go_on_over_its_connections(void)
{
    struct rawfront guest;
    struct vsockif_hdr hdr;
    long long to_guest;
    int listener, stream;
    char bytes[200];

    start("[daemon]\n");
    REQUIRE(rawfront_open(&guest, GUEST) == 0);
    EQ(count("", "connects"), 0);
    REQUIRE(daemon_connect(&guest) == 0);
    REQUIRE((listener = host_listen("web1", 5000)) >= 0);
    tells(&guest, VSOCKIF_OP_REQUEST, 0);
    REQUIRE((stream = host_accept(listener)) >= 0);
    REQUIRE(rawfront_recv(&guest, &hdr, PATIENCE_MS));
    tells(&guest, VSOCKIF_OP_RW, 100);
    tells(&guest, VSOCKIF_OP_RW, 50);
    EQ(host_read(stream, bytes, 150), 150);
    REQUIRE(write(stream, bytes, 30) == 30);
    do {
        REQUIRE(rawfront_recv(&guest, &hdr, PATIENCE_MS));
    } while (hdr.op != VSOCKIF_OP_RW);
    daemon_rounds();                    /* credit, too, has been told */
    EQ(count("\"from_guest\"", "packets"), 3);
    EQ(count("\"from_guest\"", "bytes"), 150);
    EQ(count("\"to_guest\"", "bytes"), 30);
    to_guest = count("\"to_guest\"", "packets");
    CU_ASSERT_TRUE(to_guest >= 2);
    CU_ASSERT_TRUE(count("\"notifications\"", "sent") >= 1);
    CU_ASSERT_TRUE(count("\"notifications\"", "received") >= 1);
    EQ(count("", "connects"), 1);

    rawfront_unshare(&guest);
    REQUIRE(rawfront_wait(&guest, VSOCKIF_CLOSING) == 0);
    EQ(count("\"from_guest\"", "packets"), 3);
    EQ(count("\"from_guest\"", "bytes"), 150);
    EQ(count("\"to_guest\"", "bytes"), 30);
    EQ(count("\"to_guest\"", "packets"), to_guest);
    EQ(count("", "connects"), 1);
    REQUIRE(rawfront_set_state(&guest, "6") == 0);
    REQUIRE(rawfront_wait(&guest, VSOCKIF_CLOSED) == 0);
    REQUIRE(daemon_connect(&guest) == 0);
    EQ(count("", "connects"), 2);
    close(listener);
    tells(&guest, VSOCKIF_OP_REQUEST, 0);
    REQUIRE(rawfront_recv(&guest, &hdr, PATIENCE_MS));
    EQ(count("\"from_guest\"", "packets"), 4);
    EQ(count("\"to_guest\"", "packets"), to_guest + 1);
    EQ(count("", "refusals"), 0);
    close(stream);
    rawfront_close(&guest);
    stop();
}

static const struct test tests[] = {
    TEST(each_wrong_request_is_refused_in_words), TEST(attach_gives_the_least_free_number_and_the_usual_cid),
    TEST(a_guest_goes_by_its_name_its_domid_its_uuid_and_a_device_of_these),
    TEST(attach_says_when_no_number_is_free), TEST(a_device_that_is_attached_again_at_once_has_its_number), TEST(stats_and_dump_count_what_there_is),
    TEST(the_counts_of_a_device_go_on_over_its_connections)
};

int main(int argc, char **argv)
{
    if (!hosted_begin())
        return 2;
    return harness_run("verbs", tests, sizeof tests / sizeof *tests, argc, argv);
}

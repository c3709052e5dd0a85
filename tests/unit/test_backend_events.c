/* SPDX-License-Identifier: MIT */
/* test_backend_events.c: what waits for a subscriber, in bounded memory, and whose events it wants.  With the daemon:
 * tests/daemon/test_events.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "harness.h"

static struct worker w;
static struct subscription *s;
static unsigned filled;

static void on_filled(struct subscription *of)
{
    CU_ASSERT_PTR_EQUAL(of, s);
    filled++;
}

/* The error, or "" and s. */
static const char *subscribe(const char *request)
{
    static char error[200];
    json_t *asked = json_loads(request, 0, NULL), *answer;

    REQUIRE(asked != NULL);
    REQUIRE((answer = events_verb(&w, asked, &s)) != NULL);
    snprintf(error, sizeof error, "%s", s ? "" : json_string_value(json_object_get(answer, "error")));
    json_decref(asked);
    json_decref(answer);
    if (s)
        s->filled = on_filled;
    return error;
}

static void begin(void)
{
    memset(&w, 0, sizeof w);
    list_init(&w.lanes.listeners);
    filled = 0;
    CU_ASSERT_STRING_EQUAL(subscribe("{}"), "");
}

static void end(void)
{
    events_over(s);
    EQ(w.subscriptions, 0);
    CU_ASSERT_FALSE(feed_is_heard(&w.lanes));
}

/* Event number n, of so many bytes and some. */
static void happens(unsigned n, unsigned bytes)
{
    char text[4000];

    snprintf(text, sizeof text, "%06u%*s", n, (int)bytes, "");
    feed_tell(&w.lanes, &(struct happening){ .kind = EVENT_CHANGED, .text = text });
}

/* The next line is taken: an event's number, or 0 and how many are lost; -1: there is none. */
static long take(unsigned *lost)
{
    const char *bytes, *newline;
    size_t len = events_peek(s, &bytes);
    json_t *o;
    long n;

    *lost = 0;
    if (!len)
        return -1;
    REQUIRE((newline = memchr(bytes, '\n', len)) != NULL);
    REQUIRE((o = json_loadb(bytes, (size_t)(newline - bytes), 0, NULL)) != NULL);
    n = strtol(json_string_value(json_object_get(o, "text")), NULL, 10);
    if (!strcmp(json_string_value(json_object_get(o, "event")), "lost")) {
        *lost = (unsigned)json_integer_value(json_object_get(o, "count"));
        EQ(n, *lost);
        n = 0;
    }
    json_decref(o);
    events_taken(s, (size_t)(newline - bytes) + 1);
    return n;
}

/* Half of it is read again and again: what waits comes to the end of its room, and goes on from its beginning, whole. */
static void what_waits_keeps_its_order_however_often_its_room_has_gone_round(void)
{
    unsigned in = 0, out = 0, lost;

    begin();
    while (in < 5000) {
        for (int i = 0; i < 70; i++, in++)
            happens(in + 1, 500 + in % 700);
        for (int i = 0; i < (in < 210 ? 1 : 70); i++)
            EQ(take(&lost), ++out);
        EQ(s->lost, 0);
    }
    CU_ASSERT_TRUE(in - out > 60 && s->used > EVENTS_BYTES / 4);
    while (out < in)
        EQ(take(&lost), ++out);
    EQ(take(&lost), -1);
    end();
}

/* A part of a line may have gone. */
static void what_is_taken_need_not_be_a_line(void)
{
    const char *bytes;
    char all[6000];
    size_t at = 0;
    json_t *o;

    begin();
    happens(1, 3000);
    EQ(filled, 1);
    while (events_peek(s, &bytes) && at < sizeof all - 7) {
        size_t n = s->used < 7 ? s->used : 7;

        memcpy(all + at, bytes, n);
        at += n;
        events_taken(s, n);
        if (at == 700)
            happens(2, 1000);   /* meanwhile */
    }
    EQ(filled, 1);              /* nobody is woken who has something to do */
    o = json_loadb(all, at, JSON_DISABLE_EOF_CHECK, NULL);
    CU_ASSERT_PTR_NOT_NULL(o);
    json_decref(o);
    CU_ASSERT_PTR_NOT_NULL(memchr(all, '\n', at));
    CU_ASSERT_EQUAL(all[at - 1], '\n');
    happens(3, 10);
    EQ(filled, 2);
    end();
}

static void *none(size_t size)
{
    (void)size;
    return NULL;
}

/* An event for which there is no memory is one that is missing, and told to be. */
static void what_finds_no_memory_is_counted(void)
{
    unsigned lost;

    begin();
    happens(1, 10);
    json_set_alloc_funcs(none, free);
    happens(2, 10);
    happens(3, 10);
    json_set_alloc_funcs(malloc, free);
    EQ(s->lost, 2);
    happens(4, 10);
    EQ(s->lost, 0);
    EQ(take(&lost), 1);
    EQ(take(&lost), 0);
    EQ(lost, 2);
    EQ(take(&lost), 4);
    EQ(take(&lost), -1);
    /* The count itself finds none: it waits. */
    json_set_alloc_funcs(none, free);
    happens(5, 10);
    happens(6, 10);
    json_set_alloc_funcs(malloc, free);
    EQ(s->lost, 2);
    EQ(take(&lost), -1);
    EQ(filled, 1);
    happens(7, 10);
    EQ(take(&lost), 0);
    EQ(lost, 2);
    EQ(take(&lost), 7);
    end();
}

static void who_is_named_can_be_somebody(void)
{
    char name[WALL_NAME + 1] = "", request[WALL_NAME + 100];
    struct who who;

    memset(name, 'x', WALL_NAME);
    CU_ASSERT_FALSE(who_read(name, &who));
    name[WALL_NAME - 1] = '\0';         /* with its end it fits, and no domain's is longer */
    CU_ASSERT_TRUE(who_read(name, &who));
    CU_ASSERT_STRING_EQUAL(who.name, name);
    CU_ASSERT_FALSE(who_read("", &who));

    memset(&w, 0, sizeof w);
    list_init(&w.lanes.listeners);
    name[WALL_NAME - 1] = 'x';
    snprintf(request, sizeof request, "{\"guests\":[\"web1\",\"%s\"]}", name);
    CU_ASSERT_PTR_NOT_NULL(strstr(subscribe(request), "events: a guest must be a name, a domid or uuid:UUID"));
    CU_ASSERT_PTR_NULL(s);
    EQ(w.subscriptions, 0);
    CU_ASSERT_FALSE(feed_is_heard(&w.lanes));
}

static const struct test tests[] = {
    TEST(what_waits_keeps_its_order_however_often_its_room_has_gone_round), TEST(what_is_taken_need_not_be_a_line),
    TEST(what_finds_no_memory_is_counted), TEST(who_is_named_can_be_somebody),
};

int main(int argc, char **argv)
{
    return harness_run("what waits for a subscriber", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* fuzz_policy.c: a policy's file of any bytes.
 *
 * It is refused with a sentence that names the file, or it is good: then each line is within its bounds and is a policy by itself; the
 * decision of all is that of the first line which decides alone; and what is handed over in a pack decides as the file does.  The same
 * bytes as a pack are one, or are refused. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_pack.h"

#define FILE_NAME  "/p/f"
#define MANY_LINES 40u
#define UUID       "01234567-89ab-cdef-0123-456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(holds) do { if (!(holds)) { fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds); abort(); } } while (0)

static struct settings *groups(void)
{
    static char web_names[] = "a\0uuid:" UUID "\0", web[] = "g", none_names[] = "", none[] = "none";
    static struct settings_group list[] = { { web, web_names, 0 }, { none, none_names, 0 } };
    static struct settings s = { .groups = list, .group_count = 2 };

    return &s;
}

/* Users and groups have names of one letter. */
static int find(struct policy_ids *ids, bool group, const char *name, uint32_t *id)
{
    (void)ids;
    *id = (uint32_t)(unsigned char)*name + (group ? 1000 : 0);
    return name[1] ? -ENOENT : 0;
}

static struct policy_ids host = { find };

static struct policy *read_it(const char *text, size_t len)
{
    struct policy_file file = { FILE_NAME, text, len };
    struct policy *p = NULL;
    struct complaints why = { 0 };
    int err;

    if ((err = policy_read(&file, 1, groups(), &host, &p, &why))) {
        must(err == -EINVAL && !p);
        must(why.count && !strncmp(why.first, FILE_NAME ":", sizeof FILE_NAME));
        complaints_free(&why);
    }
    return p;
}

/* ---- questions ---- */

static const struct title titles[] = {
    { .name = "a", .uuid = "", .has_name = true }, { .name = "b", .uuid = UUID, .has_name = true, .has_uuid = true },
    { .name = "a", .uuid = UUID }, { .name = "c", .uuid = "", .has_name = true }
};
static const gid_t some[] = { 1000 + 'a', 1000 + 'b' };
static const struct policy_peer user_a = { 'a', some, 2 }, user_c = { 'c', some + 1, 1 };
static const struct policy_end ends[] = {
    { POLICY_GUEST, &titles[0], NULL }, { POLICY_GUEST, &titles[1], NULL }, { POLICY_GUEST, &titles[2], NULL },
    { POLICY_GUEST, &titles[3], NULL }, { POLICY_UNIX, NULL, NULL }, { POLICY_UNIX, NULL, &user_a }, { POLICY_UNIX, NULL, &user_c },
    { POLICY_VSOCK, NULL, NULL }
};
static const uint32_t ports[] = { 0, 22, 8050, 4294967294u };
#define QUESTIONS (8u * 8u * 4u)

static const struct policy_line *ask(const struct policy *p, unsigned question)
{
    return policy_decide(p, &ends[question % 8], &ends[question / 8 % 8], ports[question / 64]);
}

static bool is_the_same(const struct policy_line *a, const struct policy_line *b)
{
    return (!a && !b) || (a && b && a->number == b->number && a->allows == b->allows && !strcmp(a->text, b->text));
}

/* ---- judging ---- */

static void judge_line(const struct policy_line *line)
{
    size_t len = strlen(line->text);

    must(len >= 9 && line->text[0] > ' ' && line->text[len - 1] > ' ');
    must(!strcmp(line->file, FILE_NAME) && line->number > 0 && line->port_count > 0);
    for (size_t i = 0; i < line->port_count; i++)
        must(line->ports[i].first <= line->ports[i].last);
}

/* Each line alone, and which one decides first. */
static void judge_alone(const struct policy *p)
{
    const struct policy_line *first[QUESTIONS] = { NULL };

    for (size_t i = 0; i < p->count; i++) {
        struct policy *one = read_it(p->lines[i].text, strlen(p->lines[i].text));

        must(one && one->count == 1 && !strcmp(one->lines[0].text, p->lines[i].text));
        for (unsigned q = 0; q < QUESTIONS; q++)
            if (!first[q] && ask(one, q))
                first[q] = &p->lines[i];
        policy_free(one);
    }
    for (unsigned q = 0; q < QUESTIONS; q++)
        must(ask(p, q) == first[q]);
}

static void judge_packed(const struct policy *p, const char *text, size_t len)
{
    struct policy_pack pack = { 0 };
    struct policy *again = NULL;
    struct complaints why = { 0 };
    char name[2] = "";

    must(!policy_pack_file(&pack, FILE_NAME, text, len));
    for (int c = '!'; c <= '~'; c++) {
        *name = (char)c;
        must(!policy_pack_id(&pack, false, name, (uint32_t)c) && !policy_pack_id(&pack, true, name, (uint32_t)c + 1000));
    }
    must(!policy_pack_read(&pack, groups(), NULL, &again, &why));
    must(again->count == p->count && again->asks_user == p->asks_user && again->asks_groups == p->asks_groups);
    for (unsigned q = 0; q < QUESTIONS; q++)
        must(is_the_same(ask(p, q), ask(again, q)));
    policy_free(again);
    policy_pack_free(&pack);
}

static void judge_as_pack(const char *bytes, size_t len)
{
    struct policy_pack pack = { 0 };
    struct policy *p = NULL;
    struct complaints why = { 0 };
    int err;

    must(!policy_pack_bytes(&pack, bytes, len));
    err = policy_pack_read(&pack, groups(), NULL, &p, &why);
    must(err ? (err == -EPROTO || err == -EINVAL) && why.count && !p : p != NULL);
    policy_free(p);
    policy_pack_free(&pack);
    complaints_free(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy *p = read_it((const char *)data, size);

    if (p) {
        for (size_t i = 0; i < p->count; i++)
            judge_line(&p->lines[i]);
        if (p->count <= MANY_LINES)
            judge_alone(p);
        judge_packed(p, (const char *)data, size);
        policy_free(p);
    }
    judge_as_pack((const char *)data, size);
    return 0;
}

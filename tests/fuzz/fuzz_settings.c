/* SPDX-License-Identifier: MIT */
/* fuzz_settings.c: settings files of any bytes.
 *
 * They are refused with sentences that name the file, or they are good: then every value is within its bounds, every
 * name is one, and no two guests have one CID; and the questions that the daemon asks of them have answers that agree with
 * each other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings_text.h"
#include "spinner.h"
#include "vsockif.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(holds) do { if (!(holds)) { fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds); abort(); } } while (0)

static bool is_title(const char *name)
{
    char uuid[NAMES_UUID];

    return !strncmp(name, "uuid:", 5) ? names_read_uuid(name + 5, uuid) && !strcmp(name + 5, uuid) : names_is_good(name);
}

static void judge_sockets(const struct settings_sockets *s)
{
    must(!(s->mode & ~0666u));
    must(s->has_user || s->user == (uid_t)-1 || !s->user);
}

static void judge_guest(const struct settings *s, const struct settings_guest *g)
{
    must(g->is_pattern ? names_is_pattern(g->name) && !g->cid : is_title(g->name));
    must(settings_guest(s, g->name) == g);
    must(!g->cid || (g->cid >= VSOCKIF_CID_FIRST && g->cid <= VSOCKIF_CID_LAST && settings_by_cid(s, g->cid) == g));
    judge_sockets(&g->sockets);
}

static void judge_rate(const struct settings_rate *r, uint64_t least, uint64_t most)
{
    must(r->per_second == SETTINGS_NO_LIMIT ||
         (r->per_second >= least && r->per_second <= most && r->burst >= least && r->burst <= most));
}

static void judge_own(const struct settings_own *own)
{
    must(own->af_vsock != AF_VSOCK_INHERIT);
    must(own->sockets.has_mode && own->sockets.has_user && own->sockets.has_group);
    must(own->limits.max_connections && own->limits.max_files);
    judge_rate(&own->limits.connects, 1, 1000000);
    judge_rate(&own->limits.bytes, SETTINGS_BYTES_LEAST, UINT64_C(1) << 40);
}

/* Guests are named as their sections are, and as their patterns with nothing for each "*". */
static struct title title_of(const struct settings_guest *g, char name[SETTINGS_NAME])
{
    bool uuid = !strncmp(g->name, "uuid:", 5);
    size_t n = 0;

    for (const char *at = g->name; *at; at++)
        if (*at != '*')
            name[n++] = *at;
    name[n] = '\0';
    return (struct title){ .name = uuid ? "" : name, .uuid = uuid ? name + 5 : "", .has_name = !uuid && names_is_good(name), .has_uuid = uuid };
}

/* A section that names one comes first; behind a section are none that are closer. */
static void judge_section(const struct settings *s, const struct settings_guest *g)
{
    char name[SETTINGS_NAME];
    struct title title = title_of(g, name);
    struct settings_own own;
    size_t count = 0;
    bool found = false;

    for (const struct settings_guest *at = NULL, *before = NULL; (at = settings_section(s, &title, at)); before = at) {
        must(count++ <= s->guest_count);
        must(!before || (at->is_pattern && (!before->is_pattern || names_own_characters(before->name) >= names_own_characters(at->name))));
        found |= at == g;
    }
    must(found || (g->is_pattern && !title.has_name));
    must(g->is_pattern || settings_section(s, &title, NULL) == g);
    settings_own(s, &title, &own);
    judge_own(&own);
    title.has_name = title.has_uuid = false;
    settings_own(s, &title, &own);
    judge_own(&own);
    must(!own.cid);
}

static void judge_group(const struct settings *s, const struct settings_group *group)
{
    must(names_is_good(group->name));
    for (const struct settings_group *other = s->groups; other < group; other++)
        must(strcmp(other->name, group->name));
    for (const char *name = group->guests; *name; name += strlen(name) + 1)
        must(is_title(name));
}

static void judge(const struct settings *s)
{
    must(!s->run_dir || *s->run_dir == '/');
    must(!s->policy_dir || *s->policy_dir == '/');
    must(s->limits.max_connections >= 1 && s->max_ring_page_order <= VSOCKIF_MAX_RING_PAGE_ORDER);
    must(s->max_pool_pages >= 1 && s->max_pool_pages <= VSOCKIF_MAX_POOL_PAGES);
    must(s->spin_us == SPINNER_AUTO || s->spin_us <= SPINNER_MOST);
    judge_sockets(&s->sockets);
    for (size_t i = 0; i < s->guest_count; i++) {
        judge_guest(s, &s->guests[i]);
        judge_section(s, &s->guests[i]);
    }
    for (size_t i = 0; i < s->group_count; i++)
        judge_group(s, &s->groups[i]);
}

/* A byte 1 ends one file and begins the next, which is to be of any use. */
static void cut(const char *data, size_t size, struct conf_texts *texts)
{
    while (size) {
        const char *end = memchr(data, 1, size);
        size_t len = end ? (size_t)(end - data) : size;
        char path[20];

        snprintf(path, sizeof path, "/%zu.conf", texts->count);
        must(!conf_text_add(texts, path, data, len));
        data += end ? len + 1 : len;
        size -= end ? len + 1 : len;
    }
}

static void judge_line(const char *line, void *arg)
{
    must(*line == '/' || !strncmp(line, "and ", 4));
    ++*(unsigned *)arg;
}

static void judge_complaints(const struct complaints *c)
{
    unsigned told = 0;
    char sum[COMPLAINT];

    complaints_tell(c, judge_line, &told);
    must(told == c->count || told == COMPLAINTS_MOST + 1);
    complaints_sum(c, sum);
    must(!c->count || *sum == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct complaints complaints = { 0 };
    struct conf_texts texts = { 0 };
    struct settings *s;
    bool no_memory;

    cut((const char *)data, size, &texts);
    s = settings_text_read(&texts, true, &complaints, &no_memory);
    must(s && !no_memory);
    judge_complaints(&complaints);
    if (!complaints.count)
        judge(s);
    settings_free(s);
    complaints_free(&complaints);
    conf_texts_free(&texts);
    return 0;
}

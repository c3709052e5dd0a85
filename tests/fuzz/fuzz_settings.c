/* SPDX-License-Identifier: MIT */
/* fuzz_settings.c: a settings file of any bytes.
 *
 * It is refused with a sentence that names the file, or it is good: then every value is within its bounds, every
 * name is one, and no two guests have one CID; and the questions that the daemon asks of it have answers that agree with
 * each other. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "settings.h"
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
    must(is_title(g->name));
    must(settings_guest(s, g->name) == g);
    must(!g->cid || (g->cid >= VSOCKIF_CID_FIRST && g->cid <= VSOCKIF_CID_LAST && settings_by_cid(s, g->cid) == g));
    judge_sockets(&g->sockets);
}

/* Guests are named as their sections are. */
static struct title title_of(const struct settings_guest *g)
{
    bool uuid = !strncmp(g->name, "uuid:", 5);

    return (struct title){ .name = uuid ? "" : g->name, .uuid = uuid ? g->name + 5 : "", .has_name = !uuid, .has_uuid = uuid };
}

static void judge_section(const struct settings *s, const struct settings_guest *g)
{
    struct title title = title_of(g);

    must(settings_section(s, &title) == g);
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
    must(s->max_connections >= 1 && s->max_ring_page_order <= VSOCKIF_MAX_RING_PAGE_ORDER);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings *s = NULL;
    char why[SETTINGS_WHY], path[40];
    static int fd = -1;
    int err;

    if (fd < 0)
        fd = memfd_create("settings", MFD_CLOEXEC);
    must(!ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    memset(why, 'x', sizeof why);
    err = settings_load(path, &s, why);
    if (err) {
        must(err == -EINVAL && !s);
        must(memchr(why, '\0', sizeof why) && strstr(why, path));
        return 0;
    }
    must(s);
    judge(s);
    settings_free(s);
    return 0;
}

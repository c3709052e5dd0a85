/* SPDX-License-Identifier: MIT */
/* settings_text.c: see settings_text.h: lines and sections.  What a key means is keys.c's. */
#include "settings_text.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "names.h"
#include "portnames.h"
#include "values.h"

#define SECTIONS "[daemon], [any], [guest NAME], [guest uuid:UUID], [guest PATTERN*] and [group NAME]"
#define LINE_MOST 198           /* bytes, without the newline: inih has room for so many */
#define MARK      "\xef\xbb\xbf"                       /* a byte order mark: some editors begin a file with it */
#define MARK_LEN  (sizeof MARK - 1)

/* ---- sections ---- */

/* What follows the first word of a section's name; NULL if that is another one, or nothing follows. */
static const char *name_in(const char *section, const char *word)
{
    size_t len = strlen(word);
    const char *name = section + len;

    if (strncmp(section, word, len) || *name != ' ')
        return NULL;
    name += strspn(name, " ");
    return *name ? name : NULL;
}

/* A section may go on in another file, not in the same one. */
static bool enter_once(struct reader *r, uint32_t *file, const char *kind, const char *name)
{
    bool again = *file == r->file;

    *file = r->file;
    return !again || wrong(r, "section [%s%s] is there twice", kind, name);
}

static bool enter_guest(struct reader *r, const char *text)
{
    struct settings *s = r->settings;
    struct settings_guest *more;
    char name[SETTINGS_NAME];
    bool is_pattern = names_is_pattern(text);

    if (!is_pattern && !read_name(r, "section [guest NAME]", text, name))
        return false;
    if (is_pattern)
        strcpy(name, text);
    for (size_t i = 0; i < s->guest_count; i++)
        if (!strcmp(s->guests[i].name, name)) {
            r->guest = &s->guests[i];
            enter_once(r, &r->guest->file, "guest ", name);
            return true;
        }
    more = reallocarray(s->guests, s->guest_count + 1, sizeof *more);
    if (!more)
        return no_memory(r);
    s->guests = more;
    more += s->guest_count;
    *more = (struct settings_guest){ .is_pattern = is_pattern, .file = r->file };
    if (!(more->name = strdup(name)))
        return no_memory(r);
    s->guest_count++;
    r->guest = more;
    return true;
}

static bool enter_group(struct reader *r, const char *name)
{
    struct settings *s = r->settings;
    struct settings_group *more;

    if (!names_is_good(name))
        return wrong(r, "section [group NAME]: \"%.70s\" is no name of a group, which is made of " NAMES_ARE, name);
    for (size_t i = 0; i < s->group_count; i++)
        if (!strcmp(s->groups[i].name, name)) {
            r->group = &s->groups[i];
            enter_once(r, &r->group->file, "group ", name);
            return true;
        }
    more = reallocarray(s->groups, s->group_count + 1, sizeof *more);
    if (!more)
        return no_memory(r);
    s->groups = more;
    more += s->group_count;
    *more = (struct settings_group){ .name = strdup(name), .guests = strdup(""), .file = r->file };
    if (!more->name || !more->guests) {
        free(more->name);
        free(more->guests);
        return no_memory(r);
    }
    s->group_count++;
    r->group = more;
    return true;
}

/* False: it is none. */
static bool enter_section(struct reader *r, const char *section)
{
    const char *name;

    snprintf(r->section, sizeof r->section, "%s", section);
    r->seen = 0;
    r->guest = NULL;
    r->group = NULL;
    r->in_any = !strcmp(section, "any");
    if (r->in_any || !strcmp(section, "daemon")) {
        enter_once(r, r->in_any ? &r->any_file : &r->daemon_file, "", section);
        return true;
    }
    if ((name = name_in(section, "guest")))
        return enter_guest(r, name);
    if ((name = name_in(section, "group")))
        return enter_group(r, name);
    return wrong(r, "section [%.60s]: there are only " SECTIONS, section);
}

/* ---- lines ---- */

static int on_pair(void *user, const char *section, const char *name, const char *value)
{
    struct reader *r = user;

    (void)section;              /* of one line there is none: read_line() has seen it */
    if (r->in_none)
        return 1;
    if (!*r->section)
        wrong(r, "%.40s is in no section: there are " SECTIONS, name);
    else
        keys_read(r, name, value);
    return 1;                   /* what is wrong is told */
}

/* inih reads it, but for sections, of which it keeps 49 bytes. */
static void read_line(struct reader *r, char *line)
{
    char *begin = line + strspn(line, " \t"), *end = strchr(begin, ']');

    if (*begin == '[' && end) {
        *end = '\0';
        r->in_none = !enter_section(r, trim(begin + 1));
    } else if (ini_parse_string(line, on_pair, r)) {
        wrong(r, "neither a section, nor key = value, nor a comment (# or ;)");
    }
}

static void read_text(struct reader *r, const struct conf_text *t)
{
    const char *at = t->text, *end = at + t->len, *newline;
    char line[LINE_MOST + 1];

    r->path = t->path;
    *r->section = '\0';
    r->in_none = false;
    if (t->len >= MARK_LEN && !memcmp(at, MARK, MARK_LEN))
        at += MARK_LEN;
    for (r->line = 1; at < end; at = newline + 1, r->line++) {
        size_t len;

        if (!(newline = memchr(at, '\n', (size_t)(end - at))))
            newline = end;
        len = (size_t)(newline - at);
        if (len && at[len - 1] == '\r')
            len--;
        if (len > LINE_MOST) {
            wrong(r, "the line is longer than %d bytes", LINE_MOST);
            continue;
        }
        memcpy(line, at, len);
        line[len] = '\0';
        if (strlen(line) != len)
            wrong(r, "there is a byte 0 in the line: is this a text?");
        else if (!strncmp(line, MARK, MARK_LEN))        /* which inih would pass over, and a section with it */
            wrong(r, "there is a byte order mark, as of a second file: remove it");
        else
            read_line(r, line);
    }
}

static void hear_of_ports(void *arg, unsigned line, const char *what)
{
    struct reader *r = arg;

    wrong_at(r, r->path, line, "%s", what);
}

/* They are read before what may use them. */
static void read_names_of_ports(struct reader *r, const struct conf_text *t)
{
    struct settings *s = r->settings;

    r->path = t->path;
    r->line = 0;
    if (s->ports || !(s->ports = calloc(1, sizeof *s->ports)) || portnames_read(s->ports, t->text, t->len, hear_of_ports, r) == -ENOMEM)
        no_memory(r);
}

/* ---- all of them ---- */

static void judge_cids(struct reader *r, const struct conf_texts *texts)
{
    const struct settings *s = r->settings;

    for (size_t i = 0; i < s->guest_count; i++)
        for (size_t j = 0; s->guests[i].cid && j < s->guest_count; j++) {
            const struct settings_guest *g = &s->guests[i], *other = &s->guests[j];

            /* The later one is told of. */
            if (i != j && other->cid == g->cid && (other->cid_file < g->cid_file ||
                (other->cid_file == g->cid_file && other->cid_line < g->cid_line)))
                wrong_at(r, texts->files[g->cid_file - 1].path, g->cid_line, "cid = %llu: guest %s has this CID already",
                         (unsigned long long)g->cid, other->name);
        }
}

/* Whoever names one guest, in the order in which they were read, and then the patterns. */
static bool is_before(const struct settings_guest *a, const struct settings_guest *b)
{
    if (!a->is_pattern || !b->is_pattern)
        return b->is_pattern && !a->is_pattern;
    return names_own_characters(a->name) > names_own_characters(b->name);
}

static void sort(struct settings *s)
{
    for (size_t i = 1; i < s->guest_count; i++) {
        struct settings_guest g = s->guests[i];
        size_t j = i;

        for (; j && is_before(&g, &s->guests[j - 1]); j--)
            s->guests[j] = s->guests[j - 1];
        s->guests[j] = g;
    }
}

struct settings *settings_text_read(const struct conf_texts *texts, bool names, struct complaints *c, bool *no_memory_left)
{
    struct reader r = { .settings = settings_default(), .no_names = !names, .complaints = c, .path = "", .no_memory = false };

    if (!r.settings) {
        complain(c, "out of memory");
        *no_memory_left = true;
        return NULL;
    }
    for (size_t i = 0; i < texts->count; i++) {
        r.file = (uint32_t)i + 1;
        if (texts->files[i].is_ports)
            read_names_of_ports(&r, &texts->files[i]);
        else
            read_text(&r, &texts->files[i]);
    }
    judge_cids(&r, texts);
    sort(r.settings);
    *no_memory_left = r.no_memory;
    return r.settings;
}

/* SPDX-License-Identifier: MIT */
/* policy_text.c: see policy_text.h.
 *
 * The policy's bytes are the texts twice over, and the names of files and groups.  One copy is cut into words, which stay where they
 * are; in the other one the lines are as they were written, to be shown. */
#include "policy_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "portnames.h"

#define BLANKS " \t\r"
#define WORDS  4
#define LAST_PORT 4294967294u

static const char sources[] = "NAME, uuid:UUID, @any, @group:NAME, @host, @unix, @unix/user:NAME, @unix/group:NAME or @vsock";
static const char destinations[] = "NAME, uuid:UUID, @any, @group:NAME, @host, @unix or @vsock";

struct reading {
    struct policy *p;
    const struct settings *settings;
    struct policy_ids *ids;
    const char *file;
    uint32_t number;
    char **lists;               /* the policy's own of each group of the settings */
    size_t port_count;          /* so far */
    struct complaints *complaints;
};

__attribute__((format(printf, 2, 3)))
static bool wrong(struct reading *r, const char *format, ...)
{
    char text[360];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return complain(r->complaints, "%.140s:%u: %s", r->file, r->number, text);
}

/* ---- ports ---- */

static bool read_port(const char **at, uint32_t *port)
{
    uint64_t value = 0;
    const char *begin = *at;

    for (; **at >= '0' && **at <= '9'; ++*at)
        if ((value = value * 10 + (uint64_t)(**at - '0')) > LAST_PORT)
            return false;
    *port = (uint32_t)value;
    return *at > begin;
}

/* A name instead of a number; false if there is none, or it is nobody's. */
static bool read_name_of_port(struct reading *r, const char **at, uint32_t *port)
{
    size_t len = strcspn(*at, ",");
    char name[PORTNAMES_NAME];

    if (len >= sizeof name)
        return false;
    memcpy(name, *at, len);
    name[len] = '\0';
    if (!portnames_find(r->settings->ports, name, port))
        return false;
    *at += len;
    return true;
}

static bool read_ports(struct reading *r, struct policy_line *line, const char *word)
{
    struct policy_ports *ports = r->p->ports + r->port_count;
    const char *at = word;

    line->ports = ports;
    if (!strcmp(word, "*")) {
        *ports = (struct policy_ports){ 0, UINT32_MAX };
        line->port_count = 1;
        r->port_count++;
        return true;
    }
    do {
        bool named = read_name_of_port(r, &at, &ports->first);

        if (!named && !read_port(&at, &ports->first))
            break;
        ports->last = ports->first;
        if (!named && *at == '-') {
            at++;
            if (!read_port(&at, &ports->last))
                break;
            if (ports->last < ports->first)
                return wrong(r, "ports %.60s: %u-%u goes from more to less; it is %u-%u", word, ports->first, ports->last,
                             ports->last, ports->first);
        }
        ports++;
        line->port_count++;
        if (!*at) {
            r->port_count += line->port_count;
            return true;
        }
    } while (*at++ == ',');
    return wrong(r, "ports %.60s: they are *, or numbers from 0 to %u, ranges of them, and names that are in the file ports beside xvsd.conf, "
                 "with commas and no blanks in between: ssh,8000-8099", word, LAST_PORT);
}

/* ---- sources and destinations ---- */

static bool read_id(struct reading *r, struct policy_who *who, bool group, const char *name)
{
    const char *kind = group ? "group" : "user";
    int err;

    if (!*name)
        return wrong(r, "@unix/%s: its name is missing: @unix/%s:NAME", kind, kind);
    if ((err = r->ids->find(r->ids, group, name, &who->id)) == -ENOENT)
        return wrong(r, "@unix/%s:%.60s: there is no such %s on this host", kind, name, kind);
    if (err)
        return wrong(r, "@unix/%s:%.60s: it cannot be looked up: %s", kind, name, strerror(-err));
    who->means = group ? POLICY_USERS : POLICY_USER;
    r->p->asks_user |= !group;
    r->p->asks_groups |= group;
    return true;
}

static bool read_list(struct reading *r, struct policy_who *who, const char *name)
{
    const struct settings *s = r->settings;

    for (size_t i = 0; i < s->group_count; i++)
        if (!strcmp(s->groups[i].name, name)) {
            who->means = POLICY_LISTED;
            who->names = r->lists[i];
            return true;
        }
    return wrong(r, "@group:%.64s: there is no section [group %.64s] in xvsd.conf, with guests = NAME, ... in it", name, name);
}

/* "NAME" or "uuid:UUID", which is brought to lower case where it is. */
static bool read_name(struct reading *r, struct policy_who *who, char *word, const char *right)
{
    bool good;

    if (!strncmp(word, "uuid:", 5)) {
        char uuid[NAMES_UUID];

        if (!names_read_uuid(word + 5, uuid))
            return wrong(r, "%.60s is no UUID: uuid:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, in hexadecimal digits", word);
        memcpy(word + 5, uuid, sizeof uuid);
        good = true;
    } else {
        good = names_is_good(word);
    }
    who->means = POLICY_NAMED;
    who->names = word;
    return good || wrong(r, "%.64s: it must be %s", word, right);
}

static bool read_who(struct reading *r, struct policy_who *who, char *word, bool source)
{
    static const struct { const char *word; enum policy_means means; } words[] = {
        { "@any", POLICY_ANY }, { "@host", POLICY_HOST }, { "@unix", POLICY_SOCKETS }, { "@vsock", POLICY_KERNEL }
    };
    const char *right = source ? sources : destinations;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(word, words[i].word)) {
            who->means = words[i].means;
            return true;
        }
    if (!strncmp(word, "@group:", 7))
        return read_list(r, who, word + 7);
    if (!strncmp(word, "@unix/user:", 11) || !strncmp(word, "@unix/group:", 12)) {
        if (!source)
            return wrong(r, "%.64s: whom a program belongs to is asked of a source alone; as a destination it is @unix", word);
        return read_id(r, who, word[6] == 'g', strchr(word, ':') + 1);
    }
    if (*word == '@')
        return wrong(r, "%.64s: a %s is %s", word, source ? "source" : "destination", right);
    return read_name(r, who, word, right);
}

/* ---- lines ---- */

static bool is_host(const struct policy_who *who)
{
    return !(who->kinds & 1 << POLICY_GUEST);
}

static bool read_words(struct reading *r, struct policy_line *line, char *const *word, size_t count)
{
    size_t len = count ? strlen(word[0]) : 0;

    if (count > WORDS && len && word[0][len - 1] == ',')
        return wrong(r, "ports %.60s %.60s: there is no blank between them: %.60s%.60s", word[0], word[1], word[0], word[1]);
    if (count != WORDS)
        return wrong(r, "a line is PORTS SOURCE DESTINATION ACTION, such as \"22 web1 db1 allow\"; this one has %s",
                     count > WORDS ? "more words than four" : "fewer words than four");
    if (strcmp(word[3], "allow") && strcmp(word[3], "deny"))
        return wrong(r, "%.60s: an action is allow or deny", word[3]);
    line->allows = *word[3] == 'a';
    if (!read_ports(r, line, word[0]) || !read_who(r, &line->from, word[1], true) || !read_who(r, &line->to, word[2], false))
        return false;
    policy_means(&line->from);
    policy_means(&line->to);
    return !is_host(&line->from) || !is_host(&line->to) ||
           wrong(r, "%.60s %.60s: one of the two is a guest; programs of the host reach one another without us", word[1], word[2]);
}

/* Cuts text, which ends with a NUL, into words, at most one more than a line has; in copy they end where the last one does.  'first':
 * where in text the line begins, apart from blanks. */
static size_t cut(char *text, char **word, char **end)
{
    size_t count = 0;
    char *at = text + strspn(text, BLANKS);

    *end = at;
    while (*at && *at != '#') {
        size_t len = strcspn(at, BLANKS);
        bool last = !at[len];

        if (count <= WORDS)
            word[count++] = at;
        *end = at + len;
        at[len] = '\0';
        at += last ? len : len + 1;
        at += strspn(at, BLANKS);
    }
    return count;
}

/* What is no comment is printable, so that it can be shown, and nothing in it is other than it looks. */
static bool is_readable(struct reading *r, const char *text, size_t len)
{
    const char *at = text;

    if (strlen(text) != len)
        return wrong(r, "there is a byte 0 in the line: is this a text?");
    for (at += strspn(at, BLANKS); *at && !(*at == '#' && (at == text || strchr(BLANKS, at[-1]))); at++)
        if ((*at < ' ' || *at > '~') && !strchr(BLANKS, *at))
            return wrong(r, "byte 0x%02x: a line is made of printable ASCII characters, apart from comments", (unsigned char)*at);
    return true;
}

/* 'text' and 'shown' are the two copies of it, each ended by a NUL. */
static bool read_line(struct reading *r, char *text, char *shown, size_t len)
{
    struct policy_line *line = &r->p->lines[r->p->count];
    char *word[WORDS + 1], *end;
    size_t count;

    if (!is_readable(r, text, len))
        return false;
    if (!(count = cut(text, word, &end)))
        return true;
    shown[end - text] = '\0';
    line->file = r->file;
    line->number = r->number;
    line->text = shown + (word[0] - text);
    if (!read_words(r, line, word, count)) {
        *line = (struct policy_line){ 0 };      /* the next one's place */
        return false;
    }
    r->p->count++;
    return true;
}

/* All lines, whatever is wrong with some. */
static bool read_file(struct reading *r, char *text, char *shown, size_t len)
{
    size_t at = len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
    bool good = true;

    for (r->number = 1; at < len; r->number++) {
        char *newline = memchr(text + at, '\n', len - at);
        size_t end = newline ? (size_t)(newline - text) : len;

        text[end] = shown[end] = '\0';
        good &= read_line(r, text + at, shown + at, end - at);
        at = end + 1;
    }
    return good;
}

/* ---- memory ---- */

static size_t list_size(const char *names)
{
    const char *at = names;

    while (*at)
        at += strlen(at) + 1;
    return (size_t)(at - names) + 1;
}

static size_t count_of(const struct policy_file *f, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < f->len; i++)
        n += f->text[i] == c;
    return n;
}

/* Room for all that there can be: lines end with newlines, and between two ports is a comma. */
static int make_room(struct reading *r, const struct policy_file *files, size_t count)
{
    size_t bytes = 1, lines = 1, commas = 0;

    for (size_t i = 0; i < count; i++) {
        bytes += strlen(files[i].path) + 1 + 2 * (files[i].len + 1);
        lines += count_of(&files[i], '\n') + 1;
        commas += count_of(&files[i], ',');
    }
    for (size_t i = 0; i < r->settings->group_count; i++)
        bytes += list_size(r->settings->groups[i].guests);
    if (!(r->p = calloc(1, sizeof *r->p)) || !(r->p->lines = calloc(lines, sizeof *r->p->lines)) ||
        !(r->p->ports = calloc(lines + commas, sizeof *r->p->ports)) || !(r->p->bytes = malloc(bytes)) ||
        !(r->lists = calloc(r->settings->group_count + 1, sizeof *r->lists)))
        return -ENOMEM;
    return 0;
}

static char *copy(char **room, const void *bytes, size_t len)
{
    char *to = *room;

    memcpy(to, bytes, len);
    *room += len;
    return to;
}

static char *copy_text(char **room, const struct policy_file *f)
{
    char *text = copy(room, f->text, f->len);

    *(*room)++ = '\0';
    return text;
}

static bool read_all(struct reading *r, const struct policy_file *files, size_t count)
{
    char *room = r->p->bytes;
    bool good = true;

    for (size_t i = 0; i < r->settings->group_count; i++) {
        const char *guests = r->settings->groups[i].guests;

        r->lists[i] = copy(&room, guests, list_size(guests));
    }
    for (size_t i = 0; i < count; i++) {
        char *text, *shown;

        r->file = copy(&room, files[i].path, strlen(files[i].path) + 1);
        text = copy_text(&room, &files[i]);
        shown = copy_text(&room, &files[i]);
        good &= read_file(r, text, shown, files[i].len);
    }
    return good;
}

/* A word for the host means up to two kinds of ends; a line has one of these at most. */
#define SORTED_MOST 2

static bool decides_always(const struct policy_line *line)
{
    return line->from.all && line->to.all && line->ports->first == 0 && line->ports->last >= LAST_PORT;
}

/* Those of one kind to another, from 'at' on; where the next go. */
static const struct policy_line **sort_of(struct policy *p, unsigned from, unsigned to, const struct policy_line **at)
{
    const struct policy_line **begin = at;

    for (size_t i = 0; i < p->count; i++)
        if (p->lines[i].from.kinds >> from & p->lines[i].to.kinds >> to & 1)
            *at++ = &p->lines[i];
    p->from_to[from][to].lines = begin;
    p->from_to[from][to].count = (size_t)(at - begin);
    p->from_to[from][to].always = at > begin && decides_always(*begin) ? *begin : NULL;
    return at;
}

static int sort_lines(struct policy *p)
{
    const struct policy_line **at = calloc(SORTED_MOST * p->count + 1, sizeof *at);

    if (!(p->sorted = at))
        return -ENOMEM;
    for (unsigned from = 0; from < POLICY_KINDS; from++)
        for (unsigned to = 0; to < POLICY_KINDS; to++)
            at = sort_of(p, from, to, at);
    return 0;
}

int policy_read(const struct policy_file *files, size_t count, const struct settings *settings, struct policy_ids *ids,
                struct policy **out, struct complaints *c)
{
    struct reading r = { .settings = settings, .ids = ids, .complaints = c };
    int err = make_room(&r, files, count);

    if (!err && !read_all(&r, files, count))
        err = -EINVAL;
    else if (!err)
        err = sort_lines(r.p);
    if (err == -ENOMEM)
        complain(c, "out of memory");
    free(r.lists);
    if (err)
        policy_free(r.p);
    else
        *out = r.p;
    return err;
}

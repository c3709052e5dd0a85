/* SPDX-License-Identifier: MIT */
/* settings_text.c: see settings_text.h.  One table says which keys there are, where they may stand and who reads them. */
#include "settings_text.h"

#include <errno.h>
#include <grp.h>
#include <ini.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "names.h"
#include "portnames.h"
#include "spinner.h"
#include "vsockif.h"

#define SECTIONS "[daemon], [any], [guest NAME], [guest uuid:UUID], [guest PATTERN*] and [group NAME]"
#define LINE_MOST 198           /* bytes, without the newline: inih has room for so many */

struct reader {
    const char *path;
    uint32_t file, line;                /* the one that was read last, from 1 */
    struct complaints *complaints;
    struct settings *settings;
    struct settings_guest *guest;       /* of the section being read; NULL elsewhere */
    struct settings_group *group;       /* …likewise */
    bool in_any;                        /* the section is [any] */
    bool in_none;                       /* …is none that there is: what is in it cannot be judged */
    char section[160];                  /* "" before the first */
    bool no_names;                      /* users and groups are not looked up */
    uint32_t daemon_file, any_file;     /* where its section began last */
    uint64_t seen;                      /* keys of this section, by their place in the table */
    bool no_memory;
};

#define wrong(r, ...) wrong_at(r, (r)->path, (r)->line, __VA_ARGS__)

__attribute__((format(printf, 4, 5)))
static bool wrong_at(struct reader *r, const char *path, uint32_t line, const char *format, ...)
{
    char what[360];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return complain(r->complaints, "%.140s:%u: %s", path, line, what);
}

static bool no_memory(struct reader *r)
{
    r->no_memory = true;
    return wrong(r, "out of memory");
}

/* ---- values ---- */

/* What is left of text without blanks at its ends. */
static char *trim(char *text)
{
    size_t len;

    text += strspn(text, " \t");
    len = strlen(text);
    while (len && strchr(" \t", text[len - 1]))
        text[--len] = '\0';
    return text;
}

static bool read_number(struct reader *r, const char *key, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    uint64_t value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value < min || value > max)
        return wrong(r, "%s = %.40s: it must be a number from %llu to %llu", key, text, (unsigned long long)min,
                     (unsigned long long)max);
    *out = value;
    return true;
}

static bool read_u32(struct reader *r, const char *key, const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t value;

    if (!read_number(r, key, text, min, max, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool read_bool(struct reader *r, const char *key, const char *text, bool *out)
{
    if (strcmp(text, "yes") && strcmp(text, "no"))
        return wrong(r, "%s = %.40s: it must be yes or no", key, text);
    *out = *text == 'y';
    return true;
}

static bool read_path(struct reader *r, const char *key, const char *text, const char *such_as, char **out)
{
    if (*text != '/')
        return wrong(r, "%s = %.80s: it must be an absolute path, such as %s", key, text, such_as);
    free(*out);
    *out = strdup(text);
    return *out || no_memory(r);
}

static bool read_run_dir(struct reader *r, const char *key, const char *text)
{
    return read_path(r, key, text, SETTINGS_RUN, &r->settings->run_dir);
}

static bool read_policy_dir(struct reader *r, const char *key, const char *text)
{
    return read_path(r, key, text, SETTINGS_POLICY, &r->settings->policy_dir);
}

static bool read_policy_cuts(struct reader *r, const char *key, const char *text)
{
    return read_bool(r, key, text, &r->settings->policy_cuts);
}

static bool read_attach(struct reader *r, const char *key, const char *text)
{
    if (strcmp(text, "auto") && strcmp(text, "manual"))
        return wrong(r, "%s = %.40s: it must be auto or manual", key, text);
    r->settings->attach_auto = *text == 'a';
    return true;
}

static bool read_log_level(struct reader *r, const char *key, const char *text)
{
    static const struct { const char *name; int level; } levels[] = {
        { "error", JOURNAL_ERROR }, { "warning", JOURNAL_WARNING }, { "notice", JOURNAL_NOTICE },
        { "info", JOURNAL_INFO }, { "debug", JOURNAL_DEBUG }
    };

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (!strcmp(text, levels[i].name)) {
            r->settings->log_level = levels[i].level;
            return true;
        }
    return wrong(r, "%s = %.40s: it must be error, warning, notice, info or debug", key, text);
}

static struct settings_sockets *sockets(struct reader *r)
{
    return r->in_any ? &r->settings->any : r->guest ? &r->guest->sockets : &r->settings->sockets;
}

static bool read_mode(struct reader *r, const char *key, const char *text)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);

    if (*text < '0' || *text > '7' || *end || mode & ~0666ul)
        return wrong(r, "%s = %.40s: it must be an octal mode such as 0660, without execute bits", key, text);
    sockets(r)->mode = (mode_t)mode;
    return sockets(r)->has_mode = true;
}

static bool read_user(struct reader *r, const char *key, const char *text)
{
    const struct passwd *pw;

    if (r->no_names)
        return true;
    if (!(pw = getpwnam(text)))
        return wrong(r, "%s = %.40s: there is no such user", key, text);
    sockets(r)->user = pw->pw_uid;
    return sockets(r)->has_user = true;
}

static bool read_group(struct reader *r, const char *key, const char *text)
{
    const struct group *gr;

    if (r->no_names)
        return true;
    if (!(gr = getgrnam(text)))
        return wrong(r, "%s = %.40s: there is no such group", key, text);
    sockets(r)->group = gr->gr_gid;
    return sockets(r)->has_group = true;
}

static bool read_status_group(struct reader *r, const char *key, const char *text)
{
    const struct group *gr;

    if (r->no_names)
        return true;
    if (!(gr = getgrnam(text)))
        return wrong(r, "%s = %.40s: there is no such group", key, text);
    r->settings->status_group = gr->gr_gid;
    return true;
}

static bool read_cid(struct reader *r, const char *key, const char *text)
{
    if (r->guest->is_pattern)
        return wrong(r, "%s: it is one guest's, and [guest %s] are several", key, r->guest->name);
    r->guest->cid_file = r->file;
    r->guest->cid_line = r->line;
    return read_number(r, key, text, VSOCKIF_CID_FIRST, 999, &r->guest->cid);
}

/* The name of a guest or "uuid:" and its UUID, as settings_guest() finds it, into out (SETTINGS_NAME bytes). */
static bool read_name(struct reader *r, const char *what, const char *text, char *out)
{
    if (!strncmp(text, "uuid:", 5)) {
        memcpy(out, text, 5);
        return names_read_uuid(text + 5, out + 5) ||
               wrong(r, "%s: \"%.60s\" is no UUID: uuid:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, in hexadecimal digits", what,
                     text);
    }
    if (!names_is_good(text))
        return wrong(r, "%s: \"%.70s\" is no name of a guest, which is made of " NAMES_ARE
                     "; a domain that is called otherwise goes by uuid:UUID", what, text);
    strcpy(out, text);
    return true;
}

/* One name of a list.  What is easily written instead has an answer of its own. */
static bool read_item(struct reader *r, const char *key, const char *name, char *out)
{
    size_t word = strcspn(name, " \t");

    if (!*name)
        return wrong(r, "%s: a name is missing: it must be names of guests with commas between them", key);
    if (name[word])
        return wrong(r, "%s: \"%.70s\" is not one name: there must be a comma between two, as in \"%.*s, %.30s\"", key, name,
                     word < 30 ? (int)word : 30, name, name + word + strspn(name + word, " \t"));
    return read_name(r, key, name, out);
}

/* A list of names with commas between them, kept as a chain of strings with an empty one at the end.  It may go on in another line, as
 * lines are short. */
static bool read_guests(struct reader *r, const char *key, const char *text)
{
    char *copy = strdup(text), *rest = copy, *item, *out = r->group->guests, *more;
    size_t len;
    bool good = true;

    while (*out)
        out += strlen(out) + 1;
    len = (size_t)(out - r->group->guests);
    if (!copy || !(more = realloc(r->group->guests, len + strlen(text) + 2))) {
        free(copy);
        return no_memory(r);
    }
    r->group->guests = more;
    out = memset(more + len, 0, strlen(text) + 2);
    while (good && (item = strsep(&rest, ",")))
        if ((good = read_item(r, key, trim(item), out)))
            out += strlen(out) + 1;
    free(copy);
    return good;
}

/* What there was before there were policies.  The answer is what to write in its place. */
static bool read_guest_to_guest(struct reader *r, const char *key, const char *text)
{
    const char *guest = r->guest ? r->guest->name : "@any", *end = text + strcspn(text, ", \t"), *more = *end ? ", and so for each" : "";
    char lines[300];

    if (!strcmp(text, "no") && !r->guest)
        return wrong(r, "%s is no setting any more: leave it out, guests reach one another only where a policy says so; see "
                     "xvs-policy(5)", key);
    if (!strcmp(text, "no"))
        snprintf(lines, sizeof lines, "\"* %.60s @any deny\" and \"* @any %.60s deny\"", guest, guest);
    else if (!strcmp(text, "yes") && !r->guest)
        snprintf(lines, sizeof lines, "\"* @any @any allow\"");
    else if (!strcmp(text, "yes"))
        snprintf(lines, sizeof lines, "\"* %.60s @any allow\" and \"* @any %.60s allow\"", guest, guest);
    else
        snprintf(lines, sizeof lines, "\"* %.60s %.*s allow\"%s", guest, end - text < 60 ? (int)(end - text) : 60, text, more);
    return wrong(r, "%s is no setting any more: leave it out, and write %s into a policy, such as " SETTINGS_POLICY
                 "/50-guests.policy; see xvs-policy(5)", key, lines);
}

static bool read_af_vsock(struct reader *r, const char *key, const char *text)
{
    static const char *const names[] = { [AF_VSOCK_NO] = "no", [AF_VSOCK_AUTO] = "auto", [AF_VSOCK_YES] = "yes" };
    enum settings_af_vsock *out = r->guest ? &r->guest->af_vsock : &r->settings->af_vsock;

    for (enum settings_af_vsock i = AF_VSOCK_NO; i <= AF_VSOCK_YES; i++)
        if (!strcmp(text, names[i])) {
            *out = i;
            return true;
        }
    return wrong(r, "%s = %.40s: it must be no, auto or yes", key, text);
}

static bool read_services(struct reader *r, const char *key, const char *text)
{
    return read_bool(r, key, text, &r->settings->services);
}

static struct settings_limits *limits(struct reader *r)
{
    return r->guest ? &r->guest->limits : &r->settings->limits;
}

static bool read_max_connections(struct reader *r, const char *key, const char *text)
{
    return read_u32(r, key, text, 1, 65536, &limits(r)->max_connections);
}

static bool read_max_files(struct reader *r, const char *key, const char *text)
{
    limits(r)->max_files = UINT32_MAX;
    return !strcmp(text, "no") || read_u32(r, key, text, 1, 1u << 20, &limits(r)->max_files);
}

/* A number, perhaps with K, M or G behind it.  False if it is none, or out of bounds. */
static bool read_amount(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    static const char units[] = "KMG";
    const char *unit;
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || errno)
        return false;
    if (*end && (unit = strchr(units, *end)) && !end[1]) {
        unsigned shift = 10 * (unsigned)(unit - units + 1);

        if (*out > max >> shift)
            return false;
        *out <<= shift;
        end++;
    }
    return !*end && *out >= min && *out <= max;
}

/* "no", "N" or "N, burst M".  Without a burst it is what a second has. */
static bool read_rate(struct reader *r, const char *key, const char *text, uint64_t min, uint64_t max, struct settings_rate *out)
{
    static const char word[] = "burst";
    struct settings_rate rate = { SETTINGS_NO_LIMIT, SETTINGS_NO_LIMIT };
    char copy[80];
    char *comma;
    bool good;

    if (!strcmp(text, "no")) {
        *out = rate;
        return true;
    }
    if ((good = (size_t)snprintf(copy, sizeof copy, "%s", text) < sizeof copy) && (comma = strchr(copy, ','))) {
        char *burst = trim(comma + 1);

        *comma = '\0';
        good = !strncmp(burst, word, sizeof word - 1) && strchr(" \t", burst[sizeof word - 1]) &&
               read_amount(trim(burst + sizeof word - 1), min, max, &rate.burst);
    }
    if (!good || !read_amount(trim(copy), min, max, &rate.per_second))
        return wrong(r, "%s = %.60s: it must be no, or a number from %llu to %llu, perhaps with K, M or G behind it, and with \", burst N\" "
                     "and another such number behind that", key, text, (unsigned long long)min, (unsigned long long)max);
    if (rate.burst == SETTINGS_NO_LIMIT)
        rate.burst = rate.per_second;
    *out = rate;
    return true;
}

static bool read_connect_rate(struct reader *r, const char *key, const char *text)
{
    return read_rate(r, key, text, 1, 1000000, &limits(r)->connects);
}

static bool read_byte_rate(struct reader *r, const char *key, const char *text)
{
    return read_rate(r, key, text, SETTINGS_BYTES_LEAST, UINT64_C(1) << 40, &limits(r)->bytes);
}

static bool read_ring_order(struct reader *r, const char *key, const char *text)
{
    return read_u32(r, key, text, 0, VSOCKIF_MAX_RING_PAGE_ORDER, &r->settings->max_ring_page_order);
}

static bool read_pool_pages(struct reader *r, const char *key, const char *text)
{
    return read_u32(r, key, text, 1, VSOCKIF_MAX_POOL_PAGES, &r->settings->max_pool_pages);
}

static bool read_spin(struct reader *r, const char *key, const char *text)
{
    if (strcmp(text, "auto") == 0) {
        r->settings->spin_us = SPINNER_AUTO;
        return true;
    }
    if (*text < '0' || *text > '9')
        return wrong(r, "%s = %.40s: it must be auto or a number from 0 to %u", key, text, SPINNER_MOST);
    return read_u32(r, key, text, 0, SPINNER_MOST, &r->settings->spin_us);
}

static bool read_spill(struct reader *r, const char *key, const char *text)
{
    return read_number(r, key, text, SETTINGS_HELD, UINT64_C(1) << 32, &r->settings->held_spill_bytes);
}

static bool read_farewell(struct reader *r, const char *key, const char *text)
{
    return read_u32(r, key, text, 1, 86400, &r->settings->farewell_seconds);
}

/* The channel of that name in this section, or a new one; NULL, which is told. */
static struct settings_channel *channel_named(struct reader *r, const char *key, const char *name)
{
    struct settings_guest *g = r->guest;
    struct settings_channel *more;

    for (size_t i = 0; i < g->channel_count; i++) {
        if (strcmp(g->channels[i].name, name))
            continue;
        if (g->channels[i].file != r->file)
            return &g->channels[i];
        wrong(r, "%s is given twice in [%s]", key, r->section);
        return NULL;
    }
    if (g->channel_count == SETTINGS_CHANNELS) {
        wrong(r, "%s: a section has at most %u channels", key, SETTINGS_CHANNELS);
        return NULL;
    }
    if (!(more = reallocarray(g->channels, g->channel_count + 1, sizeof *more))) {
        no_memory(r);
        return NULL;
    }
    g->channels = more;
    more += g->channel_count++;
    *more = (struct settings_channel){ .port = SETTINGS_NO_CHANNEL };
    strcpy(more->name, name);
    return more;
}

/* key: "channel NAME". */
static bool read_channel(struct reader *r, const char *key, const char *text)
{
    const char *name = key + strcspn(key, " \t");
    uint32_t port = SETTINGS_NO_CHANNEL;
    struct settings_channel *c;

    name += strspn(name, " \t");
    if (!names_is_good(name))
        return wrong(r, "channel NAME: \"%.70s\" is no name of a channel, which is made of " NAMES_ARE, name);
    if (strcmp(text, "no") && !portnames_find(r->settings->ports, text, &port)) {
        if (portnames_is_name(text))
            return wrong(r, "%s = %.40s: no port is called so in the file ports beside xvsd.conf; it must be such a name, or a number from 0 to %u",
                         key, text, PORTNAMES_LAST);
        if (!read_u32(r, key, text, 0, PORTNAMES_LAST, &port))
            return false;
    }
    if (!(c = channel_named(r, key, name)))
        return false;
    c->port = port;
    c->file = r->file;
    return true;
}

/* ---- keys and sections ---- */

enum { IN_DAEMON = 1, IN_GUEST = 2, IN_GROUP = 4, IN_ANY = 8, IN_THE_PAST = 16, SEVERAL_TIMES = 32 };

static const struct key {
    const char *name;
    unsigned in;                /* a set: the sections where it may stand, and how */
    bool (*read)(struct reader *r, const char *key, const char *text);
} keys[] = {
    { "run_dir",             IN_DAEMON, read_run_dir },
    { "policy_dir",          IN_DAEMON, read_policy_dir },
    { "policy_cuts",         IN_DAEMON, read_policy_cuts },
    { "attach",              IN_DAEMON, read_attach },
    { "log_level",           IN_DAEMON, read_log_level },
    { "max_connections",     IN_DAEMON | IN_GUEST, read_max_connections },
    { "max_files",           IN_DAEMON | IN_GUEST, read_max_files },
    { "connect_rate",        IN_DAEMON | IN_GUEST, read_connect_rate },
    { "byte_rate",           IN_DAEMON | IN_GUEST, read_byte_rate },
    { "max_ring_page_order", IN_DAEMON, read_ring_order },
    { "max_pool_pages",      IN_DAEMON, read_pool_pages },
    { "held_spill_bytes",    IN_DAEMON, read_spill },
    { "farewell_seconds",    IN_DAEMON, read_farewell },
    { "guest_to_guest",      IN_DAEMON | IN_GUEST | IN_THE_PAST, read_guest_to_guest },
    { "spin_us",             IN_DAEMON, read_spin },
    { "services",            IN_DAEMON, read_services },
    { "af_vsock",            IN_DAEMON | IN_GUEST, read_af_vsock },
    { "socket_mode",         IN_DAEMON | IN_GUEST | IN_ANY, read_mode },
    { "socket_user",         IN_DAEMON | IN_GUEST | IN_ANY, read_user },
    { "socket_group",        IN_DAEMON | IN_GUEST | IN_ANY, read_group },
    { "status_group",        IN_DAEMON, read_status_group },
    { "cid",                 IN_GUEST, read_cid },
    { "channel NAME",        IN_GUEST | SEVERAL_TIMES, read_channel },
    { "guests",              IN_GROUP | SEVERAL_TIMES, read_guests },
};

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

/* One with a name of its own behind the word is "WORD NAME" in the table. */
static bool is_key(const char *name, const char *key)
{
    size_t word = strcspn(key, " ");

    return key[word] ? !strncmp(name, key, word) && name[word] && strchr(" \t", name[word]) : !strcmp(name, key);
}

static bool read_key(struct reader *r, const char *name, const char *value)
{
    unsigned here = r->guest ? IN_GUEST : r->group ? IN_GROUP : r->in_any ? IN_ANY : IN_DAEMON;
    char list[300] = "";
    size_t n = 0;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!(keys[i].in & here))
            continue;
        if (!(keys[i].in & IN_THE_PAST) && n < sizeof list)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", keys[i].name);
        if (!is_key(name, keys[i].name))
            continue;
        if (r->seen >> i & 1 && !(keys[i].in & SEVERAL_TIMES))
            return wrong(r, "%s is given twice in [%s]", name, r->section);
        r->seen |= UINT64_C(1) << i;
        return keys[i].read(r, name, value);
    }
    return wrong(r, "%.40s: there is no such key in [%s]; there are %s", name, r->section, list);
}

static int on_pair(void *user, const char *section, const char *name, const char *value)
{
    struct reader *r = user;

    (void)section;              /* of one line there is none: read_line() has seen it */
    if (r->in_none)
        return 1;
    if (!*r->section)
        wrong(r, "%.40s is in no section: there are " SECTIONS, name);
    else
        read_key(r, name, value);
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
    if (t->len >= 3 && !memcmp(at, "\xef\xbb\xbf", 3))
        at += 3;
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

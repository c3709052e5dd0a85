/* SPDX-License-Identifier: MIT */
/* settings.c: see settings.h.  One table says which keys there are, where they may stand and who reads them. */
#include "settings.h"

#include <errno.h>
#include <grp.h>
#include <ini.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <strings.h>

#include "journal.h"
#include "names.h"
#include "spinner.h"
#include "vsockif.h"

#define SECTIONS "[daemon], [any], [guest NAME], [guest uuid:UUID] and [group NAME]"

struct reader {
    FILE *file;
    int line;                           /* the one that was read last */
    struct settings *settings;
    struct settings_guest *guest;       /* of the section being read; NULL elsewhere */
    struct settings_group *group;       /* …likewise */
    bool in_any;                        /* the section is [any] */
    char section[160];                  /* "" before the first */
    bool no_names;                      /* users and groups are not looked up */
    bool seen_daemon, seen_any;         /* its section has begun */
    uint64_t seen;                      /* keys of this section, by their place in the table */
    int why_line;
    char why[SETTINGS_WHY];             /* the first error */
};

__attribute__((format(printf, 2, 3)))
static bool wrong(struct reader *r, const char *format, ...)
{
    va_list args;

    if (!*r->why) {
        va_start(args, format);
        vsnprintf(r->why, sizeof r->why, format, args);
        va_end(args);
        r->why_line = r->line;
    }
    return false;
}

/* ---- values ---- */

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
    *out = strdup(text);
    return *out || wrong(r, "out of memory");
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
    if (!read_number(r, key, text, VSOCKIF_CID_FIRST, 999, &r->guest->cid))
        return false;
    for (size_t i = 0; i < r->settings->guest_count; i++) {
        const struct settings_guest *g = &r->settings->guests[i];

        if (g != r->guest && g->cid == r->guest->cid)
            return wrong(r, "%s = %s: guest %s has this CID already", key, text, g->name);
    }
    return true;
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
        return wrong(r, "out of memory");
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

static bool read_max_connections(struct reader *r, const char *key, const char *text)
{
    return read_u32(r, key, text, 1, 65536, &r->settings->max_connections);
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
    { "max_connections",     IN_DAEMON, read_max_connections },
    { "max_ring_page_order", IN_DAEMON, read_ring_order },
    { "max_pool_pages",      IN_DAEMON, read_pool_pages },
    { "held_spill_bytes",    IN_DAEMON, read_spill },
    { "farewell_seconds",    IN_DAEMON, read_farewell },
    { "guest_to_guest",      IN_DAEMON | IN_GUEST | IN_THE_PAST, read_guest_to_guest },
    { "spin_us",             IN_DAEMON, read_spin },
    { "services",            IN_DAEMON, read_services },
    { "status_group",        IN_DAEMON, read_status_group },
    { "af_vsock",            IN_DAEMON | IN_GUEST, read_af_vsock },
    { "socket_mode",         IN_DAEMON | IN_GUEST | IN_ANY, read_mode },
    { "socket_user",         IN_DAEMON | IN_GUEST | IN_ANY, read_user },
    { "socket_group",        IN_DAEMON | IN_GUEST | IN_ANY, read_group },
    { "cid",                 IN_GUEST, read_cid },
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

static bool enter_guest(struct reader *r, const char *text)
{
    struct settings *s = r->settings;
    struct settings_guest *more;
    char name[SETTINGS_NAME];

    if (!read_name(r, "section [guest NAME]", text, name))
        return false;
    if (settings_guest(s, name))
        return wrong(r, "section [guest %s] is there twice", name);
    more = reallocarray(s->guests, s->guest_count + 1, sizeof *more);
    if (!more)
        return wrong(r, "out of memory");
    s->guests = more;
    r->guest = &more[s->guest_count];
    memset(r->guest, 0, sizeof *r->guest);
    r->guest->name = strdup(name);
    if (!r->guest->name)
        return wrong(r, "out of memory");
    s->guest_count++;
    return true;
}

static bool enter_group(struct reader *r, const char *name)
{
    struct settings *s = r->settings;
    struct settings_group *more;

    if (!names_is_good(name))
        return wrong(r, "section [group NAME]: \"%.70s\" is no name of a group, which is made of " NAMES_ARE, name);
    for (size_t i = 0; i < s->group_count; i++)
        if (!strcmp(s->groups[i].name, name))
            return wrong(r, "section [group %s] is there twice", name);
    more = reallocarray(s->groups, s->group_count + 1, sizeof *more);
    if (!more)
        return wrong(r, "out of memory");
    s->groups = more;
    r->group = &more[s->group_count++];
    r->group->name = strdup(name);
    r->group->guests = strdup("");
    return (r->group->name && r->group->guests) || wrong(r, "out of memory");
}

/* Of a section that is there once. */
static bool enter_once(struct reader *r, bool *seen)
{
    if (*seen)
        return wrong(r, "section [%s] is there twice", r->section);
    return *seen = true;
}

static bool enter_section(struct reader *r, const char *section)
{
    const char *name;

    snprintf(r->section, sizeof r->section, "%s", section);
    r->seen = 0;
    r->guest = NULL;
    r->group = NULL;
    r->in_any = false;
    if (!strcmp(section, "daemon"))
        return enter_once(r, &r->seen_daemon);
    if ((r->in_any = !strcmp(section, "any")))
        return enter_once(r, &r->seen_any);
    if ((name = name_in(section, "guest")))
        return enter_guest(r, name);
    if ((name = name_in(section, "group")))
        return enter_group(r, name);
    return wrong(r, "section [%.60s]: there are only " SECTIONS, section);
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
        if (strcmp(name, keys[i].name))
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

    (void)section;              /* cut to what inih has room for: read_line() has seen all of it */
    if (*r->why)
        return 0;               /* the first error is the one that is told */
    if (!*r->section)
        return wrong(r, "%.40s is in no section: there are " SECTIONS, name);
    return read_key(r, name, value);
}

/* inih's reader.  A section is entered here, where it is whole and its line is known, whether it has keys or not. */
static char *read_line(char *line, int size, void *user)
{
    struct reader *r = user;
    char section[INI_MAX_LINE];
    const char *begin, *end;
    size_t len;

    if (*r->why || !fgets(line, size, r->file))
        return NULL;
    r->line++;
    len = strlen(line);
    if (len == (size_t)size - 1 && line[len - 1] != '\n' && !feof(r->file)) {
        wrong(r, "the line is longer than %d bytes", size - 2);
        return NULL;
    }
    begin = line + (r->line == 1 && !strncmp(line, "\xef\xbb\xbf", 3) ? 3 : 0);
    begin += strspn(begin, " \t");
    if (*begin != '[' || !(end = strchr(begin, ']')))
        return line;            /* without its bracket inih refuses it */
    snprintf(section, sizeof section, "%.*s", (int)(end - begin - 1), begin + 1);
    return enter_section(r, trim(section)) ? line : NULL;
}

struct settings *settings_default(void)
{
    struct settings *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->attach_auto = true;
    s->af_vsock = AF_VSOCK_NO;
    s->log_level = JOURNAL_INFO;
    s->max_connections = 16384;
    s->max_ring_page_order = VSOCKIF_MAX_RING_PAGE_ORDER;
    s->max_pool_pages = 512;
    s->held_spill_bytes = 4u << 20;
    s->farewell_seconds = 600;
    s->spin_us = SPINNER_AUTO;
    s->status_group = (gid_t)-1;
    s->sockets = s->any = (struct settings_sockets){ .mode = 0600, .user = (uid_t)-1, .group = (gid_t)-1 };
    return s;
}

/* Why the settings cannot be used, and a negative errno. */
static int refuse(const char *path, const struct reader *r, int line, char *why)
{
    if (*r->why)
        snprintf(why, SETTINGS_WHY, "%.150s:%d: %.340s", path, r->why_line, r->why);
    else
        snprintf(why, SETTINGS_WHY, "%.150s:%d: neither a section, nor key = value, nor a comment (# or ;)", path, line);
    return -EINVAL;
}

static int refuse_unread(const char *path, int err, char *why)
{
    snprintf(why, SETTINGS_WHY, "cannot read %.300s: %s", path, strerror(-err));
    return err;
}

static int read_file(FILE *file, const char *path, bool no_names, struct settings **out, char *why)
{
    struct reader r = { .settings = settings_default(), .file = file, .no_names = no_names };
    int line, err = 0;

    if (!r.settings) {
        snprintf(why, SETTINGS_WHY, "out of memory");
        return -ENOMEM;
    }
    errno = 0;
    line = ini_parse_stream(read_line, &r, on_pair, &r);
    if (ferror(r.file))
        err = refuse_unread(path, errno ? -errno : -EIO, why);
    else if (line < 0)
        err = refuse_unread(path, -ENOMEM, why);
    else if (line || *r.why)
        err = refuse(path, &r, line, why);
    if (err)
        settings_free(r.settings);
    else
        *out = r.settings;
    return err;
}

int settings_load(const char *path, struct settings **out, char *why)
{
    FILE *file = fopen(path, "re");
    int err = file ? read_file(file, path, false, out, why) : refuse_unread(path, -errno, why);

    if (file)
        fclose(file);
    return err;
}

int settings_read(int fd, const char *path, bool names, struct settings **out, char *why)
{
    FILE *file = fdopen(fd, "re");
    int err;

    if (!file) {
        err = refuse_unread(path, -errno, why);
        close(fd);
        return err;
    }
    err = read_file(file, path, !names, out, why);
    fclose(file);
    return err;
}

void settings_free(struct settings *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->guest_count; i++)
        free(s->guests[i].name);
    for (size_t i = 0; i < s->group_count; i++) {
        free(s->groups[i].name);
        free(s->groups[i].guests);
    }
    free(s->guests);
    free(s->groups);
    free(s->run_dir);
    free(s->policy_dir);
    free(s);
}

/* ---- questions ---- */

const struct settings_guest *settings_guest(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->guest_count; i++)
        if (!strcmp(s->guests[i].name, name))
            return &s->guests[i];
    return NULL;
}

const struct settings_guest *settings_section(const struct settings *s, const struct title *title)
{
    static const struct settings_guest nobody = {
        .af_vsock = AF_VSOCK_NO,
        .sockets = { .mode = 0600, .user = (uid_t)-1, .group = (gid_t)-1, .has_mode = true, .has_user = true, .has_group = true }
    };
    const struct settings_guest *g = NULL;
    char name[SETTINGS_NAME];

    if (title->has_uuid && (size_t)snprintf(name, sizeof name, "uuid:%s", title->uuid) < sizeof name)
        g = settings_guest(s, name);
    if (!g && (g = settings_guest(s, title->name)) && !title->has_name)
        g = &nobody;
    return g;
}

const struct settings_guest *settings_by_cid(const struct settings *s, uint64_t cid)
{
    for (size_t i = 0; i < s->guest_count; i++)
        if (s->guests[i].cid == cid)
            return &s->guests[i];
    return NULL;
}

enum settings_af_vsock settings_af_vsock_of(const struct settings *s, const struct settings_guest *section)
{
    return section && section->af_vsock != AF_VSOCK_INHERIT ? section->af_vsock : s->af_vsock;
}

struct settings_sockets settings_sockets_of(const struct settings *s, const struct settings_guest *section)
{
    struct settings_sockets own = s->sockets;

    if (section && section->sockets.has_mode)
        own.mode = section->sockets.mode;
    if (section && section->sockets.has_user)
        own.user = section->sockets.user;
    if (section && section->sockets.has_group)
        own.group = section->sockets.group;
    return own;
}

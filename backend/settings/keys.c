/* SPDX-License-Identifier: MIT */
/* keys.c: see keys.h. */
#include "keys.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "names.h"
#include "portnames.h"
#include "spinner.h"
#include "values.h"
#include "vsockif.h"

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

/* "PORT seqpacket": true, and the port is in buf. */
static bool takes_messages(const char *text, char *buf, size_t size)
{
    size_t len = strcspn(text, " \t");
    const char *word = text + len + strspn(text + len, " \t");

    if (len >= size || strcmp(word, "seqpacket"))
        return false;
    memcpy(buf, text, len);
    buf[len] = '\0';
    return true;
}

/* key: "channel NAME". */
static bool read_channel(struct reader *r, const char *key, const char *text)
{
    const char *name = key + strcspn(key, " \t");
    uint32_t port = SETTINGS_NO_CHANNEL;
    struct settings_channel *c;
    char port_text[80];
    bool messages = takes_messages(text, port_text, sizeof port_text);

    name += strspn(name, " \t");
    if (!names_is_good(name))
        return wrong(r, "channel NAME: \"%.70s\" is no name of a channel, which is made of " NAMES_ARE, name);
    if (messages)
        text = port_text;
    if ((messages || strcmp(text, "no")) && !portnames_find(r->settings->ports, text, &port)) {
        if (portnames_is_name(text))
            return wrong(r, "%s = %.40s: no port is called so in the file ports beside xvsd.conf; it must be such a name, or a number from 0 to %u",
                         key, text, PORTNAMES_LAST);
        if (!read_u32(r, key, text, 0, PORTNAMES_LAST, &port))
            return false;
    }
    if (!(c = channel_named(r, key, name)))
        return false;
    c->port = port;
    c->messages = messages;
    c->file = r->file;
    return true;
}

/* ---- the table ---- */

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

/* One with a name of its own behind the word is "WORD NAME" in the table. */
static bool is_key(const char *name, const char *key)
{
    size_t word = strcspn(key, " ");

    return key[word] ? !strncmp(name, key, word) && name[word] && strchr(" \t", name[word]) : !strcmp(name, key);
}

bool keys_read(struct reader *r, const char *name, const char *value)
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

/* SPDX-License-Identifier: MIT */
/* conf.c: see conf.h. */
#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"
#include "trusted.h"

#define SERVICES 256u
#define FORWARDS 256u
#define LAST_PORT (UINT32_MAX - 1)

struct reading {
    struct conf *conf;
    char *why;                  /* the first thing that is wrong */
};

static int wrong(struct reading *r, const char *format, const char *a, const char *b)
{
    if (!r->why[0])
        snprintf(r->why, CONF_WHY, format, a, b);
    return 0;
}

static struct conf_service *service_of(struct conf *conf, const char *name)
{
    struct conf_service *more;

    for (size_t i = 0; i < conf->count; i++)
        if (strcmp(conf->services[i].name, name) == 0)
            return &conf->services[i];
    if (conf->count == SERVICES || !(more = realloc(conf->services, (conf->count + 1) * sizeof *more)))
        return NULL;
    conf->services = more;
    memset(&more[conf->count], 0, sizeof *more);
    snprintf(more[conf->count].name, sizeof more->name, "%s", name);
    return &more[conf->count++];
}

static bool parse_cid(const char *word, uint32_t *cid)
{
    uint64_t number;

    if (strcmp(word, "host") == 0)
        number = CONF_HOST;
    else if (strcmp(word, "local") == 0)
        number = 1;
    else if (!parse_number(word, UINT32_MAX, &number))
        return false;
    *cid = (uint32_t)number;
    return true;
}

/* section: for messages. */
static int read_allow(struct reading *r, const char *section, struct conf_allow *allow, const char *value)
{
    char text[512], *at = text, *word;

    if (strlen(value) >= sizeof text)
        return wrong(r, "[%.80s] allow: the line is too long%s", section, "");
    strcpy(text, value);
    allow->decided = true;
    while ((word = strsep(&at, " \t,"))) {
        if (!*word)
            continue;
        if (strcmp(word, "any") == 0)
            allow->any = true;
        else if (allow->count == CONF_ALLOWED)
            return wrong(r, "[%.80s] allow: there are too many CIDs%s", section, "");
        else if (!parse_cid(word, &allow->cid[allow->count++]))
            return wrong(r, "[%.80s] allow: '%.60s' is no CID; write host, local, any, or a number", section, word);
    }
    return 1;
}

static int read_service(struct reading *r, const char *section, const char *name, const char *value)
{
    const char *service = section + strlen("service ");
    struct conf_service *s;
    char why[DESTINATION_WHY];
    struct destination target;

    if (!tcpmux_name_is_good(service))
        return wrong(r, "[service %.60s]: that can be no service's name%s", service, "");
    if (!(s = service_of(r->conf, service)))
        return wrong(r, "[service %.60s]: there are too many%s", service, "");
    if (strcmp(name, "allow") == 0)
        return read_allow(r, section, &s->allow, value);
    if (strcmp(name, "connect") != 0)
        return wrong(r, "[service %.60s]: there is no setting '%.60s'", service, name);
    if (strncmp(value, "unix:/", 6) != 0 && strncmp(value, "tcp:", 4) != 0)
        return wrong(r, "[service %.60s] connect: '%.60s' is neither unix:/PATH nor tcp:HOST:PORT", service, value);
    if (strlen(value) >= DESTINATION_TEXT)
        return wrong(r, "[service %.60s] connect: it is too long%s", service, "");
    if (destination_read(value, &target, why))
        return wrong(r, "[service %.60s] connect: %s", service, why);
    strcpy(s->connect, value);
    return 1;
}

/* ---- forwarded ports ---- */

/* That of this port, or a new one, without a target. */
static struct conf_forward *forward_of(struct conf *conf, uint32_t port)
{
    struct conf_forward *more;

    for (size_t i = 0; i < conf->forward_count; i++)
        if (conf->forwards[i].port == port)
            return &conf->forwards[i];
    if (conf->forward_count == FORWARDS || !(more = realloc(conf->forwards, (conf->forward_count + 1) * sizeof *more)))
        return NULL;
    conf->forwards = more;
    memset(&more[conf->forward_count], 0, sizeof *more);
    more[conf->forward_count].port = port;
    return &more[conf->forward_count++];
}

/* key: "forward PORT", in either place. */
static struct conf_forward *read_port(struct reading *r, const char *key)
{
    const char *text = key + strlen("forward ");
    struct conf_forward *f;
    uint64_t port;

    text += strspn(text, " \t");
    if (!parse_number(text, LAST_PORT, &port) || !port)
        wrong(r, "forward: '%.60s' is no port%s", text, "");
    else if (port == TCPMUX_PORT)
        wrong(r, "forward: port %.60s is the agent's own, for services by name%s", text, "");
    else if (!(f = forward_of(r->conf, (uint32_t)port)))
        wrong(r, "forward %.60s: there are too many%s", text, "");
    else
        return f;
    return NULL;
}

static int read_forward(struct reading *r, const char *key, const char *value)
{
    struct conf_forward *f = read_port(r, key);
    char why[DESTINATION_WHY];
    struct destination target;

    if (!f)
        return 0;
    if (f->target[0])
        return wrong(r, "%.60s is given twice%s", key, "");
    if (strlen(value) >= sizeof f->target)
        return wrong(r, "%.60s: it is too long%s", key, "");
    if (destination_read(value, &target, why))
        return wrong(r, "%.60s: %s", key, why);
    strcpy(f->target, value);
    return 1;
}

static int read_forward_section(struct reading *r, const char *section, const char *name, const char *value)
{
    struct conf_forward *f = read_port(r, section);

    if (!f)
        return 0;
    if (strcmp(name, "allow") != 0)
        return wrong(r, "[%.80s]: there is no setting '%.60s'", section, name);
    return read_allow(r, section, &f->allow, value);
}

/* Who may use a port that leads nowhere: whoever wrote so meant another. */
static int look_at_forwards(struct reading *r)
{
    char port[16];

    for (size_t i = 0; i < r->conf->forward_count; i++)
        if (!r->conf->forwards[i].target[0]) {
            snprintf(port, sizeof port, "%u", r->conf->forwards[i].port);
            wrong(r, "[forward %s]: there is no 'forward %s = ' in [agent]", port, port);
            return -EINVAL;
        }
    return 0;
}

/* ---- the broker ---- */

static int read_group(struct reading *r, const char *value)
{
    const struct group *group = getgrnam(value);
    uint64_t number;

    if (group)
        number = group->gr_gid;
    else if (!parse_number(value, UINT32_MAX - 1, &number))
        return wrong(r, "[broker] socket_group: there is no group '%.60s'%s", value, "");
    r->conf->broker.group = (gid_t)number;
    return 1;
}

/* Octal, as chmod has it. */
static int read_mode(struct reading *r, const char *value)
{
    size_t len = strlen(value);

    if (!len || len > 4 || strspn(value, "01234567") != len || strtoul(value, NULL, 8) > 0777)
        return wrong(r, "[broker] socket_mode: '%.60s' is no mode; write 0600, 0660 or 0666%s", value, "");
    r->conf->broker.mode = (mode_t)strtoul(value, NULL, 8);
    return 1;
}

static int read_broker(struct reading *r, const char *name, const char *value)
{
    struct broker_settings *b = &r->conf->broker;
    uint64_t number;

    if (strcmp(name, "socket_mode") == 0)
        return read_mode(r, value);
    if (strcmp(name, "socket_group") == 0)
        return read_group(r, value);
    if (strcmp(name, "enabled") == 0) {
        b->off = strcmp(value, "no") == 0;
        return b->off || strcmp(value, "yes") == 0 ? 1 : wrong(r, "[broker] enabled: '%.60s' is neither yes nor no%s", value, "");
    }
    if (strcmp(name, "max_connections") != 0)
        return wrong(r, "[broker]: there is no setting '%.60s'%s", name, "");
    if (!parse_number(value, 65536, &number) || !number)
        return wrong(r, "[broker] max_connections: '%.60s' is no number from 1 to 65536%s", value, "");
    b->max_connections = (unsigned)number;
    return 1;
}

/* ---- all of it ---- */

static int read_line(void *arg, const char *section, const char *name, const char *value)
{
    struct reading *r = arg;
    uint64_t number;

    if (strncmp(section, "service ", 8) == 0)
        return read_service(r, section, name, value);
    if (strncmp(section, "forward ", 8) == 0)
        return read_forward_section(r, section, name, value);
    if (strcmp(section, "broker") == 0)
        return read_broker(r, name, value);
    if (strcmp(section, "agent") != 0)
        return wrong(r, "there is no section [%.60s]%s", section, "");
    if (strncmp(name, "forward ", 8) == 0)
        return read_forward(r, name, value);
    if (strcmp(name, "max_sessions") != 0)
        return wrong(r, "[agent]: there is no setting '%.60s'%s", name, "");
    if (!parse_number(value, 65536, &number) || !number)
        return wrong(r, "[agent] max_sessions: '%.60s' is no number from 1 to 65536%s", value, "");
    r->conf->max_sessions = (unsigned)number;
    return 1;
}

int conf_read(const char *path, struct conf *conf, char why[CONF_WHY])
{
    char reason[CONF_WHY] = "";
    struct reading r = { .conf = conf, .why = reason };
    FILE *file;
    int line, err = 0;

    *conf = (struct conf){ .max_sessions = CONF_SESSIONS,
                           .broker = { .mode = 0600, .group = (gid_t)-1, .max_connections = BROKER_CONNECTIONS } };
    if (!(file = fopen(path, "re"))) {
        err = -errno;
        if (err == -ENOENT)
            return 0;
        snprintf(why, CONF_WHY, "%.300s: %s", path, strerror(-err));
        return err;
    }
    if ((err = trusted_fd(fileno(file)))) {
        snprintf(why, CONF_WHY, "%.300s: others than its owner can write it, or it is not root's: chown root, chmod go-w", path);
    } else if ((line = ini_parse_file(file, read_line, &r))) {
        err = -EINVAL;
        snprintf(why, CONF_WHY, "%.200s, line %d: %.250s", path, line, reason[0] ? reason : "no 'name = value', and no section");
    } else if ((err = look_at_forwards(&r))) {
        snprintf(why, CONF_WHY, "%.200s: %.250s", path, reason);
    }
    fclose(file);
    if (err)
        conf_free(conf);
    return err;
}

void conf_free(struct conf *conf)
{
    free(conf->services);
    free(conf->forwards);
    *conf = (struct conf){ .max_sessions = conf->max_sessions, .broker = conf->broker };
}

const struct conf_service *conf_find(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->count; i++)
        if (strcmp(conf->services[i].name, name) == 0)
            return &conf->services[i];
    return NULL;
}

const struct conf_forward *conf_forward(const struct conf *conf, uint32_t port)
{
    for (size_t i = 0; i < conf->forward_count; i++)
        if (conf->forwards[i].port == port)
            return &conf->forwards[i];
    return NULL;
}

bool conf_admits(const struct conf_allow *allow, uint64_t cid)
{
    if (!allow->decided)
        return cid == CONF_HOST;
    for (size_t i = 0; i < allow->count; i++)
        if (allow->cid[i] == cid)
            return true;
    return allow->any;
}

bool conf_allows(const struct conf_service *s, uint64_t cid)
{
    static const struct conf_allow nothing_said;

    return conf_admits(s ? &s->allow : &nothing_said, cid);
}

bool conf_knows(const struct conf *conf, uint64_t cid)
{
    if (cid == CONF_HOST)
        return true;
    for (size_t i = 0; i < conf->count; i++)
        if (conf_allows(&conf->services[i], cid))
            return true;
    return false;
}

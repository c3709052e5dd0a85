/* SPDX-License-Identifier: MIT */
/* conf.c: see conf.h. */
#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"
#include "trusted.h"

#define SERVICES 256u

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

static int read_allow(struct reading *r, struct conf_service *s, const char *value)
{
    char text[512], *at = text, *word;

    if (strlen(value) >= sizeof text)
        return wrong(r, "[service %s] allow: the line is too long%s", s->name, "");
    strcpy(text, value);
    s->decided = true;
    while ((word = strsep(&at, " \t,"))) {
        if (!*word)
            continue;
        if (strcmp(word, "any") == 0)
            s->any = true;
        else if (s->allowed == CONF_ALLOWED)
            return wrong(r, "[service %s] allow: there are too many CIDs%s", s->name, "");
        else if (!parse_cid(word, &s->allow[s->allowed++]))
            return wrong(r, "[service %s] allow: '%.60s' is no CID; write host, local, any, or a number", s->name, word);
    }
    return 1;
}

static int read_service(struct reading *r, const char *service, const char *name, const char *value)
{
    struct conf_service *s;

    if (!tcpmux_name_is_good(service))
        return wrong(r, "[service %.60s]: that can be no service's name%s", service, "");
    if (!(s = service_of(r->conf, service)))
        return wrong(r, "[service %.60s]: there are too many%s", service, "");
    if (strcmp(name, "allow") == 0)
        return read_allow(r, s, value);
    if (strcmp(name, "connect") != 0)
        return wrong(r, "[service %.60s]: there is no setting '%.60s'", service, name);
    if ((strncmp(value, "unix:/", 6) != 0 && strncmp(value, "tcp:", 4) != 0) || strlen(value) >= CONF_TARGET)
        return wrong(r, "[service %.60s] connect: '%.60s' is neither unix:/PATH nor tcp:HOST:PORT", service, value);
    strcpy(s->connect, value);
    return 1;
}

static int read_line(void *arg, const char *section, const char *name, const char *value)
{
    struct reading *r = arg;
    uint64_t number;

    if (strncmp(section, "service ", 8) == 0)
        return read_service(r, section + 8, name, value);
    if (strcmp(section, "agent") != 0)
        return wrong(r, "there is no section [%.60s]%s", section, "");
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

    *conf = (struct conf){ .max_sessions = CONF_SESSIONS };
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
    }
    fclose(file);
    if (err)
        conf_free(conf);
    return err;
}

void conf_free(struct conf *conf)
{
    free(conf->services);
    conf->services = NULL;
    conf->count = 0;
}

const struct conf_service *conf_find(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->count; i++)
        if (strcmp(conf->services[i].name, name) == 0)
            return &conf->services[i];
    return NULL;
}

bool conf_allows(const struct conf_service *s, uint64_t cid)
{
    if (!s || !s->decided)
        return cid == CONF_HOST;
    for (size_t i = 0; i < s->allowed; i++)
        if (s->allow[i] == cid)
            return true;
    return s->any;
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

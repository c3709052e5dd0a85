/* SPDX-License-Identifier: MIT */
/* find.c: see find.h. */
#include "find.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "say.h"

#define FIND_NAME    256        /* bytes of what people have for a guest, with its end */
#define FIND_DEVICES 1023

/* ":5", the name of domain 5 where it has no other. */
static bool is_domid_name(const char *name)
{
    uint64_t domid;

    return *name == ':' && parse_number(name + 1, 0x7fff, &domid);
}

/* What the daemon takes for the name of a directory. */
static bool is_plain_name(const char *name)
{
    if (!*name || *name == '.')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("_.+-", *name))
            return false;
    return true;
}

/* The name of its directory below guest/. */
static const char *dir_name(char *out, size_t size, const char *peer, unsigned device)
{
    if (device)
        snprintf(out, size, "%s:%u", peer, device);
    else
        snprintf(out, size, "%s", peer);
    return out;
}

static int open_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* "web1:1" is device 1 of web1, as ":5:1" is of domain 5: what is before it into name (FIND_NAME bytes). */
static unsigned split(const char *peer, unsigned device, char *name)
{
    uint64_t number;
    char *colon;

    snprintf(name, FIND_NAME, "%s", peer);
    colon = strrchr(name, ':');
    if (!colon || colon == name || !strncmp(name, "cid:", 4) || (!strncmp(name, "uuid:", 5) && colon == name + 4) ||
        !parse_number(colon + 1, FIND_DEVICES, &number))
        return device;
    *colon = '\0';
    return (unsigned)number;
}

static json_t *record_of(const json_t *answer, const char *peer, unsigned device)
{
    json_t *guest, *found = NULL;
    char wanted[512];
    uint64_t domid = 0, cid = 0;
    bool by_domid = parse_number(peer + (*peer == ':'), 0x7fff, &domid);
    bool by_cid = strncmp(peer, "cid:", 4) == 0 && parse_number(peer + 4, UINT32_MAX, &cid);
    bool by_uuid = strncmp(peer, "uuid:", 5) == 0;
    size_t i;

    json_array_foreach(json_object_get(answer, "guests"), i, guest) {
        const char *name = json_string_value(json_object_get(guest, "name"));
        const char *dir = json_string_value(json_object_get(guest, "dir"));
        const char *uuid = json_string_value(json_object_get(guest, "uuid"));

        if (by_cid) {
            if ((uint64_t)json_integer_value(json_object_get(guest, "cid")) == cid)
                return guest;
        } else if (json_integer_value(json_object_get(guest, "device")) == (json_int_t)device &&
                   (by_uuid    ? uuid && strcasecmp(uuid, peer + 5) == 0
                    : by_domid ? (uint64_t)json_integer_value(json_object_get(guest, "domid")) == domid
                               : name && strcmp(name, peer) == 0)) {
            found = guest;
            if (by_domid || (dir && strrchr(dir, '/') &&
                             !strcmp(strrchr(dir, '/') + 1, dir_name(wanted, sizeof wanted, peer, device))))
                return guest;
        }
    }
    return found;
}

json_t *find_record(const json_t *answer, const char *peer, unsigned device)
{
    char name[FIND_NAME];

    device = split(peer, device, name);
    return record_of(answer, name, device);
}

int find_guest(const char *whom, unsigned wanted, char *why)
{
    char path[4096] = "", name[512], asked[WHY], peer[FIND_NAME], option[16];
    unsigned device = split(whom, wanted, peer);
    const char *dir;
    uint64_t number;
    json_t *answer, *record;
    int fd = -ENOENT, err;

    if (wanted && device != wanted) {
        snprintf(why, WHY, "%.300s is device %u, and --device is %u: give one of the two", whom, device, wanted);
        return -EINVAL;
    }
    if (strncmp(peer, "cid:", 4) == 0) {
        if (!parse_number(peer + 4, UINT32_MAX, &number)) {
            snprintf(why, WHY, "'%.100s' is no CID: write cid:NUMBER", peer);
            return -EINVAL;
        }
        snprintf(path, sizeof path, "%s/cid/%s", run_dir(), peer + 4);
        fd = open_dir(path);
    } else if (is_domid_name(peer) || (!parse_number(peer, UINT64_MAX, &number) && is_plain_name(peer))) {
        snprintf(path, sizeof path, "%s/guest/%s", run_dir(), dir_name(name, sizeof name, peer, device));
        fd = open_dir(path);
    }
    if (fd == -EACCES)
        snprintf(why, WHY, "no permission for %.300s; become root, or have xvsd.conf give its sockets to your group",
                 path);
    else if (fd < 0 && fd != -ENOENT)
        snprintf(why, WHY, "cannot open %.300s: %s", path, errno_words(fd));
    if (fd != -ENOENT)
        return fd;

    err = control_ask(json_pack("{s:s}", "verb", "ls"), &answer, asked);
    if (err == -EACCES && *path) {      /* the name is enough for one who may use its sockets */
        snprintf(why, WHY, "there is no guest %.100s: %.300s is not there", peer, path);
        return -ENXIO;
    }
    if (err) {
        snprintf(why, WHY, "%.500s", asked);
        return err;
    }
    record = record_of(answer, peer, device);
    dir = json_string_value(json_object_get(record, "dir"));
    if (!record) {
        snprintf(option, sizeof option, device ? "-d %u " : "", device);
        snprintf(why, WHY, "no guest %.100s with device %u is attached; see 'xvs ls', or attach it with 'xvs attach %s%.100s'", peer,
                 device, option, peer);
        fd = -ENXIO;
    } else if (!dir || (fd = open_dir(dir)) < 0) {
        snprintf(why, WHY, "guest %.100s has no directory: %s", peer, dir ? errno_words(fd) : "the daemon names none");
        fd = dir ? fd : -ENOENT;
    }
    json_decref(answer);
    return fd;
}

int find_directory(const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/guest/%s", run_dir(), name);
    return open_dir(path);
}

int find_any(char *why)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof path, "%s/any", run_dir());
    fd = open_dir(path);
    if (fd == -ENOENT)
        snprintf(why, WHY, "xvsd is not running, or knows no listeners for all guests: %.300s is not there", path);
    else if (fd == -EACCES)
        snprintf(why, WHY, "no permission for %.300s; become root, or have [any] in xvsd.conf let your group in", path);
    else if (fd < 0)
        snprintf(why, WHY, "cannot open %.300s: %s", path, errno_words(fd));
    return fd;
}

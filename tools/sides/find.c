/* SPDX-License-Identifier: MIT */
/* find.c: see find.h. */
#include "find.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

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

json_t *find_record(const json_t *answer, const char *peer, unsigned device)
{
    json_t *guest, *found = NULL;
    char wanted[512];
    uint64_t domid = 0, cid = 0;
    bool by_domid = parse_number(peer + (*peer == ':'), 0x7fff, &domid);
    bool by_cid = strncmp(peer, "cid:", 4) == 0 && parse_number(peer + 4, UINT32_MAX, &cid);
    size_t i;

    json_array_foreach(json_object_get(answer, "guests"), i, guest) {
        const char *name = json_string_value(json_object_get(guest, "name"));
        const char *dir = json_string_value(json_object_get(guest, "dir"));

        if (by_cid) {
            if ((uint64_t)json_integer_value(json_object_get(guest, "cid")) == cid)
                return guest;
        } else if (json_integer_value(json_object_get(guest, "device")) == (json_int_t)device &&
                   (by_domid ? (uint64_t)json_integer_value(json_object_get(guest, "domid")) == domid
                             : name && strcmp(name, peer) == 0)) {
            found = guest;
            if (by_domid || (dir && strrchr(dir, '/') &&
                             !strcmp(strrchr(dir, '/') + 1, dir_name(wanted, sizeof wanted, peer, device))))
                return guest;
        }
    }
    return found;
}

int find_guest(const char *peer, unsigned device, char *why)
{
    char path[4096] = "", name[512], asked[WHY];
    const char *dir;
    uint64_t number;
    json_t *answer, *record;
    int fd = -ENOENT, err;

    if (strncmp(peer, "cid:", 4) == 0) {
        if (!parse_number(peer + 4, UINT32_MAX, &number)) {
            snprintf(why, WHY, "'%s' is no CID: write cid:NUMBER", peer);
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
        snprintf(why, WHY, "there is no guest %s: %.300s is not there", peer, path);
        return -ENXIO;
    }
    if (err) {
        snprintf(why, WHY, "%.500s", asked);
        return err;
    }
    record = find_record(answer, peer, device);
    dir = json_string_value(json_object_get(record, "dir"));
    if (!record) {
        snprintf(why, WHY, "no guest %s with device %u is attached; see 'xvs ls', or attach it with 'xvs attach %s'", peer,
                 device, peer);
        fd = -ENXIO;
    } else if (!dir || (fd = open_dir(dir)) < 0) {
        snprintf(why, WHY, "guest %s has no directory: %s", peer, dir ? errno_words(fd) : "the daemon names none");
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

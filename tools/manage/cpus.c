/* SPDX-License-Identifier: MIT */
/* cpus.c: see cpus.h. */
#include "cpus.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "root.h"
#include "say.h"

#define MOST 4096u
#define STEP (SECOND / 50)

struct cpus {
    bool present[MOST], online[MOST];
    unsigned presents, onlines;
};

static char *path_of(char path[4096], unsigned cpu)
{
    snprintf(path, 4096, "%s/sys/devices/system/cpu/cpu%u/online", root(), cpu);
    return path;
}

/* One that cannot go has no such file, or an error, and is on line. */
static bool is_online(unsigned cpu)
{
    char path[4096], byte = '1';
    int fd = open(path_of(path, cpu), O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return true;
    if (read(fd, &byte, 1) != 1)
        byte = '1';
    close(fd);
    return byte != '0';
}

static int look(struct cpus *c, char why[LINES_WHY])
{
    char path[4096];
    struct dirent *entry;
    DIR *dir;

    memset(c, 0, sizeof *c);
    snprintf(path, sizeof path, "%s/sys/devices/system/cpu", root());
    if (!(dir = opendir(path))) {
        int err = -errno;

        snprintf(why, LINES_WHY, "%.160s: %s", path, strerror(-err));
        return err;
    }
    while ((entry = readdir(dir))) {
        uint64_t cpu;

        if (strncmp(entry->d_name, "cpu", 3) != 0 || !parse_number(entry->d_name + 3, MOST - 1, &cpu))
            continue;
        c->present[cpu] = true;
        c->online[cpu] = is_online((unsigned)cpu);
        c->presents++;
        c->onlines += c->online[cpu];
    }
    closedir(dir);
    return 0;
}

static int put(unsigned cpu, bool on)
{
    char path[4096];
    int fd = open(path_of(path, cpu), O_WRONLY | O_CLOEXEC), err = fd < 0 ? -errno : 0;

    if (!err && write(fd, on ? "1" : "0", 1) != 1)
        err = errno ? -errno : -EIO;
    if (fd >= 0)
        close(fd);
    return err;
}

/* The next one that may be put there.  -ENOENT: there is none. */
static int step(const struct cpus *c, bool on)
{
    int err = -ENOENT;

    for (unsigned i = 0; i < MOST; i++) {
        unsigned cpu = on ? i : MOST - 1 - i;

        if (c->present[cpu] && c->online[cpu] != on && !(err = put(cpu, on)))
            return 0;
    }
    return err;
}

static json_t *answer_of(const struct cpus *c)
{
    return json_pack("{s:i, s:i}", "online", (int)c->onlines, "present", (int)c->presents);
}

static int cpus(struct lines *caller, const json_t *request, json_t **answer, char why[LINES_WHY])
{
    struct cpus c;
    int err = look(&c, why);

    (void)caller;
    (void)request;
    *answer = err ? NULL : answer_of(&c);
    return err;
}

static int set_cpus(struct lines *caller, const json_t *request, json_t **answer, char why[LINES_WHY])
{
    const struct timespec pause = { .tv_nsec = STEP };
    const json_t *number = json_object_get(request, "online");
    json_int_t wanted = json_integer_value(number);
    int64_t until = clock_ns() + CPUS_PATIENCE * SECOND;
    struct cpus c;
    int err, last = 0;

    (void)caller;
    if (!json_is_integer(number) || wanted < 1 || wanted > MOST) {
        snprintf(why, LINES_WHY, "set-cpus: 'online' is no number from 1 to %u", MOST);
        return -EINVAL;
    }
    while (!(err = look(&c, why)) && c.onlines != (unsigned)wanted && clock_ns() < until)
        if ((last = step(&c, c.onlines < (unsigned)wanted)))
            nanosleep(&pause, NULL);
    if (err)
        return err;
    *answer = answer_of(&c);
    if (c.onlines < (unsigned)wanted)
        json_object_set_new(*answer, "problem", json_sprintf("%u could not be put on line: %s", (unsigned)wanted - c.onlines,
                                                             last == -ENOENT ? "they have not appeared" : strerror(-last)));
    else if (c.onlines > (unsigned)wanted)
        json_object_set_new(*answer, "problem", json_sprintf("%u could not be put off line: %s", c.onlines - (unsigned)wanted,
                                                             last == -ENOENT ? "they cannot go" : strerror(-last)));
    return 0;
}

static const char *const no_words[] = { NULL };
static const char *const set_words[] = { "online", NULL };
const struct handler handler_cpus = { "cpus", no_words, cpus };
const struct handler handler_set_cpus = { "set-cpus", set_words, set_cpus };

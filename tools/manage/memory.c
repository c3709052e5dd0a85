/* SPDX-License-Identifier: MIT */
/* memory.c: see memory.h. */
#include "memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "root.h"

/* Of "MemTotal:   1020000 kB". */
static void take(const char *line, const char *name, json_int_t *bytes)
{
    unsigned long long kib;
    size_t len = strlen(name);

    if (strncmp(line, name, len) == 0 && sscanf(line + len, ": %llu kB", &kib) == 1 && kib < (1ull << 50))
        *bytes = (json_int_t)(kib << 10);
}

static int memory(struct lines *caller, const json_t *request, json_t **answer, char why[LINES_WHY])
{
    json_int_t total = -1, available = -1;
    char path[4096], line[256];
    FILE *file;

    (void)caller;
    (void)request;
    snprintf(path, sizeof path, "%s/proc/meminfo", root());
    if (!(file = fopen(path, "re"))) {
        int err = -errno;

        snprintf(why, LINES_WHY, "%.160s: %s", path, strerror(-err));
        return err;
    }
    while (fgets(line, sizeof line, file)) {
        take(line, "MemTotal", &total);
        take(line, "MemAvailable", &available);
    }
    fclose(file);
    if (total < 0 || available < 0) {
        snprintf(why, LINES_WHY, "%.160s says nothing of MemTotal and MemAvailable", path);
        return -EIO;
    }
    *answer = json_pack("{s:I, s:I}", "total", total, "available", available);
    return 0;
}

static const char *const no_words[] = { NULL };
const struct handler handler_memory = { "memory", no_words, memory };

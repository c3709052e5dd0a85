/* SPDX-License-Identifier: MIT */
/* proc.c: see proc.h. */
#include "proc.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool proc_read(pid_t pid, struct proc_facts *f)
{
    char path[40], text[1024], *at;
    size_t n;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (!(file = fopen(path, "re")))
        return false;
    n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    /* A process may have ')' in its name. */
    return (at = strrchr(text, ')')) &&
           sscanf(at, ") %c %d %*d %d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &f->state, &f->parent, &f->session,
                  &f->flags, &f->began) == 5;
}

void proc_each(void (*each)(pid_t pid, const struct proc_facts *f, void *arg), void *arg)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    struct proc_facts f;

    while (proc && (entry = readdir(proc))) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;

        if (pid && proc_read(pid, &f))
            each(pid, &f, arg);
    }
    if (proc)
        closedir(proc);
}

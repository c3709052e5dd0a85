/* SPDX-License-Identifier: MIT */
/* reader.h: how far the reading of settings has come (settings_text.h), and what is wrong there.  Only this room knows it. */
#ifndef XVSD_SETTINGS_READER_H
#define XVSD_SETTINGS_READER_H

#include "complaints.h"
#include "settings.h"

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

/* Complains of the line that is being read.  False, for whoever says so, too. */
#define wrong(r, ...) wrong_at(r, (r)->path, (r)->line, __VA_ARGS__)

__attribute__((format(printf, 4, 5)))
bool wrong_at(struct reader *r, const char *path, uint32_t line, const char *format, ...);
bool no_memory(struct reader *r);

#endif

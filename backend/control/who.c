/* SPDX-License-Identifier: MIT */
/* who.c: see who.h. */
#include "who.h"

#include <stdio.h>
#include <string.h>

#include "parse.h"
#include "paths.h"

static bool read_number(const char *text, uint32_t max, uint32_t *out)
{
    return !parse_u32("", text, 0, max, out, NULL);
}

/* Cuts ":N" off, if there is something else before it. */
static int cut_device(char *text)
{
    char *colon = strrchr(text, ':');
    uint32_t number;

    if (!colon || !read_number(colon + 1, PATHS_DEVICES - 1, &number))
        return -1;
    *colon = '\0';
    if (names_is_good(text) ? strcmp(text, "uuid") : *text == ':' || !strncmp(text, "uuid:", 5))
        return (int)number;
    *colon = ':';               /* a name that no guest has here, but some domain may */
    return -1;
}

bool who_read(const char *text, struct who *out)
{
    char words[WALL_NAME];

    *out = (struct who){ .domid = UINT32_MAX };
    if ((size_t)snprintf(words, sizeof words, "%s", text) >= sizeof words)
        return false;
    out->device = cut_device(words);
    if (!strncmp(words, "uuid:", 5))
        return names_read_uuid(words + 5, out->uuid);
    if (*words == ':')
        return read_number(words + 1, PATHS_DOMID - 1, &out->domid);
    if (!read_number(words, PATHS_DOMID - 1, &out->domid))
        out->domid = UINT32_MAX;
    strcpy(out->name, words);
    return *words != '\0';
}

bool who_is(const struct who *who, const struct guest *g)
{
    if (who->device >= 0 && g->device != (uint32_t)who->device)
        return false;
    if (*who->uuid)
        return g->title.has_uuid && !strcmp(g->uuid, who->uuid);
    return g->domid == who->domid || (g->title.has_name && !strcmp(g->name, who->name));
}

struct guest *who_find(const struct worker *w, const struct who *who, const struct guest *after)
{
    each_guest(w, l) {
        if (after) {
            after = guest_at(l) == after ? NULL : after;
            continue;
        }
        if (who_is(who, guest_at(l)))
            return guest_at(l);
    }
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/* land.c: see land.h. */
#include "land.h"

#include <string.h>

struct landing land(const struct land_question *q)
{
    bool directory = q->many || q->slash || q->target == LAND_DIRECTORY;

    if (q->target == LAND_FILE && q->source != LAND_FILE)
        return (struct landing){ LAND_ONTO_FILE, false };
    if (q->target == LAND_FILE)
        return (struct landing){ directory ? LAND_NO_DIRECTORY : LAND_AT, false };
    if (q->target == LAND_DIRECTORY)
        return (struct landing){ q->source == LAND_CONTENT ? LAND_OVER : LAND_IN, false };
    if (q->source != LAND_FILE && !q->many)
        return (struct landing){ LAND_AT, false };     /* a directory becomes DST, with or without a slash behind it */
    if (!directory)
        return (struct landing){ LAND_AT, false };
    if (!q->parents)
        return (struct landing){ LAND_ABSENT, false };
    return (struct landing){ q->source == LAND_CONTENT ? LAND_OVER : LAND_IN, true };
}

const char *land_name(const char *path, size_t *len)
{
    size_t end = strlen(path), begin;

    while (end && path[end - 1] == '/')
        end--;
    for (begin = end; begin && path[begin - 1] != '/'; begin--)
        ;
    *len = end - begin;
    if ((*len == 1 && path[begin] == '.') || (*len == 2 && path[begin] == '.' && path[begin + 1] == '.'))
        *len = 0;
    return path + begin;
}

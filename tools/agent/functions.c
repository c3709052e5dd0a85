/* SPDX-License-Identifier: MIT */
/* functions.c: see functions.h. */
#include "functions.h"

#include <stddef.h>
#include <string.h>

#include "putget.h"

const struct function functions[] = {
    { "put", putget_put },
    { "get", putget_get },
    { NULL, NULL },
};

const struct function *function_find(const char *name)
{
    for (const struct function *f = functions; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

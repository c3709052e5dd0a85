/* SPDX-License-Identifier: MIT */
/* functions.c: see functions.h. */
#include "functions.h"

#include <stddef.h>
#include <string.h>

#include "manage.h"
#include "putget.h"
#include "qemuga.h"
#include "qga.h"

const struct function functions[] = {
    { "put", putget_put, NULL },
    { "get", putget_get, NULL },
    { "qga", qga_run, qemuga_absent },
    { "manage", manage_run, NULL },
    { NULL, NULL, NULL },
};

const struct function *function_find(const char *name)
{
    for (const struct function *f = functions; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/* ask.c: see ask.h. */
#include "ask.h"

#include <stdio.h>

#include "control.h"
#include "say.h"

int ask(json_t *request, json_t **answer)
{
    char why[WHY];
    int err = control_ask(request, answer, why);

    return err ? fail(control_status(err), "%s", why) : EXIT_OK;
}

void print_json(json_t *answer)
{
    json_object_del(answer, "ok");
    json_dumpf(answer, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
}

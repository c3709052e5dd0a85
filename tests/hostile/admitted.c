/* SPDX-License-Identifier: MIT */
/* admitted.c: see admitted.h. */
#include "admitted.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "harness.h"

static bool knows(const struct device_id *id)
{
    static const char in_use[] = "\"use\":\"in use\"";
    const char *at = daemon_ask("{\"verb\":\"ls\"}");
    char which[64];

    snprintf(which, sizeof which, "\"domid\":%u,\"device\":%u,", id->front, id->number);
    return (at = strstr(at, which)) && (at = strstr(at, "\"use\":")) && !strncmp(at, in_use, sizeof in_use - 1);
}

int daemon_connect(struct rawfront *f)
{
    int err = rawfront_connect(f);

    for (int waited = 0; !err && !knows(&f->id); waited += 5) {
        if (waited >= PATIENCE_MS)
            return -ETIMEDOUT;
        usleep(5000);
    }
    return err;
}

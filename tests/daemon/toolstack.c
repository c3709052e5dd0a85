/* SPDX-License-Identifier: MIT */
/* toolstack.c: see toolstack.h. */
#include "toolstack.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct store *dom0;

static void stop_daemon(void)
{
    if (daemon_lives())
        daemon_stop(SIGKILL);
}

void toolstack_open(void)
{
    stop_daemon();
    toolstack_close();
    REQUIRE(store_open(&dom0) == 0);
    for (uint32_t domid = 1; domid <= TOOLSTACK_GUESTS; domid++)
        domain_remove(domid);
    REQUIRE(store_remove(dom0, "/local/domain/0/backend/vsock") == 0);
}

void toolstack_close(void)
{
    store_close(dom0);
    dom0 = NULL;
}

void toolstack_nap(void)
{
    poll(NULL, 0, 10);
}

/* ---- domains ---- */

struct make { uint32_t domid; const char *name, *uuid; };

static int make(struct store *s, void *arg)
{
    const struct make *m = arg;
    char dir[PATHS_MAX], vm[PATHS_MAX], uuid[64], path[PATHS_MAX];
    int err;

    snprintf(dir, sizeof dir, "/local/domain/%u", m->domid);
    snprintf(uuid, sizeof uuid, "00000000-0000-4000-8000-%012u", m->domid);
    snprintf(vm, sizeof vm, "/vm/%s", m->uuid ? m->uuid : uuid);
    if ((err = store_remove(s, dir)) || (err = store_make(s, dir)) || (err = store_permit(s, dir, 0, m->domid)) ||
        (err = store_write(s, paths_join(path, dir, "vm"), vm)) ||
        (err = store_write(s, paths_join(path, vm, "uuid"), m->uuid ? m->uuid : uuid)) ||
        (err = m->name ? store_write(s, paths_join(path, dir, "name"), m->name) : 0))
        return err;
    return 0;
}

void domain_make(uint32_t domid, const char *name, const char *uuid)
{
    struct make m = { domid, name, uuid };

    REQUIRE(store_transact(dom0, make, &m) == 0);
}

void domain_rename(uint32_t domid, const char *name)
{
    char path[PATHS_MAX];

    snprintf(path, sizeof path, "/local/domain/%u/name", domid);
    REQUIRE(store_write(dom0, path, name) == 0);
}

void domain_remove(uint32_t domid)
{
    char path[PATHS_MAX];

    snprintf(path, sizeof path, "/local/domain/%u", domid);
    REQUIRE(store_remove(dom0, path) == 0);
}

bool domain_has_device(uint32_t domid, uint32_t number)
{
    char path[PATHS_MAX];

    snprintf(path, sizeof path, "/local/domain/0/backend/vsock/%u/%u", domid, number);
    return store_exists(dom0, path) > 0;
}

bool domain_has_frontend(uint32_t domid, uint32_t number)
{
    char path[PATHS_MAX];

    snprintf(path, sizeof path, "/local/domain/%u/device/vsock/%u/state", domid, number);
    return store_exists(dom0, path) > 0;
}

/* ---- the daemon's records ---- */

const char *record_of(uint32_t domid, uint32_t number)
{
    static char record[2048];
    const char *at = daemon_ask("{\"verb\":\"ls\"}"), *begin, *end;
    char id[64];

    snprintf(id, sizeof id, "\"domid\":%u,\"device\":%u,", domid, number);
    if (!(at = strstr(at, id)))
        return NULL;
    for (begin = at; *begin != '{'; begin--)
        ;
    end = strstr(at, "\"error\":");
    REQUIRE(end != NULL);
    end = strchr(end, '}');
    snprintf(record, sizeof record, "%.*s", (int)(end - begin), begin);
    return record;
}

bool record_has(uint32_t domid, uint32_t number, const char *text)
{
    const char *record = record_of(domid, number);

    return record && strstr(record, text);
}

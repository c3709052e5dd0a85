/* SPDX-License-Identifier: MIT */
/* world.c: see world.h. */
#include "world.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"
#include "mock.h"
#include "process.h"

#define PORT 4999u

int xvsd_main(int argc, char **argv);

static char etc[280], settings_path[300], policy_dir[300], policy_path[320];

static void remove_below(const char *dir)
{
    char path[600];
    struct dirent *entry;
    DIR *d = opendir(dir);

    while (d && (entry = readdir(d))) {
        if (entry->d_name[0] == '.' && (!entry->d_name[1] || entry->d_name[1] == '.'))
            continue;
        snprintf(path, sizeof path, "%.300s/%s", dir, entry->d_name);
        if (entry->d_type == DT_DIR)
            remove_below(path);
        if (unlink(path))
            rmdir(path);
    }
    if (d)
        closedir(d);
}

void world_open(void)
{
    snprintf(host_run_dir, sizeof host_run_dir, "%s/xvs-mock.XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    MOCK_MUST(mkdtemp(host_run_dir), "cannot make %s", host_run_dir);
    snprintf(etc, sizeof etc, "%s.etc", host_run_dir);
    MOCK_MUST(!mkdir(etc, 0700), "cannot make %s", etc);
    snprintf(settings_path, sizeof settings_path, "%s/xvsd.conf", etc);
    snprintf(policy_dir, sizeof policy_dir, "%s/policy.d", etc);
    snprintf(policy_path, sizeof policy_path, "%s/50.policy", policy_dir);
    mock_clock = true;
}

void world_close(void)
{
    remove_below(host_run_dir);
    rmdir(host_run_dir);
    remove_below(etc);
    rmdir(etc);
}

void world_new(void)
{
    mock_now_ns = UINT64_C(1000000000000);
    mock_store_write("/local/domain/0/name", "Domain-0");
    mock_store_write("/local/domain/0/domid", "0");
}

void world_over(void)
{
    char below[300];

    snprintf(below, sizeof below, "%.255s/guest", host_run_dir);
    remove_below(below);
    snprintf(below, sizeof below, "%.255s/cid", host_run_dir);
    remove_below(below);
    mock_reset();
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    MOCK_MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "cannot write %s", path);
    close(fd);
}

void world_settings(const char *text)
{
    put(settings_path, text);
}

void world_policy(const char *text)
{
    unlink(policy_path);
    rmdir(policy_dir);
    if (!text)
        return;
    MOCK_MUST(!mkdir(policy_dir, 0700), "cannot make %s", policy_dir);
    put(policy_path, text);
}

bool world_daemon(void)
{
    static char name[] = "xvsd", c[] = "-c", r[] = "-r", one[] = "-1";
    static char *arguments[] = { name, c, settings_path, r, host_run_dir, one, NULL };

    return process_begin(xvsd_main, 6, arguments);
}

/* ---- the toolstack ---- */

void world_name(uint32_t domid, const char *name)
{
    char path[80];

    snprintf(path, sizeof path, "/local/domain/%u/name", domid);
    mock_store_write_bytes(path, name, strlen(name));
}

void world_appear(uint32_t domid, const char *name)
{
    char path[80];

    world_name(domid, name);
    snprintf(path, sizeof path, "/local/domain/%u/domid", domid);
    mock_store_write(path, "%u", domid);
    mock_store_fire("@introduceDomain");
}

void world_die(uint32_t domid, struct front *f, unsigned how)
{
    char path[80];

    snprintf(path, sizeof path, "/local/domain/%u", domid);
    if (how & 1)
        mock_store_remove(path);
    if (how & 2 && f)
        front_die(f);
    if (!(how & 4))
        mock_store_fire("@releaseDomain");
    if (f)
        front_die(f);
    mock_store_remove(path);
    mock_store_fire("@releaseDomain");
}

/* ---- is it well? ---- */

static void guest_connects(struct front *f, const char *dir)
{
    int listener = host_listen(dir, PORT);
    struct conn *c;
    struct host_end h;

    MOCK_MUST(listener >= 0, "a new guest has no directory %s/%s", host_run_dir, dir);
    c = front_open(f, VSOCKIF_CID_HOST, PORT, 65536);
    front_kick(f);
    process_rest();
    front_take(f, 9);
    host_end_init(&h);
    MOCK_MUST(c && c->state == CONN_OPEN && host_accept(&h, listener, 3), "a new guest's REQUEST is not answered");
    MOCK_MUST(front_send(f, c, 1000) == 1000 && host_write(&h, 900) == 900, "a new stream takes nothing");
    front_kick(f);
    process_rest();
    front_take(f, 9);
    MOCK_MUST(host_read(&h, 2000) == 1000 && c->rx == 900, "a new stream lost bytes");
    host_close(&h);
    host_unlisten(listener);
    process_rest();
    front_take(f, 9);
}

static void host_program_connects(struct front *f, const char *dir)
{
    struct conn *c = f->conn;
    struct host_end h;

    host_end_init(&h);
    MOCK_MUST(host_connect(&h, dir, 9, 99, 5), "a new guest's socket is not there");
    process_rest();
    front_take(f, 9);
    while (c < f->conn + FRONT_CONNS && c->state != CONN_OFFERED)
        c++;
    MOCK_MUST(c < f->conn + FRONT_CONNS && front_answer(f, c, 4096), "CONNECT did not come to the guest");
    front_kick(f);
    process_rest();
    host_read(&h, 1);
    MOCK_MUST(!h.wants_ok, "CONNECT is not answered");
    host_write(&h, 10000);
    process_rest();
    front_take(f, FRONT_SLOTS);
    MOCK_MUST(c->rx == 4096, "%u bytes came, with credit for 4096", c->rx);
    host_close(&h);
    process_rest();
}

void world_serves(uint32_t domid, const char *name)
{
    static struct front f;
    char dir[100];

    world_appear(domid, name);
    front_init(&f, domid, 0);
    process_pass(1000);
    MOCK_MUST(front_connect(&f), "a new guest does not come to be connected; frontend %s, backend %s; the log:\n%s",
              mock_store_state(f.dir), mock_store_state(f.back), process_log());
    snprintf(dir, sizeof dir, "guest/%s", name);
    guest_connects(&f, dir);
    host_program_connects(&f, dir);
    world_die(domid, &f, 1);
    process_pass(100);
    MOCK_MUST(!mock_mappings(domid), "the pages of a domain that died are still mapped");
}

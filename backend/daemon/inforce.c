/* SPDX-License-Identifier: MIT */
/* inforce.c: see inforce.h. */
#include "inforce.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "plural.h"

bool inforce_is_shared(const struct keeper *k)
{
    const struct settings *s = k->decided.settings;

    return settings_may_let_in(s, rundir_lets_in) || rundir_lets_in(&s->any) || s->status_group != (gid_t)-1;
}

void inforce_use(struct keeper *k, const struct decided *d)
{
    decided_drop(&k->decided);
    k->decided = *d;
    k->registry.settings = d->settings;
    journal_set_level(k->options->verbose ? JOURNAL_DEBUG : (enum journal_level)d->settings->log_level);
    if (d->built_in)
        journal(JOURNAL_INFO, "there is no %s: the built-in policy holds", d->dir);
    else if (!d->lines)
        journal(JOURNAL_WARNING, "there is no line of a policy in %s: no connection is allowed", d->dir);
}

static int copy_for_worker(int fd)
{
    int copy = fd < 0 ? -1 : decided_again(fd);

    return copy < 0 ? -1 : copy;
}

void inforce_tell(struct keeper *k)
{
    struct wall_msg m = { .kind = WALL_SETTINGS, .settings = { .has_file = k->decided.settings_fd >= 0, .verbose = k->options->verbose } };

    snprintf(m.settings.path, sizeof m.settings.path, "%s", k->options->config);
    wall_send(&k->worker.wall, &(struct wall_msg){ .kind = WALL_POLICY }, copy_for_worker(k->decided.policy_fd));
    wall_send(&k->worker.wall, &m, copy_for_worker(k->decided.settings_fd));
}

int inforce_permit_status(const struct keeper *k)
{
    gid_t group = k->decided.settings->status_group;
    struct access access = { group == (gid_t)-1 ? 0600 : 0660, (uid_t)-1, group };

    return access_set(k->status.name_fd, &access);
}

int inforce_reload(struct keeper *k, char *why)
{
    struct complaints complaints = { 0 };
    struct decided fresh;
    int err = decided_read(k->options, &fresh, &complaints), err2;

    complaints_sum(&complaints, why);
    if (err) {
        journal_event(NULL, EVENT_UNREADABLE, NULL, "the settings and the policy stay as they were: %u error%s", complaints.count,
                      plural(complaints.count));
        decided_say(&complaints);
        sd_notifyf(0, "STATUS=The last reload failed, and what was before it stays in force: %s", why);
        return err;
    }
    sd_notify(0, "STATUS=");
    inforce_use(k, &fresh);
    inforce_tell(k);
    if ((err2 = rundir_permit(&k->rundir, inforce_is_shared(k))))
        journal(JOURNAL_WARNING, "cannot set the mode of %s: %s", k->rundir.path, strerror(-err2));
    if ((err2 = any_dir_permit(&k->any, &k->decided.settings->any)))
        journal(JOURNAL_WARNING, "cannot set the mode of %s: %s", k->any.path, strerror(-err2));
    if ((err2 = inforce_permit_status(k)))
        journal(JOURNAL_WARNING, "cannot let status_group ask at %s/" KEEPER_STATUS ": %s", k->rundir.path, strerror(-err2));
    registry_reloaded(&k->registry);
    journal_event(NULL, EVENT_RELOADED, NULL, "settings read again from %s, and the policy, %zu lines; limits apply to guests that "
                  "connect from now on", k->options->config, fresh.lines);
    return 0;
}

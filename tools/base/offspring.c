/* SPDX-License-Identifier: MIT */
/* offspring.c: see offspring.h. */
#include "offspring.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "proc.h"

struct one {
    pid_t pid;
    struct proc_facts facts;
    bool ours;
};

struct family {
    struct one *all;
    size_t count, room;
};

static void note(pid_t pid, const struct proc_facts *f, void *arg)
{
    struct family *all = arg;

    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 256;
        struct one *more = realloc(all->all, room * sizeof *more);

        if (!more)
            return;             /* those that are known have to do; whoever ends them looks again */
        all->all = more;
        all->room = room;
    }
    all->all[all->count++] = (struct one){ .pid = pid, .facts = *f };
}

static bool is_child_of_ours(const struct family *all, const struct one *one, pid_t us)
{
    if (one->facts.parent == us)
        return true;
    for (size_t i = 0; i < all->count; i++)
        if (all->all[i].ours && all->all[i].pid == one->facts.parent)
            return true;
    return false;
}

unsigned offspring_signal(pid_t session, int number)
{
    struct family all = { 0 };
    unsigned count = 0;
    bool more = true;

    proc_each(note, &all);
    while (more) {
        more = false;
        for (size_t i = 0; i < all.count; i++)
            if (!all.all[i].ours && is_child_of_ours(&all, &all.all[i], getpid()))
                more = all.all[i].ours = true;
    }
    for (size_t i = 0; i < all.count; i++) {
        const struct one *one = &all.all[i];

        if (!one->ours || one->facts.state == 'Z' || one->facts.state == 'X' || (session != OFFSPRING_ANY && one->facts.session != session))
            continue;
        count++;
        if (number)
            kill(one->pid, number);
    }
    free(all.all);
    return count;
}

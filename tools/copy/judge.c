/* SPDX-License-Identifier: MIT */
/* judge.c: see judge.h. */
#include "judge.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void refuse(struct judgement *j, const char *why)
{
    j->what = JUDGE_NO;
    j->why = why;
}

static int place(const char *text, const struct judge_rules *r, char name[NAME_ROOM])
{
    int err = name_judge(text, name);

    return err ? err : name_move(name, r->first, r->first_len, r->as);
}

static enum judge_what kind(const struct judge_entry *e)
{
    if (e->hardlink)
        return JUDGE_HARDLINK;
    switch (e->type) {
    case S_IFREG:
        return JUDGE_FILE;
    case S_IFDIR:
        return JUDGE_DIRECTORY;
    case S_IFLNK:
        return JUDGE_SYMLINK;
    default:
        return JUDGE_NO;
    }
}

void judge(const struct judge_entry *e, const struct judge_rules *r, struct judgement *j)
{
    int err;

    j->what = kind(e);
    j->name[0] = j->link[0] = '\0';
    j->mode = 0;
    j->why = NULL;
    if (!e->name) {
        refuse(j, "it has no name");
        return;
    }
    if ((err = place(e->name, r, j->name))) {
        refuse(j, name_why(err));
        return;
    }
    switch (j->what) {
    case JUDGE_NO:
        refuse(j, "it is a device, a FIFO or a socket, and such are not made");
        return;
    case JUDGE_HARDLINK:
        if ((err = place(e->hardlink, r, j->link)) || !j->link[0])
            refuse(j, "it is a hard link to what is outside of the target");
        break;
    case JUDGE_SYMLINK:
        if (!e->symlink || !*e->symlink || strlen(e->symlink) >= NAME_ROOM)
            refuse(j, "it is a link to nothing, or its target is too long");
        else
            memcpy(j->link, e->symlink, strlen(e->symlink) + 1);
        break;
    case JUDGE_FILE:
        if (e->size < 0)
            refuse(j, "its size is impossible");
        break;
    case JUDGE_DIRECTORY:
        break;
    }
    if (j->what == JUDGE_NO)
        return;
    if (!j->name[0] && j->what != JUDGE_DIRECTORY) {
        refuse(j, "it would replace the target itself");
        return;
    }
    j->mode = e->mode & (r->special ? 07777 : 0777);
    if (r->has_mode && j->what == JUDGE_FILE)
        j->mode = r->mode;
}

/* SPDX-License-Identifier: MIT */
/* name.c: see name.h. */
#include "name.h"

#include <errno.h>
#include <string.h>

int name_judge(const char *text, char name[NAME_ROOM])
{
    size_t at = 0;

    name[0] = '\0';
    if (*text == '/')
        return -EXDEV;
    while (*text) {
        size_t len = strcspn(text, "/");

        if (len == 2 && text[0] == '.' && text[1] == '.')
            return -EXDEV;
        if (len && !(len == 1 && text[0] == '.')) {
            if (len > NAME_PART || at + len + 2 > NAME_ROOM)
                return -ENAMETOOLONG;
            if (at)
                name[at++] = '/';
            memcpy(name + at, text, len);
            at += len;
        }
        text += len;
        text += strspn(text, "/");
    }
    name[at] = '\0';
    return 0;
}

int name_move(char name[NAME_ROOM], const char *first, size_t len, const char *as)
{
    size_t have = strlen(name), put = strlen(as), from = 0;

    if (len) {
        if (have < len || memcmp(name, first, len) != 0 || (name[len] && name[len] != '/'))
            return -EXDEV;
        from = len + (name[len] == '/');
    }
    have -= from;
    if (put + 1 + have + 1 > NAME_ROOM)
        return -ENAMETOOLONG;
    memmove(name + put + (put && have), name + from, have + 1);
    memcpy(name, as, put);
    if (put && have)
        name[put] = '/';
    return 0;
}

const char *name_why(int err)
{
    return err == -ENAMETOOLONG ? "the name is too long"
                                : "the name would leave the target (it is absolute, has '..', or is not what was asked for)";
}

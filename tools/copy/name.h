/* SPDX-License-Identifier: MIT */
/* name.h: the names in an archive, which may come from anybody: judged, and made such that nothing in them needs care any more.
 *
 * A good name is relative, has no "..", and no component or whole that the system would not take.  "." and double slashes are taken out
 * of it.  What may be in it otherwise is anything but a zero byte: names are bytes.  Pure. */
#ifndef XVS_NAME_H
#define XVS_NAME_H

#include <stddef.h>

#define NAME_ROOM 4096          /* PATH_MAX: bytes of a name with its end */
#define NAME_PART 255           /* NAME_MAX: bytes of a component */

/* Writes the good form of text: "" for the top itself.  0, or
 *     -EXDEV         absolute, or it has "..": it would leave the target
 *     -ENAMETOOLONG  a component or the whole is too long */
int name_judge(const char *text, char name[NAME_ROOM]);

/* Puts a good name below another place: its first component must be 'first' (len bytes; 0: it is left as it is), and becomes 'as' ("": it
 * is dropped).  0, -EXDEV: it has another first component; -ENAMETOOLONG. */
int name_move(char name[NAME_ROOM], const char *first, size_t len, const char *as);

/* Why, for a person. */
const char *name_why(int err);

#endif

/* SPDX-License-Identifier: MIT */
/* settings_files.h: settings from the administrator's files: one, such as /etc/xvs/xvsd.conf, and those beside it in the directory of its
 * name with ".d" behind it, /etc/xvs/xvsd.conf.d/NAME.conf, in the order of their names.
 *
 * Beside them is a file called ports, which gives ports their names (xvs-ports(5)); it is the first of the texts.
 *
 * What was read can be handed to a process that can open none of them, as one sequence of bytes: of each file a letter and its path, and
 * its text, each ended by a NUL, which none of them has. */
#ifndef XVSD_SETTINGS_FILES_H
#define XVSD_SETTINGS_FILES_H

#include "settings_text.h"

/* 0 and settings, with the texts that they are made of: none, and the defaults hold.  given: the file must be there.  Else -EINVAL or
 * -ENOMEM, complaints, and in *out, unless it is NULL, what the files say as far as it can be read, so that others can be judged as well;
 * it is the caller's in any case, as the texts are. */
int  settings_load(const char *path, bool given, struct settings **out, struct conf_texts *texts, struct complaints *c);

/* The bytes of texts; NULL without memory.  The caller frees them. */
char *settings_pack(const struct conf_texts *texts, size_t *len);
/* From an open file of such bytes at its begin, which it takes in any case; users and groups are not looked up, for the reader does not
 * need them and has no right to.  0, or a negative errno. */
int  settings_take(int fd, struct settings **out);

#endif

/* SPDX-License-Identifier: MIT */
/* confdir.h: files that the administrator has put into a directory: those whose names have a certain end, in the order of their
 * names (by bytes).
 *
 * We obey what is written there with root's power, so a file is refused that somebody else than root, or than ourselves, may change: the
 * file's owner and mode say so, and the directory's.  For a process that may read the files. */
#ifndef XVSD_CONFDIR_H
#define XVSD_CONFDIR_H

#include "complaints.h"

#define CONFDIR_PATH 600                /* bytes of a path, with its end */
#define CONFDIR_BYTES (1u << 20)        /* of all files together, at most */

/* All bytes of a file; the caller frees text. */
struct conf_text {
    char path[CONFDIR_PATH];
    char *text;                 /* with a NUL behind its end */
    size_t len;
    bool is_ports;              /* it names ports, and is no settings (settings_files.h) */
};

/* Files, in their order.  All zero is none. */
struct conf_texts {
    struct conf_text *files;
    size_t count, bytes;        /* of all texts */
};

/* Adds the files in dir whose names end so (".conf").  0; -ENOENT: there is no such directory, and nothing is complained of; -EINVAL, and
 * it is complained of: those that are good are there all the same; -ENOMEM. */
int  conf_dir_read(const char *dir, const char *ends, struct conf_texts *to, struct complaints *c);
/* The same with one file, whatever its name; -ENOENT: there is none, and nothing is complained of. */
int  conf_file_read(const char *path, struct conf_texts *to, struct complaints *c);
/* The same with an open one from where it stands, which it takes in any case; most: bytes.  A negative errno is an error, too. */
int  conf_fd_read(int fd, size_t most, const char *path, struct conf_texts *to, struct complaints *c);
/* Adds one that is no file. */
int  conf_text_add(struct conf_texts *to, const char *path, const char *text, size_t len);
void conf_texts_free(struct conf_texts *t);

#endif

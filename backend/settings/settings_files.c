/* SPDX-License-Identifier: MIT */
/* settings_files.c: see settings_files.h. */
#include "settings_files.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "portnames.h"

/* Names of ports are beside the settings; where there are none, those that we come with hold. */
static int read_ports(const char *path, struct conf_texts *texts, struct complaints *c)
{
    const char *slash = strrchr(path, '/');
    char beside[CONFDIR_PATH];
    int err;

    snprintf(beside, sizeof beside, "%.*sports", slash ? (int)(slash + 1 - path) : 0, path);
    if ((err = conf_file_read(beside, texts, c)) == -ENOENT)
        err = conf_text_add(texts, "(built in)/ports", portnames_default, (size_t)(portnames_default_end - portnames_default));
    if (texts->count)
        texts->files->is_ports = true;
    return err;
}

static int read_files(const char *path, bool given, struct conf_texts *texts, struct complaints *c)
{
    char dir[CONFDIR_PATH];
    int err = read_ports(path, texts, c), dir_err;

    if (err == -ENOMEM)
        return err;
    err = conf_file_read(path, texts, c);

    if (err == -ENOENT && given)
        complain(c, "cannot read %.300s: %s", path, strerror(ENOENT));
    if (err == -ENOENT && !given)
        err = 0;
    if (err == -ENOMEM || (size_t)snprintf(dir, sizeof dir, "%s.d", path) >= sizeof dir)
        return err;
    dir_err = conf_dir_read(dir, ".conf", texts, c);
    if (dir_err == -ENOENT)
        dir_err = 0;
    return dir_err == -ENOMEM || !err ? dir_err : -EINVAL;
}

int settings_load(const char *path, bool given, struct settings **out, struct conf_texts *texts, struct complaints *c)
{
    int err = read_files(path, given, texts, c);
    bool no_memory = err == -ENOMEM;

    *out = no_memory ? NULL : settings_text_read(texts, true, c, &no_memory);
    if (!no_memory)
        return c->count ? -EINVAL : 0;
    if (!c->count)
        complain(c, "out of memory");
    return -ENOMEM;
}

enum { A_PORTS = 'p', A_SETTINGS = 's' };

char *settings_pack(const struct conf_texts *texts, size_t *len)
{
    char *bytes, *at;

    *len = 0;
    for (size_t i = 0; i < texts->count; i++)
        *len += 1 + strlen(texts->files[i].path) + texts->files[i].len + 2;
    if (!(at = bytes = malloc(*len + 1)))
        return NULL;
    for (size_t i = 0; i < texts->count; i++) {
        *at++ = texts->files[i].is_ports ? A_PORTS : A_SETTINGS;
        at = stpcpy(at, texts->files[i].path) + 1;
        at = stpcpy(at, texts->files[i].text) + 1;
    }
    return bytes;
}

/* 0, -EPROTO: it is no pack, or -ENOMEM. */
static int unpack(const char *bytes, size_t len, struct conf_texts *texts)
{
    const char *end = bytes + len;

    while (bytes < end) {
        const char *path = bytes + 1, *text = path + strnlen(path, (size_t)(end - path)) + 1;
        size_t text_len = text < end ? strnlen(text, (size_t)(end - text)) : 0;

        if ((*bytes != A_PORTS && *bytes != A_SETTINGS) || text >= end || text + text_len == end)
            return -EPROTO;
        if (conf_text_add(texts, path, text, text_len))
            return -ENOMEM;
        texts->files[texts->count - 1].is_ports = *bytes == A_PORTS;
        bytes = text + text_len + 1;
    }
    return 0;
}

int settings_take(int fd, struct settings **out)
{
    struct conf_texts whole = { 0 }, texts = { 0 };
    struct complaints complaints = { 0 };
    bool no_memory = false;
    int err = conf_fd_read(fd, SIZE_MAX, "", &whole, &complaints);

    if (!err)
        err = unpack(whole.files->text, whole.files->len, &texts);
    *out = err ? NULL : settings_text_read(&texts, false, &complaints, &no_memory);
    if (!err && complaints.count)
        err = no_memory ? -ENOMEM : -EINVAL;
    if (err) {
        settings_free(*out);
        *out = NULL;
    }
    conf_texts_free(&whole);
    conf_texts_free(&texts);
    complaints_free(&complaints);
    return err;
}

/* SPDX-License-Identifier: MIT */
/* policy_dir.c: see policy_dir.h. */
#include "policy_dir.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "confdir.h"
#include "list.h"

#define BUILT_IN "(built in)/90-default.policy"
#define ENDS     ".policy"

/* Relative to the folder in which all is compiled (the Makefile says so, too). */
__asm__(".pushsection .rodata\n"
        ".globl policy_default, policy_default_end\n"
        "policy_default: .incbin \"dist/90-default.policy\"\n"
        "policy_default_end: .byte 0\n"
        ".popsection\n");

/* ---- users and groups ---- */

struct host_ids {
    struct policy_ids ids;
    struct policy_pack found;   /* the pack's records of them */
};

/* A name that is none may be a number. */
static int find_number(const char *name, uint32_t *id)
{
    char *end;
    unsigned long long value = strtoull(name, &end, 10);

    if (*name < '0' || *name > '9' || *end || value >= UINT32_MAX)
        return -ENOENT;
    *id = (uint32_t)value;
    return 0;
}

static int find_id(struct policy_ids *ids, bool group, const char *name, uint32_t *id)
{
    const struct passwd *pw = group ? NULL : getpwnam(name);
    const struct group *gr = group ? getgrnam(name) : NULL;
    int err = 0;

    if (pw)
        *id = pw->pw_uid;
    else if (gr)
        *id = gr->gr_gid;
    else
        err = find_number(name, id);
    return err ? err : policy_pack_id(&container_of(ids, struct host_ids, ids)->found, group, name, *id);
}

/* ---- files ---- */

static int pack_texts(const struct conf_texts *texts, struct policy_pack *pack)
{
    int err = 0;

    for (size_t i = 0; !err && i < texts->count; i++)
        err = policy_pack_file(pack, texts->files[i].path, texts->files[i].text, texts->files[i].len);
    return err;
}

/* What can be read is packed in any case. */
static int pack_all(const char *path, bool given, struct policy_pack *pack, struct complaints *c)
{
    struct conf_texts texts = { 0 };
    int err = conf_dir_read(path, ENDS, &texts, c), pack_err;

    if (err == -ENOENT && !given)
        return policy_pack_file(pack, BUILT_IN, policy_default, (size_t)(policy_default_end - policy_default));
    if (err == -ENOENT)
        complain(c, "cannot read the policies in %.300s: %s", path, strerror(-err));
    pack_err = pack_texts(&texts, pack);
    conf_texts_free(&texts);
    return pack_err ? pack_err : err;
}

int policy_load(const char *dir, bool given, const struct settings *settings, struct policy_pack *pack, struct policy **out,
                struct complaints *c)
{
    struct host_ids ids = { .ids.find = find_id };
    struct policy *p = NULL;
    int err = pack_all(dir, given, pack, c), read_err;

    if (err == -ENOMEM)
        complain(c, "out of memory");
    else if ((read_err = policy_pack_read(pack, settings, &ids.ids, &p, c)))
        err = read_err;
    if (!err && (err = policy_pack_bytes(pack, ids.found.bytes, ids.found.len)))
        complain(c, "out of memory");
    policy_pack_free(&ids.found);
    if (err) {
        policy_free(p);
        policy_pack_free(pack);
    } else {
        *out = p;
    }
    return err;
}

bool policy_is_built_in(const struct policy *p)
{
    return p->count && !strcmp(p->lines->file, BUILT_IN);
}

int policy_take(int fd, const struct settings *settings, struct policy **out)
{
    struct complaints complaints = { 0 };
    struct conf_texts whole = { 0 };
    struct policy_pack pack = { 0 };
    int err = conf_fd_read(fd, SIZE_MAX, "", &whole, &complaints);

    if (!err)
        err = policy_pack_bytes(&pack, whole.files->text, whole.files->len);
    if (!err)
        err = policy_pack_read(&pack, settings, NULL, out, &complaints);
    policy_pack_free(&pack);
    conf_texts_free(&whole);
    complaints_free(&complaints);
    return err;
}

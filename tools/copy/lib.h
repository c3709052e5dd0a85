/* SPDX-License-Identifier: MIT */
/* lib.h: libarchive, loaded when something is copied and not before.
 *
 * It brings ten libraries with it (XML, ICU, C++), and what is linked with it takes 3 ms longer to start and 2.5 MiB more memory: too
 * much for a command that is mostly called for other things, and for an agent that sits in every guest. */
#ifndef XVS_LIB_H
#define XVS_LIB_H

#include <archive.h>
#include <archive_entry.h>

#define LIB_CALLS(X) \
    X(archive_error_string) X(archive_set_error) X(archive_errno) \
    X(archive_write_new) X(archive_write_free) X(archive_write_close) X(archive_write_open) X(archive_write_header) \
    X(archive_write_data) X(archive_write_finish_entry) X(archive_write_set_format_pax) X(archive_write_add_filter_zstd) \
    X(archive_write_set_bytes_per_block) X(archive_write_set_bytes_in_last_block) \
    X(archive_read_new) X(archive_read_free) X(archive_read_open) X(archive_read_next_header) X(archive_read_data_block) \
    X(archive_read_support_format_tar) X(archive_read_support_filter_zstd) \
    X(archive_entry_new) X(archive_entry_free) X(archive_entry_clear) \
    X(archive_entry_copy_pathname) X(archive_entry_copy_symlink) X(archive_entry_copy_stat) X(archive_entry_set_size) \
    X(archive_entry_unset_atime) X(archive_entry_unset_ctime) X(archive_entry_sparse_add_entry) \
    X(archive_entry_pathname) X(archive_entry_pathname_utf8) X(archive_entry_symlink) X(archive_entry_symlink_utf8) \
    X(archive_entry_hardlink) X(archive_entry_hardlink_utf8) X(archive_entry_filetype) X(archive_entry_perm) X(archive_entry_size) \
    X(archive_entry_uid) X(archive_entry_gid) X(archive_entry_mtime) X(archive_entry_mtime_nsec) X(archive_entry_mtime_is_set) \
    X(archive_entry_linkresolver_new) X(archive_entry_linkresolver_free) X(archive_entry_linkresolver_set_strategy) \
    X(archive_entry_linkify)

struct lib {
#define LIB_MEMBER(name) __typeof__(&name) name;
    LIB_CALLS(LIB_MEMBER)
#undef LIB_MEMBER
};

extern struct lib lib;

/* 0, or -ENOPKG with why.  From then on the thread reads names as UTF-8, whatever its locale was: an archive keeps
 * those that are UTF-8 as such, and others as bytes. */
int lib_load(const char **why);

#endif

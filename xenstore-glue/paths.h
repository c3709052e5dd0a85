/* SPDX-License-Identifier: MIT */
/* paths.h: where a device lives in xenstore (vsockif.h, section 2).
 *
 * Three numbers name a device: the frontend's domid, the backend's, the device's number.  A guest uses the
 * relative path of its own directory: xenstored puts /local/domain/<domid>/ before it, and a watch on it survives
 * a restore under another domid.  No I/O, no state, any thread. */
#ifndef XVS_PATHS_H
#define XVS_PATHS_H

#include <stdbool.h>
#include <stdint.h>

#define PATHS_MAX      128          /* bytes of any path here, with its end */
#define PATHS_DOMID    0x7ff0u      /* domids are below (Xen: DOMID_FIRST_RESERVED) */
#define PATHS_DEVICES  256u         /* device numbers are below */

struct device_id {
    uint32_t front;             /* domid of the guest */
    uint32_t back;              /* domid of the backend, mostly 0 */
    uint32_t number;            /* of the device within the guest */
};

/* The directories of one device, without a slash at the end. */
struct paths {
    char front[PATHS_MAX];      /* /local/domain/F/device/vsock/N, or device/vsock/N */
    char back[PATHS_MAX];       /* /local/domain/B/backend/vsock/F/N */
    char error[PATHS_MAX];      /* /local/domain/B/error/backend/vsock/F/N */
};

/* As dom0 sees it: absolute. */
void paths_of(struct paths *out, const struct device_id *id);
/* As the guest sees it: its own directory is relative.  back must be exactly the path that the backend
 * with domid back_id has for this device of some guest; -EINVAL and a sentence in why (PARSE_WHY bytes, or
 * NULL) otherwise.  *id, if not NULL, is filled. */
int paths_of_guest(struct paths *out, uint32_t number, const char *back, uint32_t back_id,
                   struct device_id *id, char *why);
/* device/vsock/N into out (PATHS_MAX bytes): what a guest knows before it has read "backend". */
void paths_front_own(char *out, uint32_t number);

/* dir/leaf into out (PATHS_MAX bytes).  Returns out, for use in a call; both parts are ours and fit. */
const char *paths_join(char *out, const char *dir, const char *leaf);

/* The id in /local/domain/B/backend/vsock/F/N: 0 or -EINVAL. */
int paths_parse_back(const char *path, struct device_id *out);

#endif

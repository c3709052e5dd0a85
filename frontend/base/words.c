/* SPDX-License-Identifier: MIT */
/* words.c: an error for a person: what was tried, what the system said, and what may be done about it.
 *
 * What may be done depends on both: "no such file" means a module when it is a device that could not be opened, and "no space" a
 * limit of gntalloc when pages could not be shared; but too many open files are too many open files whatever was tried. */
#include "words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "xvs.h"

static __thread char open_error[384];

static const struct {
    const char *tried;          /* "cannot …" */
    const char *missing;        /* ENOENT, ENODEV, ENXIO */
    const char *denied;         /* EACCES, EPERM */
    const char *full;           /* ENOSPC, E2BIG */
} attempts[] = {
    [TRY_DESCRIPTOR] = { .tried = "make a descriptor to wait with",
                         .full = "this user has no more watches: raise fs.epoll.max_user_watches" },
    [TRY_LOCK]       = { .tried = "lock",
                         .missing = "is there such a directory?",
                         .denied = "only its owner may, and root; two users cannot share a device" },
    [TRY_XENSTORE]   = { .tried = "reach xenstore",
                         .missing = "is this a Xen domain, with /dev/xen/xenbus?",
                         .denied = "root may, and whom the mode of /dev/xen/xenbus allows, as the group of the package xvs-guest" },
    [TRY_WATCH]      = { .tried = "watch the device in xenstore",
                         .full = "this domain has as many watches as xenstored allows one" },
    [TRY_LOOK]       = { .tried = "read the device's nodes in xenstore",
                         .denied = "they are not this domain's: was it restored, or attached by hand?" },
    [TRY_WRITE]      = { .tried = "write the device's nodes in xenstore",
                         .denied = "they are not this domain's: was it restored, or attached by hand?",
                         .full = "this domain has as many nodes as xenstored allows one" },
    [TRY_CHANNELS]   = { .tried = "open the event channel device, /dev/xen/evtchn",
                         .missing = "is this a Xen guest, and the module xen-evtchn loaded?",
                         .denied = "root may, and whom the mode of that file allows, as the group of the package xvs-guest" },
    [TRY_CHANNEL]    = { .tried = "allocate an event channel for",
                         .full = "the guest has none left: other programs hold them, or max_event_channels is too low" },
    [TRY_GRANTS]     = { .tried = "open the grant device, /dev/xen/gntalloc",
                         .missing = "is this a Xen guest, and the module xen-gntalloc loaded?",
                         .denied = "root may, and whom the mode of that file allows, as the group of the package xvs-guest" },
    [TRY_PAGES]      = { .tried = "share pages with",
                         .full = "raise the parameter 'limit' of the module xen-gntalloc, or end other programs that share" },
    [TRY_TABLE]      = { .tried = "make the table of connections" },
    [TRY_FORK]       = { .tried = "take care of forks" },
};

static const char *advice(enum attempt what, int err)
{
    switch (-err) {
    case EMFILE:
        return "this process has no more descriptors: it leaks them, or its limit is low (ulimit -n)";
    case ENFILE:
        return "the system has no more descriptors: raise fs.file-max";
    case ENOMEM:
        return "there is no memory for it";
    case EROFS:
        return "the file system cannot be written to";
    case EBUSY:
        return "another program has it";
    case ECONNREFUSED:
        return what == TRY_XENSTORE ? "xenstored does not run" : NULL;
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return attempts[what].missing;
    case EACCES:
    case EPERM:
        return attempts[what].denied;
    case ENOSPC:
    case E2BIG:
        return attempts[what].full;
    default:
        return NULL;
    }
}

void words_of(char *text, size_t size, enum attempt what, const char *with, int err)
{
    const char *hint = advice(what, err);

    snprintf(text, size, "cannot %s%s%s: %s%s%s", attempts[what].tried, *with ? " " : "", with, strerror(-err), hint ? "; " : "",
             hint ? hint : "");
}

int words_fail(enum attempt what, const char *with, int err)
{
    words_of(open_error, sizeof open_error, what, with, err);
    return err;
}

int words_say(int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(open_error, sizeof open_error, format, args);
    va_end(args);
    return err;
}

const char *xvs_open_error(void)
{
    return open_error;
}

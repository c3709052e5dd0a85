/* SPDX-License-Identifier: MIT */
/* lib.c: see lib.h. */
#include "lib.h"

#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <stdbool.h>

#define LIB_FILE "libarchive.so.13"

struct lib lib;

static const struct call {
    const char *name;
    size_t at;
} calls[] = {
#define LIB_CALL(name) { #name, offsetof(struct lib, name) },
    LIB_CALLS(LIB_CALL)
#undef LIB_CALL
};

int lib_load(const char **why)
{
    static bool loaded;
    locale_t utf8;
    void *so;

    if (loaded)
        return 0;
    *why = "copying needs " LIB_FILE ": install libarchive13 there";
    if (!(so = dlopen(LIB_FILE, RTLD_NOW | RTLD_LOCAL)))
        return -ENOPKG;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        void *call = dlsym(so, calls[i].name);

        if (!call) {
            *why = "this libarchive is too old to copy with";
            return -ENOPKG;
        }
        *(void **)((char *)&lib + calls[i].at) = call;
    }
    if ((utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL)))
        uselocale(utf8);
    loaded = true;
    return 0;
}

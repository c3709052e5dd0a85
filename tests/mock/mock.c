/* SPDX-License-Identifier: MIT */
/* mock.c: what the files of this folder share; see mock.h. */
#include "mock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int (*mock_on_call)(enum mock_call call);
bool mock_in_product;
bool (*mock_threads)(void);
bool mock_threads_stand;
uint32_t mock_self;
char mock_doing[200];

const char *mock_call_name(enum mock_call call)
{
    static const char *const names[] = {
#define X(name) #name,
        MOCK_CALLS(X)
#undef X
    };

    return names[call];
}

struct mock_scope mock_begin(enum mock_call call)
{
    struct mock_scope scope = { mock_in_product, 0 };

    mock_in_product = false;
    if (scope.was && mock_on_call)
        scope.err = mock_on_call(call);
    return scope;
}

void mock_end(struct mock_scope *scope)
{
    mock_in_product = scope->was;
}

void mock_fatal(const char *file, int line, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s:%d: %s%s", file, line, mock_doing, *mock_doing ? ": " : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

void mock_reset(void)
{
    mock_store_reset();
    mock_grants_reset();
    mock_events_reset();
    mock_vhost_reset();
    mock_self = 0;
}

const char *mock_left_over(void)
{
    const char *left = mock_store_left_over();

    if (!*left)
        left = mock_grants_left_over();
    return *left ? left : mock_events_left_over();
}

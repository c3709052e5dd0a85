/* SPDX-License-Identifier: MIT */
/* memory.c: malloc() and its like, for tests that let them fail, as calls.c. */
#include <stdlib.h>
#include <string.h>

#include "mock.h"

#define WRAP(name, parameters, arguments)                                                                              \
    void *__wrap_##name parameters;                                                                                    \
    void *__wrap_##name parameters                                                                                     \
    {                                                                                                                  \
        MOCK_ENTER(name, NULL)                                                                                         \
        return name arguments;                                                                                \
    }

WRAP(malloc, (size_t size), (size))
WRAP(calloc, (size_t n, size_t size), (n, size))
WRAP(realloc, (void *old, size_t size), (old, size))
WRAP(reallocarray, (void *old, size_t n, size_t size), (old, n, size))

char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    MOCK_ENTER(strdup, NULL)
    return strdup(text);
}

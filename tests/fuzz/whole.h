/* SPDX-License-Identifier: MIT */
/* whole.h: what the targets share that run a whole program or library on a mocked host (tests/mock): an input leaves no descriptor
 * and no byte of memory behind.  XVS_FUZZ_LOUD in the environment shows what happens.  Included once; the target has
 * run(), and warm_up(), which does whatever libraries allocate once and keep. */
#ifndef FUZZ_WHOLE_H
#define FUZZ_WHOLE_H

#include <stdlib.h>

#include "mock.h"
#include "process.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

static void run(const uint8_t *data, size_t size);
static void warm_up(void);

/* Memory is counted below; a small quarantine is enough for one input, and memory that goes back to the system costs time. */
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=16:malloc_context_size=4:detect_leaks=0:allocator_release_to_os_interval_ms=-1";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool warm;

    if (!warm) {
        process_is_loud = getenv("XVS_FUZZ_LOUD");
        warm_up();
    }
    warm = true;
    process_count();
    run(data, size);
    MOCK_MUST(!*process_left_over(), "left over: %s", process_left_over());
    return 0;
}

#endif

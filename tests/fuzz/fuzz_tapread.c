/* SPDX-License-Identifier: MIT */
/* fuzz_tapread.c: whatever comes in place of a capture's records: it is refused, or made into pcapng and lines. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcapng.h"
#include "tapread.h"
#include "traceline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static FILE *nowhere;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tapread t = { .bytes = malloc(TAPREAD_BYTES) };
    struct pcapng p;
    int got = 0;

    if (!t.bytes || (!nowhere && !(nowhere = fopen("/dev/null", "w"))))
        abort();
    pcapng_begin(&p, nowhere, "web1:0", "", 0);
    for (size_t at = 0; at < size && got >= 0;) {
        const struct tapif_record *r;
        const uint8_t *bytes;
        size_t room, piece = 1 + data[at] % 97;
        void *to = tapread_room(&t, &room);

        piece = piece < size - at ? piece : size - at;
        if (room < piece)
            abort();
        memcpy(to, data + at, piece);
        tapread_added(&t, piece);
        at += piece;
        while ((got = tapread_next(&t, &r, &bytes)) == 1) {
            if (r->captured > TAPIF_SNAP_MOST)
                abort();
            pcapng_packet(&p, r, bytes);
            traceline_print(nowhere, "web1", r, bytes);
            traceline_print_dropped(nowhere, r, r->dropped);
            if (r->kind == TAPIF_END)
                pcapng_end(&p, r);
        }
        if (got && got != -EPROTO)
            abort();
    }
    free(t.bytes);
    return 0;
}

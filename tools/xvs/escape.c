/* SPDX-License-Identifier: MIT */
/* escape.c: see escape.h. */
#include "escape.h"

size_t escape_filter(struct escape *e, const uint8_t *keys, size_t len, uint8_t *out, bool *leave)
{
    size_t n = 0;

    for (size_t i = 0; i < len && !*leave; i++) {
        uint8_t key = keys[i];

        if (!e->within && !e->tilde && key == '~') {
            e->tilde = true;
            continue;
        }
        if (e->tilde && key == '.') {
            *leave = true;
            continue;
        }
        if (e->tilde && key != '~')
            out[n++] = '~';
        e->tilde = false;
        e->within = key != '\r' && key != '\n';
        out[n++] = key;
    }
    return n;
}

/* SPDX-License-Identifier: MIT */
/* fuzz_portnames.c: a file of names of ports of any bytes: each entry is a name and a port, none is there twice, and what is wrong is told
 * with its line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "portnames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(holds) do { if (!(holds)) { fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds); abort(); } } while (0)

static void hear(void *arg, unsigned line, const char *what)
{
    unsigned *last = arg;

    must(line >= 1 && line >= *last && *what && strlen(what) < PORTNAMES_WHY);
    *last = line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct portnames p;
    unsigned last = 0;
    int err = portnames_read(&p, (const char *)data, size, hear, &last);

    must((err != 0) == (last != 0));
    must(p.count <= PORTNAMES_MOST);
    for (size_t i = 0; i < p.count; i++) {
        uint32_t number;

        must(portnames_is_name(p.entry[i].name) && p.entry[i].number <= PORTNAMES_LAST);
        must(portnames_find(&p, p.entry[i].name, &number) && number == p.entry[i].number);
    }
    portnames_free(&p);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* portnames.h: names of ports, as /etc/xvs/ports has them (xvs-ports(5)): of a line the first word is a name, the second its number, further
 * ones are other names of it, and what follows # is a comment.
 *
 * A name begins with a letter, so that it cannot be taken for a number or a range, and has letters, digits and _.+- alone, so that it
 * can stand in a list.  Pure; a table is one heap object that nobody changes. */
#ifndef XVS_PORTNAMES_H
#define XVS_PORTNAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORTNAMES_FILE "/etc/xvs/ports"
#define PORTNAMES_NAME 33           /* bytes of a name, with its end */
#define PORTNAMES_WHY  160          /* …of what is wrong */
#define PORTNAMES_MOST 4096u        /* names */
#define PORTNAMES_LAST UINT32_C(4294967294)

struct portnames {
    struct portnames_entry {
        uint32_t number;
        char name[PORTNAMES_NAME];
    } *entry;
    size_t count;
};

/* It may be one. */
bool portnames_is_name(const char *text);
/* All of it is read, whatever is wrong with some lines: wrong() hears of each, with its line from 1.  0, -EINVAL or -ENOMEM; the table is the
 * caller's in any case. */
int  portnames_read(struct portnames *p, const char *text, size_t len, void (*wrong)(void *arg, unsigned line, const char *what), void *arg);
/* Accepts NULL, in which nothing is. */
bool portnames_find(const struct portnames *p, const char *name, uint32_t *number);
/* Harmless on all zero. */
void portnames_free(struct portnames *p);

/* The text of dist/ports, which holds where there is no file. */
extern const char portnames_default[], portnames_default_end[];

#endif

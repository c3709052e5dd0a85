/* SPDX-License-Identifier: MIT */
/* lstable.c: see lstable.h. */
#include "lstable.h"

#include <string.h>

#include "fit.h"
#include "say.h"

#define GAP      2u
#define CELL     24u            /* bytes of a number's text, with its end */
#define NAME     12u            /* columns: a name has at least, if it is as long */
#define SAYS     16u            /* …and a sentence, */
#define TALK     2u             /* …for which columns of this rank make way */

enum what { WHAT_NAME, WHAT_DOMID, WHAT_DEVICE, WHAT_CID, WHAT_STATE, WHAT_CONNECTIONS, WHAT_FROM, WHAT_TO, WHAT_NOTIFIED, WHATS };

static const struct column {
    const char *title;
    unsigned width;
    unsigned rank;              /* the greatest goes first; 0: never */
} columns_of[WHATS] = {
    [WHAT_NAME]        = { "NAME", 4, 0 },
    [WHAT_DOMID]       = { "DOMID", 5, 3 },
    [WHAT_DEVICE]      = { "DEV", 3, 4 },
    [WHAT_CID]         = { "CID", 10, 2 },
    [WHAT_STATE]       = { "STATE", 8, 0 },
    [WHAT_CONNECTIONS] = { "CONNS", 5, 1 },
    [WHAT_FROM]        = { "FROM", 8, 1 },
    [WHAT_TO]          = { "TO", 8, 1 },
    [WHAT_NOTIFIED]    = { "NOTIFIED", 9, 5 }
};

struct layout {
    bool shown[WHATS];
    unsigned name, says;        /* columns; says: UINT32_MAX for all that there is */
};

static const char *text_of(const json_t *guest, const char *key)
{
    const char *text = json_string_value(json_object_get(guest, key));

    return text ? text : "";
}

static uint64_t number_of(const json_t *guest, const char *key, const char *inner)
{
    const json_t *value = json_object_get(guest, key);

    return (uint64_t)json_integer_value(inner ? json_object_get(value, inner) : value);
}

/* What the word of its state does not say; and of one in use what is wrong all the same. */
static const char *says_of(const json_t *guest)
{
    return text_of(guest, strcmp(text_of(guest, "use"), "in use") == 0 ? "error" : "says");
}

static const char *colour_of(const char *use)
{
    if (strcmp(use, "in use") == 0)
        return "\033[32m";
    return strcmp(use, "refused") == 0 ? "\033[31m" : "\033[33m";
}

/* ---- the layout ---- */

static unsigned width_of(const struct layout *l)
{
    unsigned sum = l->name;

    for (int i = WHAT_NAME + 1; i < WHATS; i++)
        sum += l->shown[i] ? GAP + columns_of[i].width : 0;
    return sum;
}

/* One of this rank or a greater one; false if none is shown. */
static bool hide_one(struct layout *l, unsigned rank)
{
    int worst = -1;

    for (int i = 0; i < WHATS; i++)
        if (l->shown[i] && columns_of[i].rank >= rank && (worst < 0 || columns_of[i].rank >= columns_of[worst].rank))
            worst = i;
    if (worst >= 0)
        l->shown[worst] = false;
    return worst >= 0;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Names come first, then the numbers that matter, then what is said. */
static void lay_out(struct layout *l, const json_t *guests, unsigned columns)
{
    unsigned longest = columns_of[WHAT_NAME].width, says = 0, need;
    json_t *guest;
    size_t i;

    json_array_foreach(guests, i, guest) {
        unsigned n = fit_columns(text_of(guest, "name")), m = fit_columns(says_of(guest));

        longest = n > longest ? n : longest;
        says = m > says ? m : says;
    }
    memset(l->shown, true, sizeof l->shown);
    l->name = longest;
    l->says = UINT32_MAX;
    if (!columns)
        return;
    l->name = least(longest, columns / 2 > NAME ? columns / 2 : NAME);
    need = says ? GAP + least(says, SAYS) : 0;
    while (width_of(l) + need > columns && hide_one(l, TALK))
        ;
    while (width_of(l) > columns && hide_one(l, 1))
        ;
    if (width_of(l) > columns)
        l->name = l->name > width_of(l) - columns ? l->name - (width_of(l) - columns) : 1;
    l->says = columns > width_of(l) + GAP ? columns - width_of(l) - GAP : 0;
}

/* ---- lines ---- */

static void number_text(char text[CELL], const json_t *guest, enum what what)
{
    char size[SIZE_TEXT];
    uint64_t number = 0;

    switch (what) {
    case WHAT_FROM: snprintf(text, CELL, "%s", size_text(size, number_of(guest, "from_guest", "bytes"))); return;
    case WHAT_TO:   snprintf(text, CELL, "%s", size_text(size, number_of(guest, "to_guest", "bytes"))); return;
    case WHAT_DOMID:       number = number_of(guest, "domid", NULL); break;
    case WHAT_DEVICE:      number = number_of(guest, "device", NULL); break;
    case WHAT_CONNECTIONS: number = number_of(guest, "connections", NULL); break;
    case WHAT_NOTIFIED:    number = number_of(guest, "notifications", "sent") + number_of(guest, "notifications", "received"); break;
    case WHAT_CID:
        if ((number = number_of(guest, "cid", NULL)))
            break;
        snprintf(text, CELL, "-");
        return;
    default: break;
    }
    snprintf(text, CELL, "%llu", (unsigned long long)number);
}

static void print_coloured(FILE *to, const char *text, unsigned width, bool pads, const char *colour)
{
    fputs(colour ? colour : "", to);
    fit_print(to, text, width, false);
    fputs(colour ? "\033[0m" : "", to);
    if (pads && fit_columns(text) < width)
        fprintf(to, "%*s", (int)(width - fit_columns(text)), "");
}

static void print_guest(FILE *to, const struct layout *l, const json_t *guest, bool colour)
{
    const char *use = text_of(guest, "use"), *says = says_of(guest);
    char text[CELL];

    fit_print(to, text_of(guest, "name"), l->name, true);
    for (int i = WHAT_NAME + 1; i < WHATS; i++) {
        if (!l->shown[i])
            continue;
        fputs("  ", to);
        if (i == WHAT_STATE) {
            print_coloured(to, *use ? use : "?", columns_of[i].width, true, colour ? colour_of(use) : NULL);
            continue;
        }
        number_text(text, guest, (enum what)i);
        fprintf(to, "%*s", (int)columns_of[i].width, text);
    }
    if (*says && l->says) {
        fputs("  ", to);
        print_coloured(to, says, l->says, false, colour ? colour_of(*text_of(guest, "error") ? "refused" : use) : NULL);
    }
    putc('\n', to);
}

static void print_titles(FILE *to, const struct layout *l, bool colour)
{
    fputs(colour ? "\033[1m" : "", to);
    fit_print(to, columns_of[WHAT_NAME].title, l->name, true);
    for (int i = WHAT_NAME + 1; i < WHATS; i++)
        if (l->shown[i])
            fprintf(to, "  %*s", i == WHAT_STATE ? -(int)columns_of[i].width : (int)columns_of[i].width, columns_of[i].title);
    fputs(colour ? "\033[0m\n" : "\n", to);
}

void lstable_print(FILE *to, const json_t *guests, unsigned columns, bool colour)
{
    struct layout l;
    json_t *guest;
    size_t i;

    lay_out(&l, guests, columns);
    print_titles(to, &l, colour);
    json_array_foreach(guests, i, guest)
        print_guest(to, &l, guest, colour);
}

/* SPDX-License-Identifier: MIT */
/* hash.c: see hash.h. */
#include "hash.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define FIRST_CHAINS 64u

int hash_init(struct hash *h)
{
    *h = (struct hash){ .chains = FIRST_CHAINS, .low = FIRST_CHAINS, .room = FIRST_CHAINS };
    h->chain = calloc(h->room, sizeof *h->chain);
    return h->chain ? 0 : -ENOMEM;
}

void hash_free(struct hash *h)
{
    free(h->chain);
    *h = (struct hash){ 0 };
}

/* Adds one chain at the end and gives it those links of its lower twin whose next bit of the key is set. */
static void add_chain(struct hash *h)
{
    struct hash_link **from, **to;

    if (h->chains == h->room) {
        struct hash_link **bigger;

        if (h->room > UINT32_MAX / 4 || !(bigger = realloc(h->chain, 2 * h->room * sizeof *bigger)))
            return;
        h->chain = bigger;
        h->room *= 2;
    }
    from = &h->chain[h->chains - h->low];
    to = &h->chain[h->chains];
    while (*from) {
        struct hash_link *link = *from;

        if (link->key & h->low) {
            *from = link->next;
            *to = link;
            to = &link->next;
        } else {
            from = &link->next;
        }
    }
    *to = NULL;
    if (++h->chains == 2 * h->low)
        h->low *= 2;
}

static struct hash_link **chain_of(struct hash *h, uint32_t key)
{
    uint32_t i = key & (2 * h->low - 1);

    return &h->chain[i < h->chains ? i : i - h->low];
}

void hash_insert(struct hash *h, struct hash_link *link, uint32_t key)
{
    struct hash_link **head;

    if (++h->count > h->chains)
        add_chain(h);
    head = chain_of(h, key);
    link->key = key;
    link->next = *head;
    *head = link;
}

void hash_remove(struct hash *h, struct hash_link *link)
{
    struct hash_link **at = chain_of(h, link->key);

    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    h->count--;
}

void hash_seed(struct hash_seed *seed)
{
    /* Early in a boot getrandom() may have nothing yet; an address is then better than a constant. */
    if (getrandom(seed, sizeof *seed, GRND_NONBLOCK) != (ssize_t)sizeof *seed)
        for (int i = 0; i < 3; i++)
            seed->word[i] = ((uint64_t)(uintptr_t)seed >> 4) * (UINT64_C(0x9e3779b97f4a7c15) + 2 * (uint64_t)i);
    for (int i = 0; i < 3; i++)
        seed->word[i] |= 1;
}

uint32_t hash_random(void)
{
    static uint32_t calls;
    struct hash_seed seed;

    hash_seed(&seed);
    return hash_words(&seed, ++calls, 0, 0);
}

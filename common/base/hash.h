/* SPDX-License-Identifier: MIT */
/* hash.h: an intrusive hash table that grows by one chain at each insertion (linear hashing, Litwin 1980), so
 * that no insertion ever pays for moving all the others.
 *
 * The table stores links that live in the caller's records; it allocates its array of chains alone, and when that
 * cannot grow the chains get longer and nothing fails.  Keys are 32-bit hashes that the caller computes,
 * with hash_words() and a seed of its own where a stranger chooses what is hashed.
 *
 *     for (struct hash_link *l = hash_first(&h, key); l; l = l->next)
 *         if (l->key == key && is_the_one(container_of(l, struct record, link)))
 *             … */
#ifndef XVS_HASH_H
#define XVS_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_link {
    struct hash_link *next;
    uint32_t key;
};

struct hash {
    struct hash_link **chain;
    uint32_t chains;            /* in use, low <= chains < 2 * low */
    uint32_t low;               /* a power of two */
    uint32_t room;              /* chains allocated */
    uint32_t count;             /* links in the table */
};

struct hash_seed {
    uint64_t word[3];
};

/* 0 or -ENOMEM. */
int  hash_init(struct hash *h);
/* Accepts a zeroed table.  The links are the caller's. */
void hash_free(struct hash *h);

void hash_insert(struct hash *h, struct hash_link *link, uint32_t key);
/* link must be in the table. */
void hash_remove(struct hash *h, struct hash_link *link);

/* Random words that a peer cannot guess. */
void hash_seed(struct hash_seed *seed);
/* Another such number each time. */
uint32_t hash_random(void);

static inline struct hash_link *hash_first(const struct hash *h, uint32_t key)
{
    uint32_t i = key & (2 * h->low - 1);

    return h->chain[i < h->chains ? i : i - h->low];
}

static inline size_t hash_memory(const struct hash *h)
{
    return h->room * sizeof *h->chain;
}

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t hash_words(const struct hash_seed *seed, uint64_t a, uint64_t b, uint64_t c)
{
    return (uint32_t)hash_fold(hash_fold(a ^ seed->word[0], b ^ seed->word[1]) ^ c, seed->word[2]);
}

#endif

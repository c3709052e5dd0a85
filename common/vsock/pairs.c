/* SPDX-License-Identifier: MIT */
/* pairs.c: which connection has a pair of addresses: the one that is neither over nor replaced (vmux_settle()). */
#include "vmux_impl.h"

static uint32_t pair_key(const struct vmux *m, const struct vaddr *local, const struct vaddr *peer)
{
    return hash_words(&m->seed, (uint64_t)local->port << 32 | peer->port, local->cid, peer->cid);
}

struct vmux_conn *pairs_find(const struct vmux *m, const struct vaddr *local, const struct vaddr *peer)
{
    uint32_t key = pair_key(m, local, peer);

    for (struct hash_link *link = hash_first(&m->pairs, key); link; link = link->next) {
        struct vmux_conn *conn = container_of(link, struct vmux_conn, pair_link);

        if (link->key == key && conn->local.port == local->port && conn->peer.port == peer->port &&
            conn->local.cid == local->cid && conn->peer.cid == peer->cid)
            return conn;
    }
    return NULL;
}

void pairs_insert(struct vmux *m, struct vmux_conn *conn)
{
    hash_insert(&m->pairs, &conn->pair_link, pair_key(m, &conn->local, &conn->peer));
}

void pairs_remove(struct vmux *m, struct vmux_conn *conn)
{
    if (!conn->unlinked)
        hash_remove(&m->pairs, &conn->pair_link);
    conn->unlinked = true;
}

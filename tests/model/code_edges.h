/* SPDX-License-Identifier: MIT */
/* code_edges.h: what the code of common/ring does to shared memory, step by step, for the model to explore. */
#ifndef XVS_CODE_EDGES_H
#define XVS_CODE_EDGES_H

/* The orders are __ATOMIC_*, as the code gives them. */
struct code_edges {
    int publish_store, publish_load;
    int pending_load;
    int arm_store, arm_load;        /* arm_load -1: ring_arm does not look again */
};

/* Runs ring_publish(), ring_pending() and ring_arm() and notes each access.  NULL, or a sentence on how the code
 * differs from the steps that the model knows. */
const char *code_edges_read(struct code_edges *edges);

#endif

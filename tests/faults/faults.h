/* SPDX-License-Identifier: MIT */
/* faults.h: which call of the product's fails, and with what.
 *
 * A plan says: the n-th call of its kind fails, in the k-th way that it can; then all others are as they are, or (lasting) all later
 * ones of that kind fail, too, until faults_end().  faults_each() plays a scene with each plan of a kind in turn. */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h>

enum faults_kind {
    FAULTS_MEMORY,              /* an allocation: of the product's own, and of jansson's for it */
    FAULTS_CALL,                /* a call of the system: each errno that applies */
    FAULTS_XEN,                 /* a request of xenstored, the grant table's or the event channels' */
    FAULTS_LOST,                /* the connection to xenstored breaks at a request; lasting: it is away */
    FAULTS_FILES,               /* no descriptor is to be had */
    FAULTS_DISK,                /* nothing can be made in the run directory */
    FAULTS_KINDS
};

/* Plays scene(plan by plan), until it meets no fault; returns how many it met.  The scene calls faults_begin() and faults_end() around
 * what may fail.  With XVS_SURVEY in the environment each is played in a process of its own, and all that fail are told. */
extern unsigned faults_failures;
unsigned faults_each(enum faults_kind kind, bool lasting, void (*scene)(void));
void faults_begin(void);
void faults_end(void);
/* The call of this plan has failed. */
bool faults_met(void);
/* mock_doing begins with this: the scene's name. */
extern const char *faults_scene;

#endif

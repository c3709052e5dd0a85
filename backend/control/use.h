/* SPDX-License-Identifier: MIT */
/* use.h: how a device is, in words for a person.
 *
 * The states of xenstore tell two programs of each other, and not a person of the device: a program that ends leaves Closing or Closed
 * behind, for as long as nobody opens the device again, and so does one that was refused.  Pure. */
#ifndef XVSD_USE_H
#define XVSD_USE_H

#include <stdbool.h>
#include <stddef.h>

#define USES(X)                                              \
    X(IN_USE,  "in use",  "in use")                          \
    X(OPENING, "opening", "a program is opening it")         \
    X(IDLE,    "idle",    "attached, no program has it open") \
    X(REFUSED, "refused", "refused: ")

enum use {
#define X(name, word, text) USE_##name,
    USES(X)
#undef X
};

/* state: the backend's, of xenbus; connected: the guest knows that it may work; error: why the device was closed the last time, "" if it
 * was not refused. */
enum use use_of(unsigned state, bool connected, const char *error);
/* For programs: one word. */
const char *use_word(enum use use);
#define USE_TEXT 40     /* bytes of a text, without the error */
/* For people; REFUSED with the error behind it. */
void use_text(char *text, size_t size, enum use use, const char *error);

#endif

/* SPDX-License-Identifier: MIT */
/* values.h: what stands behind a key: numbers, names, rates.  Each is read whole or complained of (reader.h), with what it may be. */
#ifndef XVSD_SETTINGS_VALUES_H
#define XVSD_SETTINGS_VALUES_H

#include "reader.h"

/* What is left of text without blanks at its ends. */
char *trim(char *text);

bool read_number(struct reader *r, const char *key, const char *text, uint64_t min, uint64_t max, uint64_t *out);
bool read_u32(struct reader *r, const char *key, const char *text, uint32_t min, uint32_t max, uint32_t *out);
/* yes or no. */
bool read_bool(struct reader *r, const char *key, const char *text, bool *out);
/* An absolute one, in place of *out, which is freed. */
bool read_path(struct reader *r, const char *key, const char *text, const char *such_as, char **out);
/* "no", "N" or "N, burst M", each perhaps with K, M or G behind it.  Without a burst it is what a second has. */
bool read_rate(struct reader *r, const char *key, const char *text, uint64_t min, uint64_t max, struct settings_rate *out);
/* The name of a guest or "uuid:" and its UUID, as settings_guest() finds it, into out (SETTINGS_NAME bytes). */
bool read_name(struct reader *r, const char *what, const char *text, char *out);

#endif

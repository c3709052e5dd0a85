/* SPDX-License-Identifier: MIT */
/* parse.h: the text of xenstore nodes, read strictly.
 *
 * A node is written by someone that we do not trust.  A number is decimal, without sign, space or leading zero,
 * within the bounds given; everything else is refused with -EINVAL, a number out of bounds with -ERANGE.  Nothing is clamped,
 * nothing is skipped.  On an error *out is unchanged and why says which node held what:
 *
 *     state: "x4" is not a number from 1 to 6
 *
 * why has PARSE_WHY bytes, or is NULL.  What the peer wrote appears in it cut to 32 bytes and with everything unprintable
 * replaced by '?', so the sentence may go to a log or a terminal.  No state, any thread. */
#ifndef XVS_PARSE_H
#define XVS_PARSE_H

#include <stddef.h>
#include <stdint.h>

#define PARSE_WHY      192      /* bytes of a sentence, with its end */
#define PARSE_VERSIONS 31u      /* versions above this one are skipped: we shall not speak them soon */

int parse_u32(const char *node, const char *text, uint32_t min, uint32_t max, uint32_t *out, char *why);
int parse_u64(const char *node, const char *text, uint64_t min, uint64_t max, uint64_t *out, char *why);

/* "1" to "6": an enum vsockif_state. */
int parse_state(const char *text, uint8_t *out, char *why);

/* "1" or "1,2,7": the set of versions, bit v for version v.  Versions are from 1, at most 16 of them, in any order;
 * a repetition is harmless.  What is above PARSE_VERSIONS is valid but not kept. */
int parse_versions(const char *node, const char *text, uint32_t *out, char *why);
/* "" or "a,b-2": the set of features, bits of enum vsockif_feature.  Words of 1 to 32 letters, digits and '-', at most 16 of them, in
 * any order; a repetition is harmless.  A word that we do not know is valid but not kept. */
int parse_features(const char *node, const char *text, uint32_t *out, char *why);
/* The largest version in both sets, or 0. */
uint32_t parse_common_version(uint32_t ours, uint32_t theirs);

/* The name of a domain: 1 to 128 bytes, printable, no '/', no space at its ends.  0 or -EINVAL. */
int parse_domain_name(const char *text, char *why);

/* Copies text into out (size > 0) as described above: for any message that shows a peer's words. */
void parse_show(const char *text, char *out, size_t size);

#endif

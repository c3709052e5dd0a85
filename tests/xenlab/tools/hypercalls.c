/* SPDX-License-Identifier: MIT
 *
 * hypercalls FILE: how many hypercalls of PV domains xentrace(8) wrote into the file, with -e 0x20f000: all of them, and the
 * kinds that a transport over event channels causes.
 *
 *     all N
 *     event_channel_op N      a notification is one
 *     sched_op N              a processor that goes to sleep makes one
 *     grant_table_op N
 *
 * The format of a record is Xen's public/trace.h: a word with the event, the number of words that follow and whether a
 * time of two words comes before them.  A trace with lost records is refused. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define EVENT(word) ((word) & 0x0fffffff)
#define EXTRA(word) ((word) >> 28 & 7)
#define HAS_TIME(word) ((word) >> 31)

#define LOST_RECORDS 0x0001f001
#define PV_HYPERCALL_V2 0x0020100d
#define OP(word) ((word) & 0xfffff)

#define OP_GRANT_TABLE 20
#define OP_SCHED 29
#define OP_EVENT_CHANNEL 32

static bool read_word(FILE *file, uint32_t *word)
{
	return fread(word, sizeof(*word), 1, file) == 1;
}

int main(int argc, char **argv)
{
	unsigned long all = 0, of[64] = { 0 };
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	uint32_t head, word, first, i;

	if (!file) {
		fprintf(stderr, "hypercalls: %s: %m\n", argc == 2 ? argv[1] : "usage: hypercalls FILE");
		return 1;
	}
	while (read_word(file, &head)) {
		if (HAS_TIME(head) && (!read_word(file, &word) || !read_word(file, &word)))
			break;
		first = 0;
		for (i = 0; i < EXTRA(head) && read_word(file, &word); i++)
			first = i ? first : word;
		if (EVENT(head) == LOST_RECORDS) {
			fprintf(stderr, "hypercalls: the trace has gaps: larger buffers are needed (xentrace -S)\n");
			return 1;
		}
		if (EVENT(head) == PV_HYPERCALL_V2 && EXTRA(head)) {
			all++;
			of[OP(first) < 64 ? OP(first) : 63]++;
		}
	}
	fclose(file);
	printf("all %lu\nevent_channel_op %lu\nsched_op %lu\ngrant_table_op %lu\n", all, of[OP_EVENT_CHANNEL], of[OP_SCHED],
	       of[OP_GRANT_TABLE]);
	return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * gntfree: prints how many pages this domain can still share through gntalloc.
 *
 * The kernel does not say, so all of them are taken, counted and given back.
 * Pages that a program lost, or that a peer still maps, are missing from the
 * count: that is what a leak test compares. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <xengnttab.h>

int main(void)
{
	xengntshr_handle *gntshr = xengntshr_open(NULL, 0);
	uint32_t ref;
	int count = 0;

	if (!gntshr) {
		fprintf(stderr, "gntfree: cannot open gntalloc: %m\n");
		return 1;
	}
	while (xengntshr_share_pages(gntshr, 0, 1, &ref, 1))
		count++;
	if (errno != ENOSPC) {
		fprintf(stderr, "gntfree: after %d pages: %m\n", count);
		return 1;
	}
	printf("%d\n", count);
	/* The kernel takes them back when the descriptor closes. */
	return 0;
}

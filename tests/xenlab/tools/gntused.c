/* SPDX-License-Identifier: MIT
 *
 * gntused [-f]: prints how many pages this domain has granted through gntalloc,
 * or with -f how many it can still grant.
 *
 * The kernel does not say, so all that are left are taken, counted and given
 * back.  Pages that a program lost, or that a peer still maps, count as used:
 * that is what a leak test compares.  A program that shares pages in the same
 * moment can be refused because of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xengnttab.h>
#include <xentoollog.h>

#define CHUNK 1024

static int read_limit(void)
{
	FILE *file = fopen("/sys/module/xen_gntalloc/parameters/limit", "r");
	int limit = -1;

	if (!file || fscanf(file, "%d", &limit) != 1)
		limit = -1;
	if (file)
		fclose(file);
	return limit;
}

int main(int argc, char **argv)
{
	/* The library reports the refusal that ends the loop as an error: not here. */
	xentoollog_logger *quiet = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
	xengntshr_handle *gntshr = xengntshr_open(quiet, 0);
	int limit = read_limit(), left = 0, chunk = CHUNK;
	uint32_t refs[CHUNK];

	if (!gntshr || limit < 0) {
		fprintf(stderr, "gntused: cannot use gntalloc: %m\n");
		return 1;
	}
	/* What is left is a sum of powers of two: a call for each, not one for each page. */
	while (chunk) {
		if (xengntshr_share_pages(gntshr, 0, (uint32_t)chunk, refs, 1))
			left += chunk;
		else if (errno == ENOSPC)
			chunk /= 2;
		else {
			fprintf(stderr, "gntused: after %d pages: %m\n", left);
			return 1;
		}
	}
	printf("%d\n", argc > 1 && !strcmp(argv[1], "-f") ? left : limit - left);
	/* The kernel takes them back when the descriptor closes. */
	return 0;
}

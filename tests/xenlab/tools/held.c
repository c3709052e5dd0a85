/* SPDX-License-Identifier: MIT
 *
 * held [-x DOMID] NAME=DOMID...: what each domain holds of Xen, three lines a domain: event channels and mapped pages by
 * Xen's own count, and xenstore nodes, its own and those of its backends in dom0.  With -x, what they would be without
 * that domain: ports to it, pages of it and dom0's backends for it are left out.
 *
 *     NAME ports N
 *     NAME mapped N
 *     NAME nodes N
 *
 * What the lab itself needs to run commands in guests is left out: labctl's ports and pages in dom0, the agent's nodes in a
 * guest.  (The agent's pages and ports in a guest are a constant.)  Xen tells of mapped pages on its console only, which
 * this empties.  One program, because a pipeline of small ones costs ten times as much in emulation. */
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>
#include <xenstore.h>

#define PAGE 4096

static xc_interface *xc;
static struct xs_handle *xs;
static char *tables;                    /* Xen's grant tables, as text */
static int without = -1;
static unsigned int lab_ports, lab_pages;       /* what labctl's processes hold in dom0 */

static bool is_labctl(const char *pid)
{
	char path[300], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	fclose(file);
	return !strcmp(name, "labctl\n");
}

static unsigned int pages_mapped(const char *pid)
{
	unsigned long from, to;
	unsigned int pages = 0;
	char path[300], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, "/dev/xen/gntdev") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			pages += (unsigned int)((to - from) / PAGE);
	if (file)
		fclose(file);
	return pages;
}

static void count_labctl(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) && is_labctl(entry->d_name)) {
			lab_ports++;
			lab_pages += pages_mapped(entry->d_name);
		}
	if (proc)
		closedir(proc);
}

/* The console from where it was last emptied; its text is to be freed. */
static char *read_console(void)
{
	unsigned int size = 4 << 20, index = 0;
	char *text = calloc(1, size + 1);

	if (text && xc_readconsolering(xc, text, &size, 1, 0, &index) < 0)
		size = 0;
	if (text)
		text[size] = '\0';
	return text;
}

/* For each domain a heading, and a line for each entry of its table that is in use: the reference and who uses it. */
static int read_tables(void)
{
	char key[] = "g";

	free(read_console());
	if (xc_send_debug_keys(xc, key))
		return -1;
	tables = read_console();
	return tables ? 0 : -1;
}

static unsigned int mapped_by(unsigned int domid)
{
	unsigned int reference, user, count = 0;
	const char *line = tables;
	int owner = -1;

	for (; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (sscanf(line, "(XEN) [%x] %u ", &reference, &user) == 2)
			count += user == domid && (without < 0 || owner != without);
		else
			sscanf(line, "(XEN) grant-table for remote d%d", &owner);
	return count;
}

static unsigned int ports_of(unsigned int domid)
{
	xc_evtchn_status_t status = { .dom = (domid_t)domid };
	unsigned int count = 0;

	for (; xc_evtchn_status(xc, &status) == 0; status.port++)
		if (status.status == EVTCHNSTAT_interdomain)
			count += status.u.interdomain.dom != without;
		else
			count += status.status != EVTCHNSTAT_closed;
	return count;
}

/* dom0's .../backend/KIND/DOMID, for the domain that is left out. */
static bool is_left_out(const char *path)
{
	int domid, end = 0;

	return without >= 0 && sscanf(path, "/local/domain/0/backend/%*[^/]/%d%n", &domid, &end) == 1 && !path[end] &&
	       domid == without;
}

/* All below a path, but the lab's own. */
static unsigned int nodes_below(const char *path)
{
	unsigned int count, total = 0, i;
	char **names = xs_directory(xs, XBT_NULL, path, &count);
	char child[3072];

	for (i = 0; names && i < count; i++) {
		snprintf(child, sizeof(child), "%s/%s", path, names[i]);
		if (!strstr(child, "/data/lab/") && !is_left_out(child))
			total += 1 + nodes_below(child);
	}
	free(names);
	return total;
}

static unsigned int nodes_of(unsigned int domid)
{
	unsigned int count, total, i;
	char path[128], **kinds;

	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	total = nodes_below(path);
	if (domid == 0)
		return total;
	kinds = xs_directory(xs, XBT_NULL, "/local/domain/0/backend", &count);
	for (i = 0; kinds && i < count; i++) {
		snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%u", kinds[i], domid);
		total += nodes_below(path);
	}
	free(kinds);
	return total;
}

int main(int argc, char **argv)
{
	unsigned int domid, ports, mapped;
	int i = 1;

	xc = xc_interface_open(NULL, NULL, 0);
	xs = xs_open(0);
	if (!xc || !xs || read_tables()) {
		fprintf(stderr, "held: cannot ask Xen or xenstored: %m\n");
		return 1;
	}
	if (argc > 2 && !strcmp(argv[1], "-x")) {
		without = atoi(argv[2]);
		i = 3;
	}
	count_labctl();
	for (; i < argc; i++) {
		char name[64];

		if (sscanf(argv[i], "%63[^=]=%u", name, &domid) != 2) {
			fprintf(stderr, "held: '%s' is not NAME=DOMID\n", argv[i]);
			return 1;
		}
		ports = ports_of(domid) - (domid ? 0 : lab_ports);
		mapped = mapped_by(domid) - (domid ? 0 : lab_pages);
		printf("%s ports %u\n%s mapped %u\n%s nodes %u\n", name, ports, name, mapped, name, nodes_of(domid));
	}
	return 0;
}

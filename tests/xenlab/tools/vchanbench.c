/* SPDX-License-Identifier: MIT
 *
 * vchanbench: libxenvchan between two domains, the yardstick beside xvs.
 *
 *     vchanbench server PEER-DOMID PATH [RING-KIB]
 *     vchanbench client PEER-DOMID PATH [MIB]
 *
 * The server owns PATH in its own part of xenstore and serves one client;
 * PATH of the client is absolute.  The client prints one line of medians:
 *
 *     round trip: one byte there and one back
 *     stream:     writes of 64 KiB, MIB a run, client to server
 *     wakeups:    event-channel interrupts taken by both ends per MiB
 *
 * In emulation only the ratios between lines of one run mean anything. */
#include <libxenvchan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

#define CHUNK 65536
#define PINGS 300
#define RUNS 5
#define CONNECT_SECONDS 20

/* What the client asks for: 'bytes' of stream, or with 0 an echo of one byte. */
struct request {
	uint64_t bytes;
};

static char chunk[CHUNK];

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* Interrupts of this program's event channels, from the kernel's own count. */
static uint64_t wakeups(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	uint64_t sum = 0, count;
	char line[512], *at, *end;

	while (file && fgets(line, sizeof(line), file)) {
		if (!strstr(line, "evtchn:vchanbench"))
			continue;
		at = strchr(line, ':');
		for (at = at ? at + 1 : line;; at = end) {
			count = strtoull(at, &end, 10);
			if (end == at)
				break;
			sum += count;
		}
	}
	if (file)
		fclose(file);
	return sum;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

static void must(int done, const char *what)
{
	if (done > 0)
		return;
	fprintf(stderr, "vchanbench: %s: the peer is gone\n", what);
	exit(1);
}

static int serve(int peer, const char *path, size_t ring)
{
	struct libxenvchan *vchan = libxenvchan_server_init(NULL, peer, path, ring, ring);
	struct request request;
	uint64_t left, taken;
	int got;

	if (!vchan) {
		fprintf(stderr, "vchanbench: cannot offer %s to domain %d: %m\n", path, peer);
		return 1;
	}
	vchan->blocking = 1;
	while (libxenvchan_recv(vchan, &request, sizeof(request)) > 0) {
		taken = wakeups();
		for (left = request.bytes; left; left -= (uint64_t)got) {
			got = libxenvchan_read(vchan, chunk, left < CHUNK ? left : CHUNK);
			must(got, "stream");
		}
		taken = wakeups() - taken;
		must(libxenvchan_send(vchan, &taken, request.bytes ? sizeof(taken) : 1), "answer");
	}
	libxenvchan_close(vchan);
	return 0;
}

static struct libxenvchan *connect_peer(int peer, const char *path)
{
	double deadline = now_us() + CONNECT_SECONDS * 1e6;
	struct libxenvchan *vchan;
	struct xs_handle *xs = xs_open(0);
	char node[256], *value;

	snprintf(node, sizeof(node), "%s/event-channel", path);
	while (xs && now_us() < deadline) {
		/* The node's permissions come a moment after the node. */
		value = xs_read(xs, XBT_NULL, node, NULL);
		vchan = value ? libxenvchan_client_init(NULL, peer, path) : NULL;
		free(value);
		if (vchan) {
			xs_close(xs);
			return vchan;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
	}
	fprintf(stderr, "vchanbench: no server at %s within %d s\n", path, CONNECT_SECONDS);
	exit(1);
}

/* Bytes per microsecond; adds the interrupts of both ends. */
static double stream(struct libxenvchan *vchan, uint64_t bytes, uint64_t *taken)
{
	struct request request = { bytes };
	uint64_t peer_taken, sent;
	double start;
	int done;

	*taken -= wakeups();
	start = now_us();
	must(libxenvchan_send(vchan, &request, sizeof(request)), "stream");
	for (sent = 0; sent < bytes; sent += (uint64_t)done) {
		done = libxenvchan_write(vchan, chunk, CHUNK);
		must(done, "stream");
	}
	must(libxenvchan_recv(vchan, &peer_taken, sizeof(peer_taken)), "stream");
	start = now_us() - start;
	*taken += wakeups() + peer_taken;
	return (double)bytes / start;
}

static int measure(int peer, const char *path, uint64_t mib)
{
	struct libxenvchan *vchan = connect_peer(peer, path);
	struct request ping = { 0 };
	double trips[PINGS], rates[RUNS], start;
	uint64_t taken = 0;
	char byte;
	int i;

	vchan->blocking = 1;
	for (i = 0; i < PINGS; i++) {
		start = now_us();
		must(libxenvchan_send(vchan, &ping, sizeof(ping)), "ping");
		must(libxenvchan_recv(vchan, &byte, 1), "ping");
		trips[i] = now_us() - start;
	}
	for (i = 0; i < RUNS; i++)
		rates[i] = stream(vchan, mib << 20, &taken);
	printf("libxenvchan: ring %d KiB, round trip %.0f us, stream %.0f MB/s, %.1f wakeups/MiB\n",
	       (1 << vchan->write.order) / 1024, median(trips, PINGS), median(rates, RUNS),
	       (double)taken / (double)(RUNS * mib));
	libxenvchan_close(vchan);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long size = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;

	if (argc > 3 && !strcmp(argv[1], "server"))
		return serve(atoi(argv[2]), argv[3], (size ? size : 64) * 1024);
	if (argc > 3 && !strcmp(argv[1], "client"))
		return measure(atoi(argv[2]), argv[3], size ? size : 16);
	fprintf(stderr, "usage: vchanbench server|client PEER-DOMID PATH [RING-KIB|MIB]\n");
	return 2;
}

# SPDX-License-Identifier: MIT
"""What is measured on hosted Xen, and how each is taken.

A task measures one subject of one measure, once; a round is all tasks, those to be compared one after the other, so
that a drift of the machine hits them all alike.  The figures of all rounds together have their median taken."""

import os

from .hosted import Failed, Host

PLACEMENTS = ("same-cpu", "two-cpus", "scheduler")

# Of which measures figures are needed, too, to say whether an aim is met.
NEEDS = {
    "stream_64k_zerocopy": ("stream_64k",),
    "notifications_per_mib": ("stream_64k",),
    "hostsock_to_guest": ("stream_64k",),
    "guest_to_guest": ("stream_64k", "guest_to_host"),
    "guest_to_host": ("stream_64k",),
    "streams_10k": ("stream_64k",),
    "flood_ping_p99": ("flood_ping_p99_alone",),
    "rtt_installed": ("rtt_sleep",),
    "driver_stream_64k": ("stream_64k",),
    "driver_stream_4k": ("stream_4k",),
    "driver_rtt": ("rtt_installed",),
    "driver_guest_to_guest": ("guest_to_guest",),
    "copy_1g": ("cat_1g",),
    "copy_10k_files": ("tar_10k_files",),
    "exec_per_s": ("ssh_per_s",),
}


def with_needs(only):
    """Those, and what they are compared with."""
    return sorted({*only, *(needed for measure in only for needed in NEEDS.get(measure, ()))})


# Which processor has what, for the report.  A is the first of a pair and B the second; both are the same in same-cpu.
WHERE = {
    "stream_64k": "the sender on A, the daemon (or other receiver) on B",
    "hostsock_to_guest": "the writer on A, the daemon and the guest that reads on B",
    "guest_to_host": "the sending guest on A, the daemon and the host program that reads on B",
    "guest_to_guest": "the sending guest on A, the daemon and the guest that reads on B",
    "rtt_sleep": "spinning off at both ends (spin_us = 0); the guest on A, the daemon on B",
    "rtt_spin": "spinning for up to 1000 us at both ends; the guest on A, the daemon on B",
    "rtt_installed": "both ends as they are installed: they look for a while before they sleep, if that has paid",
    "flood_ping_p99": "spinning off; the guest that pings on A, the daemon on B, and the one that floods on a third processor; where there "
                      "is none on A, as SCHED_IDLE, so that it is the daemon that a ping waits for, and not the flooding guest's turn",
    "own_flood_ping_p99": "one guest that pings and floods, on A; the daemon on B",
    "driver_stream_64k": "a program's write() in guest2; a yardstick of KVM's, as published: vhost-vsock, guest to host, 10.8 Gbit/s, and 35.3 "
                         "with fewer credit updates and packets of 64 KiB",
    "driver_rtt": "the daemon as it is installed; the pipe's is one write() and one read() in one process",
    "exec_per_s": "'xvs exec GUEST true', one after the other; beside 'ssh GUEST.xvs true' through 'xvs serve 22 -- sshd -i' in a guest",
    "copy_1g": "'xvs cp FILE GUEST:', with its checksum; beside 'xvs cat' of the file into 'xvs serve -- sh -c \"cat >FILE\"'; in memory; neither syncs",
    "copy_10k_files": "10,000 files of 1 KiB: 'xvs cp', with checksums; beside 'tar | xvs cat' into 'xvs serve -- tar'; in memory; neither syncs",
    "agent_idle": "xvs-agent's two processes: private memory, and their share of what is not (Pss); without the guest's shared pages",
    "agent_shells_100": "the same with 100 shells in terminals, whose own memory does not count",
    "bytes_per_guest": "the daemon's own memory, with what the stand-ins for Xen's libraries need; the library's with its pages",
    "guests_200": "the sender on A, the daemon on B; 200 guests with a device that is up and idle",
}

GUESTS = 200
IDLE = 10000
SINK_PORT = 5000


class Placed:
    """Where the programs of a placement run."""

    def __init__(self, name, processors):
        self.name = name
        self.all = set(processors)
        self.pair = {"same-cpu": (processors[0], processors[0]), "two-cpus": tuple(processors[:2])}.get(name)
        self.third = processors[2] if len(processors) > 2 else None

    def environment(self, far=None):
        if not self.pair:
            return {}
        a, b = self.pair
        return {"BENCH_CPUS": f"{a},{b if far is None else far}"}

    def shows_flood(self):
        """Three want to run at once: elsewhere the scheduler would be what is measured."""
        return self.name == "two-cpus" or (self.name == "scheduler" and self.third is not None)

    def daemon(self):
        return {self.pair[1]} if self.pair else self.all


class Bench:
    """The hosts, and a method for each way to measure."""

    def __init__(self, work, options, say):
        self.work, self.options, self.say = work, options, say
        self.place = None
        self.host = Host(work, "host", options.bin, guests=("guest1", "guest2"))
        self.big = None

    def start(self):
        self.host.start_daemon()

    def stop(self):
        for host in (self.host, self.big):
            if host:
                host.stop()

    def at(self, place):
        self.place = place
        self.host.pin_daemon(place.daemon())

    # ---- running one ----

    def environment(self, only=None, scale=1.0, **more):
        env = {"BENCH_RUNS": str(self.options.inner), "BENCH_SCALE": f"{self.options.scale * scale:g}"}
        env.update(self.place.environment())
        if only:
            env["BENCH_ONLY"] = only
        env.update(more)
        return env

    def base(self, measure, subject):
        return self.host.results("guest1", ["bench_base", "1"], self.environment(f"{measure}/{subject}"))

    def vchan(self, measure):
        path = "/local/domain/0/data/bench"
        env = self.environment(f"{measure}/libxenvchan")
        server, _ = self.host.background(0, ["bench_vchan", "server", "1", path], env)
        try:
            return self.host.results("guest1", ["bench_vchan", "client", path], env)
        finally:
            self.host.end(server)

    def xvs(self, *words, host=None, guest="guest1", scale=1.0):
        host = host or self.host
        return host.results(guest, ["bench_xvs", *map(str, words)], self.environment(scale=scale))

    def hostsock(self):
        sink, _ = self.host.background("guest1", ["bench_xvs", "sink", str(SINK_PORT)], self.environment())
        try:
            return self.host.results(0, ["bench_host", "stream", self.host.guest_socket("guest1"), str(SINK_PORT), "65536",
                                         "hostsock_to_guest", "xvs"], self.environment())
        finally:
            self.host.end(sink)

    def to_host(self):
        sink, _ = self.host.background(0, ["bench_host", "sink", self.host.guest_socket("guest1"), str(SINK_PORT)],
                                       self.environment())
        try:
            return self.xvs("stream", 65536, "copy", 2, SINK_PORT)
        finally:
            self.host.end(sink)

    def to_guest(self):
        sink, _ = self.host.background("guest2", ["bench_xvs", "sink", str(SINK_PORT)], self.environment())
        try:
            return self.xvs("stream", 65536, "copy", self.host.cid("guest2"), SINK_PORT)
        finally:
            self.host.end(sink)

    def with_spin(self, microseconds, function):
        self.host.configure(spin_us=microseconds)
        try:
            return function()
        finally:
            self.host.configure()

    def flood(self, beside):
        count = max(500, int(50000 * self.options.scale))
        if not beside:
            return self.xvs("ping", count, "flood_ping_p99_alone", 0)
        # It never takes the daemon's processor, and the pinging guest's only while that one sleeps.
        shared = self.place.pair and self.place.third is None
        env = self.environment()
        if self.place.pair:
            env.update(self.place.environment(far=self.place.pair[0] if shared else self.place.third))
        flooder, _ = self.host.background("guest2", ["bench_xvs", "flood", "3600"], env)
        try:
            if shared:
                os.sched_setscheduler(flooder.pid, os.SCHED_IDLE, os.sched_param(0))
            return self.xvs("ping", count, "flood_ping_p99", 0)
        finally:
            self.host.end(flooder)

    # ---- many guests ----

    def start_big(self):
        """A host with 200 guests that are connected and one more that is not yet; and what they cost."""
        self.big = Host(self.work, "big", self.options.bin, count=GUESTS + 1)
        self.big.start_daemon()
        stats = self.big.control("stats")
        before = self.big.daemon_private_bytes()
        _, words = self.big.background(0, ["bench_xvs", "guests", "1", str(GUESTS), "36000"], seconds=180)
        daemon = (self.big.daemon_private_bytes() - before) / GUESTS
        if self.big.control("stats")["connected"] != stats["connected"] + GUESTS:
            raise Failed(f"not all of {GUESTS} guests are connected")
        return [result("bytes_per_guest", daemon, "B"), result("bytes_per_guest_library", int(words[0]), "B")]

    def one_of_many(self):
        self.big.pin_daemon(self.place.daemon())
        lines = self.xvs("stream", 65536, host=self.big, guest=GUESTS + 1)
        return [dict(line, measure="guests_200") for line in lines if line["measure"] == "stream_64k"]

    def one_of_one(self):
        return [dict(line, measure="guests_1") for line in self.xvs("stream", 65536) if line["measure"] == "stream_64k"]

    def memory(self):
        before = self.host.daemon_private_bytes()
        tables = self.host.control("stats")["table_bytes"]
        child, words = self.host.background("guest1", ["bench_xvs", "idle", str(IDLE), "3600"], seconds=120)
        try:
            if self.host.control("stats")["connections"] < IDLE:
                raise Failed(f"not all of {IDLE} connections are there")
            daemon = max(self.host.daemon_private_bytes() - before, self.host.control("stats")["table_bytes"] - tables)
        finally:
            self.host.end(child)
        library = int(words[1]) - int(words[0])
        return [result("bytes_per_idle_connection", daemon / IDLE, "B"),
                result("bytes_per_idle_connection_library", library / IDLE, "B")]

    # ---- the plan ----

    def tasks(self):
        """(measure, subject, function), in the order of a round: what is compared stands together."""
        streams = []
        for size, name in ((65536, "stream_64k"), (4096, "stream_4k"), (524288, "stream_512k"), (64, "msgs_64b")):
            streams += [(name, "xvs", lambda size=size: self.xvs("stream", size)),
                        (name, "libxenvchan", lambda name=name: self.vchan(name)),
                        (name, "socketpair", lambda name=name: self.base(name, "socketpair"))]
            if size != 64:
                streams += [(name, "memcpy", lambda name=name: self.base(name, "memcpy"))]
            if name == "stream_64k":
                streams += [("stream_64k_zerocopy", "xvs", lambda: self.xvs("stream", 65536, "zerocopy")),
                            ("hostsock_to_guest", "xvs", self.hostsock),
                            ("guest_to_host", "xvs", self.to_host),
                            ("guest_to_guest", "xvs", self.to_guest),
                            ("streams_10k", "xvs", lambda: self.xvs("streams", 10000))]
        trips = [("rtt_sleep", "xvs", lambda: self.with_spin(0, lambda: self.xvs("rtt", 0))),
                 ("rtt_sleep", "evtchn", lambda: self.base("rtt_sleep", "evtchn")),
                 ("rtt_sleep", "libxenvchan", lambda: self.vchan("rtt_sleep")),
                 ("rtt_installed", "xvs", lambda: self.xvs("rtt", -1)),
                 ("rtt_sleep", "socketpair", lambda: self.base("rtt_sleep", "socketpair"))]
        if self.place.name != "same-cpu":   # two that spin on one processor measure the scheduler's tick
            trips += [("rtt_spin", "xvs", lambda: self.with_spin(1000, lambda: self.xvs("rtt", 1000))),
                      ("rtt_spin", "cacheline", lambda: self.base("rtt_spin", "cacheline"))]
        others = [("connects_per_s", "xvs", lambda: self.xvs("connects")),
                  ("own_flood_ping_p99", "xvs", lambda: self.xvs("beside"))]
        if self.place.shows_flood():
            others += [("flood_ping_p99_alone", "xvs", lambda: self.with_spin(0, lambda: self.flood(False))),
                       ("flood_ping_p99", "xvs", lambda: self.with_spin(0, lambda: self.flood(True)))]
        return streams + trips + others

    def crowd_tasks(self):
        return [("guests_1", "xvs", self.one_of_one), ("guests_200", "xvs", self.one_of_many)]


def result(measure, value, unit):
    return {"measure": measure, "subject": "xvs", "value": value, "unit": unit, "values": [value]}


def processors():
    return sorted(os.sched_getaffinity(0))

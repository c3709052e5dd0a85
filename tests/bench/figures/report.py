# SPDX-License-Identifier: MIT
"""The aims, and the table, from the list that build/bench.json holds."""

import math
import statistics

from . import measures

SUBJECTS = ("xvs", "unix", "tcp", "loopback", "pipe", "libxenvchan", "socketpair", "memcpy", "evtchn", "cacheline")

# What is aimed at: a text, the measure and subject, those it is divided by (None: its own value counts), and what the
# quotient shall be.
AIMS = (
    ("64 KiB stream, copying / libxenvchan", "stream_64k", ("stream_64k", "libxenvchan"), ">=", 1.5),
    ("64 KiB stream, copying / socketpair", "stream_64k", ("stream_64k", "socketpair"), ">=", 2),
    ("64 KiB stream, zero-copy / one memcpy", "stream_64k_zerocopy", ("stream_64k", "memcpy"), ">=", 0.8),
    ("64 B messages / libxenvchan", "msgs_64b", ("msgs_64b", "libxenvchan"), ">=", 5),
    ("host socket to guest / socketpair", "hostsock_to_guest", ("stream_64k", "socketpair"), ">=", 0.9),
    ("guest to guest / guest to daemon", "guest_to_guest", ("stream_64k", "xvs"), ">=", 0.8),
    ("guest to guest / guest to host program", "guest_to_guest", ("guest_to_host", "xvs"), ">=", 0.8),
    ("round trip asleep / event channel", "rtt_sleep", ("rtt_sleep", "evtchn"), "<=", 1.1),
    ("round trip as installed / libxenvchan", "rtt_installed", ("rtt_sleep", "libxenvchan"), "<=", 1),
    ("round trip spinning / cache line", "rtt_spin", ("rtt_spin", "cacheline"), "<=", 2),
    ("AF_VSOCK to guest, 64 KiB / UNIX socket", "host_stream_64k", ("host_stream_64k", "unix"), ">=", 1),
    ("the same with a buffer of 1 MiB", "host_stream_64k_large", ("host_stream_64k", "unix"), ">=", 1),
    ("AF_VSOCK to guest, 4 KiB / UNIX socket", "host_stream_4k", ("host_stream_4k", "unix"), ">=", 0.9),
    ("AF_VSOCK round trip / UNIX socket", "host_rtt", ("host_rtt", "unix"), "<=", 1),
    ("AF_VSOCK in a guest, 64 KiB / library", "driver_stream_64k", ("stream_64k", "xvs"), ">=", 0.9),
    ("AF_VSOCK in a guest, 64 KiB / TCP", "driver_stream_64k", ("driver_stream_64k", "tcp"), ">=", 1),
    ("AF_VSOCK in a guest, 4 KiB / library", "driver_stream_4k", ("stream_4k", "xvs"), ">=", 0.5),
    ("AF_VSOCK in a guest, 4 KiB / TCP", "driver_stream_4k", ("driver_stream_4k", "tcp"), ">=", 1),
    ("AF_VSOCK in a guest, 64 B / TCP", "driver_msgs_64b", ("driver_msgs_64b", "tcp"), ">=", 1),
    ("AF_VSOCK in a guest, trip / library", "driver_rtt", ("rtt_installed", "xvs"), "<=", 1),
    ("AF_VSOCK in a guest, trip / TCP", "driver_rtt", ("driver_rtt", "tcp"), "<=", 1),
    ("AF_VSOCK in a guest, connects / TCP", "driver_connects", ("driver_connects", "tcp"), ">=", 1),
    ("AF_VSOCK guest to guest / library", "driver_guest_to_guest", ("guest_to_guest", "xvs"), ">=", 0.8),
    ("notifications per MiB of bulk stream", "notifications_per_mib", None, "<=", 1),
    ("connections opened and closed a second", "connects_per_s", None, ">=", 200000),
    ("10,000 streams, 1 % active / one stream", "streams_10k", ("stream_64k", "xvs"), ">=", 0.9),
    ("one of 200 guests / one guest", "guests_200", ("guests_1", "xvs"), ">=", 0.9),
    ("p99 of a ping beside a flood / alone", "flood_ping_p99", ("flood_ping_p99_alone", "xvs"), "<=", 3),
    ("xvs exec true / ssh, a second", "exec_per_s", ("ssh_per_s", "xvs"), ">=", 20),
    ("xvs cp of 1 GiB / xvs cat", "copy_1g", ("cat_1g", "xvs"), ">=", 0.8),
    ("xvs cp of 10,000 files / tar and xvs cat", "copy_10k_files", ("tar_10k_files", "xvs"), ">=", 1),
    ("an idle agent's bytes", "agent_idle", None, "<=", 2 << 20),
    ("daemon's bytes for an idle connection", "bytes_per_idle_connection", None, "<=", 512),
    ("library's bytes for an idle connection", "bytes_per_idle_connection_library", None, "<=", 512),
)


def entry(measure, subject, placement, platform, values, unit):
    return {"measure": measure, "subject": subject, "value": _round(statistics.median(values)), "unit": unit,
            "placement": placement, "platform": platform, "min": _round(min(values)), "max": _round(max(values)),
            "runs": len(values), "values": [_round(value) for value in values]}


def key(e):
    return (e["measure"], e["subject"], e["placement"], e["platform"])


def _round(x):
    return float(f"{x:.6g}")


def number(x):
    """With three digits that count, and thousands apart."""
    if x >= 1000:
        return f"{x:,.0f}"
    if x == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(x))))
    return f"{x:.{min(digits, 4)}f}"


class Book:
    """The entries by key, and the columns that there are."""

    def __init__(self, entries):
        self.by_key = {key(e): e for e in entries}
        self.columns = sorted({(e["platform"], e["placement"]) for e in entries}, key=order)

    def get(self, measure, subject, column):
        e = self.by_key.get((measure, subject, column[1], column[0]))
        return e and e["value"]

    def quotient(self, aim, column):
        """None where something was not measured."""
        _, measure, base, _, _ = aim
        value = self.get(measure, "xvs", column)
        if value is None or base is None:
            return value
        other = self.get(base[0], base[1], column)
        return value / other if other else None


def met(aim, value):
    return value >= aim[4] if aim[3] == ">=" else value <= aim[4]


def goodness(aim, value):
    """1 where the aim is just met, more where it is more than met."""
    return value / aim[4] if aim[3] == ">=" else aim[4] / max(value, 1e-9)


def aimed_at(aim):
    return f"{'≥' if aim[3] == '>=' else '≤'} {number(aim[4])}"


def each_aim(books):
    """(column, aim, its value in each of the books or None), where one has any; by column, then as AIMS stands."""
    for column in sorted({c for book in books for c in book.columns}, key=order):
        for aim in AIMS:
            values = [book.quotient(aim, column) for book in books]
            if any(value is not None for value in values):
                yield column, aim, values


def order(column):
    return ("hosted", "xen").index(column[0]), measures.PLACEMENTS.index(column[1])


def title(column):
    return column[1] if column[0] == "hosted" else f"xen {column[1]}"


# ---- the table ----

def _aims(book, colour):
    width = max(len(a[0]) for a in AIMS)
    lines = ["Aims: medians of xvs, as quotients where a \"/\" stands", "",
             f"{'':{width}}  {'aim':>10}" + "".join(f"  {title(c):>18}" for c in book.columns)]
    met_count = count = 0
    for aim in AIMS:
        values = [book.quotient(aim, c) for c in book.columns]
        if all(v is None for v in values):
            continue
        line = f"{aim[0]:{width}}  {aim[3]} {number(aim[4]):>7}"
        for value in values:
            if value is None:
                line += f"  {'-':>18}"
                continue
            good = met(aim, value)
            met_count, count = met_count + good, count + 1
            text = f"{number(value)} {'met' if good else 'NOT MET'}"
            line += "  " + (f"\033[{32 if good else 31}m{text:>18}\033[0m" if colour else f"{text:>18}")
        lines.append(line)
    lines += ["", f"{met_count} of {count} met"]
    return lines


def _figures(book, column):
    names, seen = [], set()
    for (measure, _, placement, platform) in book.by_key:
        if (platform, placement) == column and measure not in seen:
            seen.add(measure)
            names.append(measure)
    subjects = [s for s in SUBJECTS if any(book.get(m, s, column) is not None for m in names)]
    width = max(len(n) for n in names)
    lines = ["", f"{title(column)}: median (least to most)", "",
             f"{'':{width}}  {'unit':6}" + "".join(f"  {s:>22}" for s in subjects)]
    for measure in names:
        line, unit = "", ""
        for subject in subjects:
            e = book.by_key.get((measure, subject, column[1], column[0]))
            text = "-"
            if e:
                unit = e["unit"]
                text = number(e["value"])
                if e["min"] != e["max"]:
                    text += f" ({number(e['min'])} to {number(e['max'])})"
            line += f"  {text:>22}"
        lines.append(f"{measure:{width}}  {unit:6}{line}")
    return lines


def where(entries):
    """How those were taken that were."""
    there = {e["measure"] for e in entries}
    return {measure: text for measure, text in measures.WHERE.items() if measure in there}


def runs_table(books, colour=False):
    """Which aims hold in each of some runs."""
    width = max(len(a[0]) for a in AIMS)
    lines, before, everywhere, count = [f"Which aims hold in each of {len(books)} runs"], None, 0, 0
    for column, aim, values in each_aim(books):
        if column != before:
            lines += ["", f"{title(column):{width}}  {'aim':>10}" + "".join(f"  {f'run {n + 1}':>9}" for n in range(len(books))) + "  holds in"]
            before = column
        there = [value for value in values if value is not None]
        good = sum(met(aim, value) for value in there)
        everywhere, count = everywhere + (good == len(there)), count + 1
        text = f"{good} of {len(there)}"
        lines.append(f"{aim[0]:{width}}  {aim[3]} {number(aim[4]):>7}" + "".join(f"  {'-' if v is None else number(v):>9}" for v in values) +
                     "  " + (f"\033[{32 if good == len(there) else 31}m{text}\033[0m" if colour else text))
    return "\n".join(lines + ["", f"{everywhere} of {count} in every run", ""])


def table(entries, notes, colour=False):
    if not entries:
        return "There are no figures."
    book = Book(entries)
    lines = _aims(book, colour)
    for column in book.columns:
        lines += _figures(book, column)
    lines += ["", "How they were taken: A and B are the two processors of two-cpus, and one in same-cpu; in scheduler nothing is "
                  "pinned."]
    taken = where(entries)
    lines += [f"  {measure:{max(map(len, taken), default=0)}}  {text}" for measure, text in taken.items()]
    lines += ["", "Why what is not met is not: tests/bench/PROFILE.md."] + notes
    return "\n".join(lines)


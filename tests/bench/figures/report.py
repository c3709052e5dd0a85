# SPDX-License-Identifier: MIT
"""The aims, the table and the plot, from the list that build/bench.json holds."""

import math
import statistics
from html import escape

from . import measures

SUBJECTS = ("xvs", "unix", "libxenvchan", "socketpair", "memcpy", "evtchn", "cacheline")

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
    ("round trip spinning / cache line", "rtt_spin", ("rtt_spin", "cacheline"), "<=", 2),
    ("AF_VSOCK to guest, 64 KiB / UNIX socket", "host_stream_64k", ("host_stream_64k", "unix"), ">=", 1),
    ("the same with a buffer of 1 MiB", "host_stream_64k_large", ("host_stream_64k", "unix"), ">=", 1),
    ("AF_VSOCK to guest, 4 KiB / UNIX socket", "host_stream_4k", ("host_stream_4k", "unix"), ">=", 0.9),
    ("AF_VSOCK round trip / UNIX socket", "host_rtt", ("host_rtt", "unix"), "<=", 1),
    ("notifications per MiB of bulk stream", "notifications_per_mib", None, "<=", 1),
    ("connections opened and closed a second", "connects_per_s", None, ">=", 200000),
    ("10,000 streams, 1 % active / one stream", "streams_10k", ("stream_64k", "xvs"), ">=", 0.9),
    ("one of 200 guests / one guest", "guests_200", ("guests_1", "xvs"), ">=", 0.9),
    ("p99 of a ping beside a flood / alone", "flood_ping_p99", ("flood_ping_p99_alone", "xvs"), "<=", 3),
    ("daemon's bytes for an idle connection", "bytes_per_idle_connection", None, "<=", 512),
    ("library's bytes for an idle connection", "bytes_per_idle_connection_library", None, "<=", 512),
)

COLOURS = {"same-cpu": "#0b6e4f", "two-cpus": "#1f4e9c", "scheduler": "#b3541e"}
XEN_COLOUR = "#7a1fa2"


def entry(measure, subject, placement, platform, values, unit):
    return {"measure": measure, "subject": subject, "value": _round(statistics.median(values)), "unit": unit,
            "placement": placement, "platform": platform, "min": _round(min(values)), "max": _round(max(values)),
            "runs": len(values)}


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
        found = {(e["platform"], e["placement"]) for e in entries}
        order = [(platform, placement) for platform in ("hosted", "xen") for placement in measures.PLACEMENTS]
        self.columns = [c for c in order if c in found]

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


def table(entries, notes, colour=False):
    if not entries:
        return "There are no figures."
    book = Book(entries)
    lines = _aims(book, colour)
    for column in book.columns:
        lines += _figures(book, column)
    lines += ["", "How they were taken: A and B are the two processors of two-cpus, and one in same-cpu; in scheduler nothing is "
                  "pinned."]
    lines += [f"  {measure:{max(map(len, measures.WHERE))}}  {text}" for measure, text in measures.WHERE.items()]
    lines += ["", "Why what is not met is not: tests/bench/PROFILE.md."] + notes
    return "\n".join(lines)


# ---- the plot: how far from its aim each is, as SVG ----

LEFT, RIGHT, TOP, ROW, AXIS = 330, 150, 74, 26, 46
SPAN = 520


def _x(goodness):
    """Goodness is 1 where the aim is just met; a tenth to ten times fit."""
    return LEFT + SPAN * (math.log10(min(max(goodness, 0.1), 10)) + 1) / 2


def _mark(column, x, y, good):
    colour = XEN_COLOUR if column[0] == "xen" else COLOURS[column[1]]
    fill = colour if good else "white"
    if column[0] == "xen":
        return f'<path d="M{x:.1f} {y - 6:.1f} l6 6 l-6 6 l-6 -6 z" fill="{fill}" stroke="{colour}" stroke-width="2"/>'
    if column[1] == "same-cpu":
        return f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="{fill}" stroke="{colour}" stroke-width="2"/>'
    if column[1] == "scheduler":
        return f'<path d="M{x:.1f} {y - 6:.1f} l6.5 11 h-13 z" fill="{fill}" stroke="{colour}" stroke-width="2"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" fill="{fill}" stroke="{colour}" stroke-width="2"/>'


def _text(x, y, text, anchor="start", size=13, colour="#222", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}" '
            f'font-weight="{weight}">{escape(text)}</text>')


def _axis(height):
    parts = []
    for at, label in ((0.1, "a tenth"), (0.2, ""), (0.5, "half"), (1, "the aim"), (2, "twice"), (5, ""), (10, "ten times")):
        x = _x(at)
        stroke = "#222" if at == 1 else "#ccc"
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - AXIS + 4}" stroke="{stroke}" '
                     f'stroke-width="{2 if at == 1 else 1}"/>')
        parts.append(_text(x, height - AXIS + 20, label, "middle", 12, "#444"))
    return parts


def plot(entries):
    book = Book(entries)
    rows = [(aim, [(c, book.quotient(aim, c)) for c in book.columns]) for aim in AIMS]
    rows = [(aim, values) for aim, values in rows if any(v is not None for _, v in values)]
    width, height = LEFT + SPAN + RIGHT, TOP + ROW * len(rows) + AXIS
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
             'font-family="DejaVu Sans, Helvetica, Arial, sans-serif">',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             _text(16, 24, "xvs: measured against its aims", size=17, weight="bold"),
             _text(LEFT + SPAN + RIGHT - 12, 24, "filled: met; hollow: not met; further right is better", "end", 12, "#444")]
    x = 16
    for column in book.columns:
        parts += [_mark(column, x + 6, 47, True), _text(x + 20, 51, title(column))]
        x += 40 + 9 * len(title(column))
    for i, (aim, values) in enumerate(rows):
        y = TOP + ROW * i
        if i % 2 == 0:
            parts.append(f'<rect x="0" y="{y}" width="{width}" height="{ROW}" fill="#f4f4f0"/>')
    parts += _axis(height)
    for i, (aim, values) in enumerate(rows):
        y = TOP + ROW * i + ROW / 2
        parts.append(_text(LEFT - 14, y + 4.5, aim[0], "end"))
        parts.append(_text(LEFT + SPAN + 16, y + 4.5, f"aim {'≥' if aim[3] == '>=' else '≤'} {number(aim[4])}", colour="#444"))
        for column, value in values:
            if value is not None:
                goodness = value / aim[4] if aim[3] == ">=" else aim[4] / max(value, 1e-9)
                parts.append(_mark(column, _x(goodness), y, met(aim, value)))
    return "\n".join(parts) + "\n</svg>\n"

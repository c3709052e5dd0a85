# SPDX-License-Identifier: MIT
"""The report as a page: which aims hold in each run, plots with the spread, all figures, the machine, and earlier runs beside it.  One file,
with nothing from elsewhere in it."""

from html import escape

from . import history, plots, report
from .hosted import Failed

STYLE = """
body { font: 15px/1.45 "DejaVu Sans", Helvetica, Arial, sans-serif; color: #222; max-width: 1040px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em; border-bottom: 1px solid #ccc }
table { border-collapse: collapse; font-size: 13px } th, td { padding: 3px 10px; text-align: right; vertical-align: top }
th:first-child, td:first-child { text-align: left } tr:nth-child(even) td { background: #f4f4f0 } th { border-bottom: 1px solid #999 }
.yes { color: #0b6e4f } .no { color: #b3261e; font-weight: bold } .note { color: #555 } .failed { color: #b3261e }
svg { max-width: 100%; height: auto }
"""


def _table(titles, rows):
    head = "".join(f"<th>{escape(t)}</th>" for t in titles)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>\n"


def _marked(aim, value):
    if value is None:
        return "-"
    return f'<span class="{"yes" if report.met(aim, value) else "no"}">{report.number(value)}</span>'


def _held(aim, values):
    there = [value for value in values if value is not None]
    good = sum(report.met(aim, value) for value in there)
    return good == len(there), f'<span class="{"yes" if good == len(there) else "no"}">{good} of {len(there)}</span>'


def _aims(column, books):
    books = [book for book in books if column in book.columns]
    rows = [[escape(aim[0]), report.aimed_at(aim), *(_marked(aim, value) for value in values), _held(aim, values)[1]]
            for where, aim, values in report.each_aim(books) if where == column]
    return _table(["", "aim", *(f"run {n + 1}" for n in range(len(books))), "holds in"], rows)


def _figures(column, entries):
    mine = [e for e in entries if (e["platform"], e["placement"]) == column]
    return _table(["", "of", "unit", "median", "least", "most", "runs"],
                  [[escape(e["measure"]), escape(e["subject"]), escape(e["unit"]), report.number(e["value"]), report.number(e["min"]),
                    report.number(e["max"]), str(e["runs"])] for e in mine])


def _plot(column, books, before):
    try:
        return plots.plot(column, books, before)
    except Failed as failed:
        return f'<p class="failed">There is no plot: {escape(str(failed))}.</p>'


def _batches(records):
    """The newest first: when it began, and its runs."""
    found = {}
    for record in records:
        found.setdefault(record["batch"], []).append(record)
    return [(batch, found[batch]) for batch in sorted(found, reverse=True)]


def _beside(now, others):
    """The median of each batch's quotients, that of the page first."""
    batches = [("here", [report.Book(r["entries"]) for r in now])]
    batches += [(batch, [report.Book(r["entries"]) for r in runs]) for batch, runs in _batches(others)[:8]]
    rows = []
    for column, aim, _ in report.each_aim(batches[0][1]):
        cells = []
        for _, books in batches:
            values = sorted(v for v in (book.quotient(aim, column) for book in books) if v is not None)
            cells.append(_marked(aim, values[len(values) // 2] if values else None))
        rows.append([f"{escape(aim[0])}, {escape(report.title(column))}", report.aimed_at(aim), *cells])
    machines = [[escape(batch), escape(runs[0]["machine"]), str(len(runs)), "<br>".join(escape(note) for note in runs[0]["notes"])]
                for batch, runs in _batches(others)[:8]]
    return _table(["", "aim", *(batch for batch, _ in batches)], rows) + "<p></p>" + _table(["batch", "machine", "runs", "notes"], machines)


def render(entries, records):
    """entries: what build/bench.json holds; records: all runs that there are, the oldest first."""
    now, others = history.shown(records)
    books = [report.Book(r["entries"]) for r in now]
    before = [report.Book(r["entries"]) for r in others]
    held = [_held(aim, values)[0] for _, aim, values in report.each_aim(books)]
    parts = [f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>xvs: figures</title><style>{STYLE}</style></head><body>',
             "<h1>xvs, measured against its aims</h1>",
             f"<p><b>{sum(held)} of {len(held)}</b> aims hold in every run in which they were measured.</p>"]
    parts += [f"<p>{escape(text)}</p>" for text in dict.fromkeys(f"{r['platform']}, {r['batch']}: {r['machine']}." for r in now)]
    parts += [f'<p class="{"failed" if note.startswith("FAILED") else "note"}">{escape(note)}</p>'
              for note in dict.fromkeys(note for r in now for note in r["notes"])]
    parts.append("<p>A quotient where a “/” stands, of medians. Further right is better; what lies outside of the plot stands at its edge.</p>")
    for column in sorted({c for book in books for c in book.columns}, key=report.order):
        parts.append(f"<h2>{escape(report.title(column))}</h2>")
        parts.append(_plot(column, books, before))
        parts.append(_aims(column, books))
    if others:
        parts += ["<h2>Earlier runs beside it, and those of a part</h2>", _beside(now, others)]
    for column in report.Book(entries).columns:
        parts += [f"<h2>All figures, {escape(report.title(column))}</h2>", _figures(column, entries)]
    parts += ["<h2>How they were taken</h2>", "<p>A and B are the two processors of two-cpus, and one in same-cpu; in scheduler nothing is "
              "pinned.</p>", _table(["", ""], [[escape(m), f'<div style="text-align:left">{escape(text)}</div>'] for m, text in report.where(entries).items()]),
              "<p>Why what is not met is not: tests/bench/PROFILE.md.</p></body></html>"]
    return "\n".join(parts) + "\n"

# SPDX-License-Identifier: MIT
"""How far each is from its aim, drawn by gnuplot as SVG: this batch's runs with their spread, and earlier runs behind them."""

import subprocess

from . import report
from .hosted import Failed

ROW = 24            # pixels
MOST, LEAST = 10, 0.1


def _within(x):
    return min(max(x, LEAST), MOST)


def _quoted(text):
    """As the label of a tic, where % would begin a format; gnuplot 5.4 cuts short what has %% in it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "percent") + '"'


def _block(name, points):
    """A datablock; one that is empty has a point that is nowhere."""
    return [f"${name} << EOD"] + [" ".join(f"{x:.6g}" for x in point) for point in points or [(-9, 1, 1, 1)]] + ["EOD"]


def _spread(aim, column, books):
    """From the worst value of any run to the best, over the median of what it is divided by."""
    values = []
    for book in books:
        entry = book.by_key.get((aim[1], "xvs", column[1], column[0]))
        base = book.get(aim[2][0], aim[2][1], column) if aim[2] else 1
        if entry and base:
            values += [report.goodness(aim, entry[end] / base) for end in ("min", "max")]
    return _within(min(values)), _within(max(values))


def plot(column, now, earlier):
    """SVG of a column, of books; "" if there is nothing to draw.  Failed, if gnuplot says no."""
    good, bad, before, spread, names = [], [], [], [], []
    for _, aim, values in (row for row in report.each_aim(now) if row[0] == column):
        y = len(names)
        names.append(f"{aim[0]}  {report.aimed_at(aim)}")
        spread.append((y, 1, *_spread(aim, column, now)))
        for value in values:
            if value is not None:
                (good if report.met(aim, value) else bad).append((y, _within(report.goodness(aim, value)), 0, 0))
        for book in earlier:
            value = book.quotient(aim, column)
            if value is not None:
                before.append((y + 0.28, _within(report.goodness(aim, value)), 0, 0))
    if not names:
        return ""
    height = ROW * len(names) + 90
    script = [f'set terminal svg size 1000,{height} font "DejaVu Sans,12" background "white" noenhanced name "{column[0]}_{column[1].replace("-", "_")}"',
              "set logscale x", f"set xrange [{LEAST * 0.92}:{MOST * 1.09}]",
              f"set yrange [{len(names) - 0.4}:-0.6]", "set lmargin 48", "set tmargin 4", "set border 1", "set grid xtics lt 1 lc rgb '#dddddd'",
              'set xtics ("a tenth" 0.1, "" 0.2, "half" 0.5, "the aim" 1, "twice" 2, "" 5, "ten times" 10) nomirror',
              "set ytics nomirror noenhanced (" + ", ".join(f"{_quoted(name)} {y}" for y, name in enumerate(names)) + ")",
              "set arrow from 1, graph 0 to 1, graph 1 nohead lw 2 lc rgb '#222222' back",
              "set key outside top center horizontal Left reverse samplen 1 width 2 maxrows 1"]
    for name, points in (("good", good), ("bad", bad), ("before", before), ("spread", spread)):
        script += _block(name, points)
    script += ["plot $spread using 3:1:3:4 with xerrorbars pt 0 lw 6 lc rgb '#c9d7ea' title 'least to most of all rounds', \\",
               "  $before using 2:1 with points pt 6 ps 0.45 lc rgb '#555555' title 'other runs', \\",
               "  $good using 2:1 with points pt 7 ps 0.6 lc rgb '#0b6e4f' title 'a run that meets the aim', \\",
               "  $bad using 2:1 with points pt 6 ps 0.6 lw 2 lc rgb '#b3261e' title 'one that does not'"]
    try:
        done = subprocess.run(["gnuplot"], input="\n".join(script) + "\n", capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise Failed("apt-get install gnuplot-nox") from missing
    if done.returncode or "<svg" not in done.stdout:
        raise Failed(f"gnuplot: {done.stderr.strip()[-200:]}")
    return done.stdout[done.stdout.index("<svg"):]

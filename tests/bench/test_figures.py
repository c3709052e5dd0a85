#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_figures.py: what `make bench` makes of figures, without measuring any: aims, runs side by side, the page, the runs before."""

import os
import re
import sys
import tempfile
import traceback
import xml.dom.minidom

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from figures import history, measures, page, plots, report  # noqa: E402
from figures.hosted import Failed  # noqa: E402


def entries(ratio, placement="two-cpus"):
    """A stream of xvs that is so many times a socketpair's, and 3 % spread; and a row whose words have a % in them."""
    values = [100.0 * ratio * f for f in (0.97, 1, 1.03)]
    return [report.entry("stream_64k", "xvs", placement, "hosted", values, "MB/s"),
            report.entry("stream_64k", "socketpair", placement, "hosted", [100.0] * 3, "MB/s"),
            report.entry("streams_10k", "xvs", placement, "hosted", values, "MB/s")]


def record(batch, ratio, **more):
    return {"batch": batch, "when": batch, "platform": "hosted", "partial": False, "machine": "a machine", "notes": ["a note"], "entries": entries(ratio), **more}


def an_aim_that_holds_in_some_runs_is_said_to_hold_in_those():
    table = report.runs_table([report.Book(entries(ratio)) for ratio in (2.5, 1.5, 2.1)])
    line = next(line for line in table.splitlines() if line.startswith("64 KiB stream, copying / socketpair"))
    assert line.split()[-6:] == ["2.50", "1.50", "2.10", "2", "of", "3"], line
    assert "1 of 2 in every run" in table, table


def a_run_without_a_figure_does_not_count_for_it():
    table = report.runs_table([report.Book(entries(2.5)), report.Book(entries(2.5, "same-cpu"))])
    lines = [line.split()[-5:] for line in table.splitlines() if line.startswith("64 KiB stream, copying / socketpair")]
    assert lines == [["-", "2.50", "1", "of", "1"], ["2.50", "-", "1", "of", "1"]], lines


def the_last_whole_batch_is_told_from_the_others():
    with tempfile.TemporaryDirectory() as folder:
        for batch, ratio in (("2026-01-01 10:00:00", 1), ("2026-01-02 10:00:00", 2), ("2026-01-02 10:00:00", 3)):
            history.save(folder, record(batch, ratio))
        with open(os.path.join(folder, "2025-broken.json"), "w", encoding="utf-8") as f:
            f.write('{"batch": ')
        with open(os.path.join(folder, "2025-other.json"), "w", encoding="utf-8") as f:
            f.write('["batch"]')
        history.save(folder, record("2026-01-03 10:00:00", 4, partial=True))
        now, earlier = history.shown(history.load(folder))
    assert [len(now), len(earlier)] == [2, 2], (now, earlier)
    assert [r["entries"][0]["value"] for r in now + earlier] == [200, 300, 100, 400]


def the_page_shows_each_run_the_machine_and_earlier_runs():
    html = page.render(entries(2.2), [record("2026-01-01 10:00:00", 1.1), record("2026-01-02 10:00:00", 2.2), record("2026-01-02 10:00:00", 1.9)])
    rows = re.findall(r"<tr><td>64 KiB stream, copying / socketpair</td>.*?</tr>", html)
    assert len(rows) == 1 and [re.sub("<.*?>", " ", rows[0]).split()[-5:]] == [["2.20", "1.90", "1", "of", "2"]], rows
    beside = re.findall(r"<tr><td>64 KiB stream, copying / socketpair, two-cpus</td>.*?</tr>", html)
    assert len(beside) == 1 and re.sub("<.*?>", " ", beside[0]).split()[-2:] == ["2.20", "1.10"], beside
    assert "a machine" in html and "2026-01-01 10:00:00" in html


def what_comes_from_elsewhere_is_no_markup():
    evil = "<script>alert(1)</script>"
    html = page.render(entries(2), [record(evil, 2, notes=[evil], machine=evil), record(evil + "2", 2, notes=[evil], machine=evil)])
    assert "<script" not in html


def a_page_without_gnuplot_says_what_to_install():
    path = os.environ["PATH"]
    os.environ["PATH"] = "/nonexistent"
    try:
        html = page.render(entries(2), [record("2026-01-02 10:00:00", 2)])
    finally:
        os.environ["PATH"] = path
    assert "apt-get install gnuplot-nox" in html and "copying / socketpair" in html


def a_plot_has_every_row_and_its_words_whole():
    try:
        svg = plots.plot(("hosted", "two-cpus"), [report.Book(entries(2.2))], [report.Book(entries(1))])
    except Failed as failed:
        return str(failed)
    xml.dom.minidom.parseString(svg)
    words = re.findall(r"<text[^>]*>(.*?)</text>", svg, re.S)
    said = " ".join(re.sub("<.*?>", "", word).strip() for word in words)
    assert "64 KiB stream, copying / socketpair  ≥ 2.00" in said and "10,000 streams, 1 percent active / one stream  ≥ 0.900" in said, said
    return None


def a_flood_is_measured_where_the_daemon_decides_alone():
    assert not measures.Placed("same-cpu", [0, 1]).shows_flood()
    assert measures.Placed("two-cpus", [0, 1]).shows_flood() and measures.Placed("two-cpus", [0, 1, 2]).third == 2
    assert not measures.Placed("scheduler", [0, 1]).shows_flood() and measures.Placed("scheduler", [0, 1, 2]).shows_flood()


def every_aim_says_what_it_needs_besides():
    for aim in report.AIMS:
        if aim[2] and aim[2][0] != aim[1] and not aim[1].startswith(("host_", "guests_")):
            assert aim[2][0] in measures.NEEDS.get(aim[1], ()), aim[1]


def main():
    passed = failed = skipped = 0
    for test in [f for name, f in list(globals().items()) if callable(f) and f.__module__ == __name__ and name.count("_") > 2]:
        name = test.__name__.replace("_", " ")
        try:
            why = test()
        except Exception:   # noqa: BLE001
            print(f"FAIL {name}")
            traceback.print_exc(file=sys.stdout)
            failed += 1
            continue
        if why:
            print(f"skip {name}: {why}")
            skipped += 1
        else:
            print(f"ok {name}")
            passed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""report.py - rows into CSV and Markdown tables.

Refuses to know how rows come about. Invariant: shows only what was measured; a failure is a word.
"""
import csv
import os
import statistics

import goals
import links
import measures
from tables import middle, names, table

MARK_BEGIN, MARK_END = "<!-- results -->", "<!-- end of results -->"
CSV_NAME, MARKDOWN_NAME = "results.csv", "results.md"


def _digits(value):
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def write_csv(path, rows):
    with open(path, "w", newline="") as f:
        w = csv.DictWriter(f, measures.FIELDS, extrasaction="ignore")
        w.writeheader()
        for row in rows:
            w.writerow({k: _digits(v) for k, v in row.items()})


def read_csv(path):
    """Rows of an earlier run; [] when there was none."""
    def number(text):
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                pass
        return text
    if not os.path.exists(path):
        return []
    with open(path, newline="") as f:
        return [{k: number(v) for k, v in row.items() if v} for row in csv.DictReader(f)]


def goodput_tables(rows):
    text = ""
    on_links = [r for r in rows if r["link"] != "lo"]
    for measure, title in (("up1", "1 upload"), ("down1", "1 download"), ("up8", "8 uploads"),
                           ("down8", "8 downloads")):
        some = [r for r in on_links if r["measure"] == measure]
        if not some:
            continue
        lines = []
        for link in names(some, "link"):
            line = [link, f"{links.BY_NAME[link].limit:.1f}"]
            for peer in names(some, "peer"):
                got = middle(some, link, peer, measure, "goodput_mbit")
                wire = middle(some, link, peer, measure, "wire_ratio")
                line.append("failed" if got is None else f"{got:.1f}" if wire is None
                            else f"{got:.1f} ({wire:.2f})")
            lines.append(line)
        text += f"\n### {title}: Mbit/s (bytes on the wire / bytes delivered)\n\n"
        text += table(["link", "limit", *names(some, "peer")], lines)
    return text


def waiting_tables(rows):
    text = ""
    for measure, title in (("rr", "64 bytes there and back, alone"),
                           ("beside", "64 bytes there and back, beside four uploads"),
                           ("fetch", "A connection opened and a million bytes fetched")):
        some = [r for r in rows if r["measure"] == measure and r["link"] != "lo"]
        if not some:
            continue
        lines = []
        for link in names(some, "link"):
            line = [link, f"{links.BY_NAME[link].rtt:g}"]
            for peer in names(some, "peer"):
                p50 = middle(some, link, peer, measure, "p50_ms")
                p99 = middle(some, link, peer, measure, "p99_ms")
                line.append("failed" if p50 is None else f"{p50:.1f} / {p99:.1f}")
            lines.append(line)
        text += f"\n### {title}: p50 / p99 in ms\n\n"
        text += table(["link", "RTT", *names(some, "peer")], lines)
    return text


def bad_times_tables(rows):
    """Figures that only some links have."""
    text = ""
    for measure, field, title, unit in (
            ("up1", "recovery_ms", "After a second of darkness the rate is back after",
             "{:.0f} ms"),
            ("share-self", "share", "Two uploads, each through a tunnel of its own: share of the "
             "first", "{:.0%}"),
            ("share-bbr", "share", "One upload beside one TCP BBR: its share", "{:.0%}")):
        some = [r for r in rows if r["measure"] == measure and r.get(field) is not None]
        if some:
            lines = []
            for link in names(some, "link"):
                got = [middle(some, link, peer, measure, field) for peer in names(some, "peer")]
                lines.append([link, *("-" if v is None else unit.format(v) for v in got)])
            text += f"\n### {title}\n\n" + table(["link", *names(some, "peer")], lines)
    return text


def tail_drop_table(rows):
    some = [r for r in rows if r["measure"] == "up1" and r.get("tail_drops") is not None]
    if not some:
        return ""
    lines = []
    for link in names(some, "link"):
        got = [middle(some, link, peer, "up1", "tail_drops") for peer in names(some, "peer")]
        lines.append([link, *("-" if v is None else f"{v:.0f}" for v in got)])
    return "\n### 1 upload: packets the queue had no room for\n\n" + table(
        ["link", *names(some, "peer")], lines)


LOOPBACK = [
    # measure, field, title
    ("up1", "goodput_mbit", "1 upload, Mbit/s"), ("up1", "cpu_s_per_gb", "... CPU s/GB, both ends"),
    ("down1", "goodput_mbit", "1 download, Mbit/s"),
    ("down1", "cpu_s_per_gb", "... CPU s/GB, both ends"),
    ("up1", "peak_kib", "... peak memory, KiB, both ends"),
    ("rr", "p50_ms", "64 bytes there and back, p50 ms"), ("rr", "p99_ms", "... p99 ms"),
    ("connect", "per_second", "connections opened, echoed, closed per s"),
    ("idle", "idle_cpu_percent", "connected and idle, % of a core"),
    ("idle", "wakeups_per_s", "... wake-ups per s"),
    ("tunnels1000", "kib_each", "KiB per idle tunnel, 1,000 connected, server"),
    ("tunnels1000", "idle_cpu_percent", "... % of a core"),
    ("held10000", "kib_each", "KiB per idle stream, 10,000 open, both ends"),
    ("held10000", "idle_cpu_percent", "... % of a core"),
    ("up10", "goodput_mbit", "10 uploads, Mbit/s"), ("up10", "cpu_s_per_gb", "... CPU s/GB"),
    ("up100", "goodput_mbit", "100 uploads, Mbit/s"), ("up100", "cpu_s_per_gb", "... CPU s/GB"),
    ("up1000", "goodput_mbit", "1,000 uploads, Mbit/s"),
    ("up1000", "cpu_s_per_gb", "... CPU s/GB"),
    ("up10000", "goodput_mbit", "10,000 uploads, Mbit/s"),
    ("up10000", "cpu_s_per_gb", "... CPU s/GB"),
]


def loopback_table(rows):
    some = [r for r in rows if r["link"] == "lo"]
    if not some:
        return ""
    lines = []
    for measure, field, title in LOOPBACK:
        got = [middle(some, "lo", peer, measure, field) for peer in names(some, "peer")]
        if any(value is not None for value in got):
            lines.append([title, *("-" if v is None else f"{v:.4g}" for v in got)])
    return "\n### Loopback\n\n" + table(["", *names(some, "peer")], lines)


def failures(rows):
    bad = [r for r in rows if r.get("error")]
    return "".join(f"\n- {r['link']} {r['measure']} {r['peer']}: {r['error']}" for r in bad)


def markdown(rows, box):
    text = f"{box['cpu']}, {box['cores']} cores, Linux {box['kernel']}; commit {box['commit']}; "
    seconds = {r["seconds"] for r in rows if r.get("seconds")}
    text += f"{box['date']}; {' or '.join(f'{s:g}' for s in sorted(seconds))} s each; "
    text += f"median of {len(names(rows, 'run'))} run(s); "
    text += f"load average meanwhile {statistics.median(r['load1'] for r in rows):.1f}.\n"
    text += goals.goals_table(rows) + goals.wins_table(rows)
    text += goodput_tables(rows) + tail_drop_table(rows) + waiting_tables(rows)
    text += bad_times_tables(rows) + loopback_table(rows)
    bad = failures(rows)
    return text + (f"\n### Failed\n{bad}\n" if bad else "")


def write(out, rows, box):
    write_csv(os.path.join(out, CSV_NAME), rows)
    with open(os.path.join(out, MARKDOWN_NAME), "w") as f:
        f.write(markdown(rows, box))


def fill(path, out):
    """Puts the tables into a document, between its two marks."""
    with open(path) as f:
        before, _, rest = f.read().partition(MARK_BEGIN)
    if not rest:
        raise ValueError(f"{path} has no {MARK_BEGIN}")
    after = rest.partition(MARK_END)[2]
    with open(os.path.join(out, MARKDOWN_NAME)) as f:
        results = f.read()
    with open(path, "w") as f:
        f.write(f"{before}{MARK_BEGIN}\n\n{results}\n{MARK_END}{after}")

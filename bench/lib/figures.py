# SPDX-License-Identifier: MIT
"""figures.py - which figures are drawn of which rows."""
import os

import links
import measures
import svg
from tables import middle, names

SMOOTH = 10  # bins of 20 ms in one point of a curve

SHARE = "share of what the link allows (dashed: to reach)"
TRIP = "64 bytes there and back"

BARS = [
    # file, measure, field, title, unit, axis ends at
    ("goodput-up", "up1", "of_limit", f"One upload: {SHARE}", "share", None),
    ("goodput-down", "down1", "of_limit", f"One download: {SHARE}", "share", None),
    ("goodput-up8", "up8", "of_limit", f"Eight uploads: {SHARE}", "share", None),
    ("goodput-down8", "down8", "of_limit", f"Eight downloads: {SHARE}", "share", None),
    ("wire", "up1", "wire_ratio", "One upload: bytes on the wire / bytes delivered", "ratio", 5),
    ("tail-drops", "up1", "tail_drops", "One upload: packets the queue had no room for", "packets",
     None),
    ("round-trip", "rr", "p50_ms", f"{TRIP}, alone: p50", "ms", 1000),
    ("round-trip-p99", "rr", "p99_ms", f"{TRIP}, alone: p99", "ms", 1500),
    ("beside", "beside", "p50_ms", f"{TRIP} beside four uploads: p50", "ms", 1000),
    ("beside-p99", "beside", "p99_ms", f"{TRIP} beside four uploads: p99", "ms", 2000),
    ("fetch", "fetch", "p50_ms", "A connection opened, a million bytes fetched: p50", "ms", 5000),
]

LOOPBACK = [
    ("loopback-goodput", ["up1", "down1", "up10", "up100", "up1000", "up10000"], "goodput_mbit",
     "Loopback: goodput by number of streams", "Mbit/s"),
    ("loopback-cpu", ["up1", "down1", "up10", "up100", "up1000", "up10000"], "cpu_s_per_gb",
     "Loopback: CPU of both ends", "CPU s/GB"),
    ("loopback-connections", ["connect"], "per_second",
     "Loopback: connections opened, echoed and closed", "per second"),
]


def _of_links(out, rows):
    for name, measure, field, title, unit, top in BARS:
        some = [r for r in rows if r["measure"] == measure and r["link"] != "lo"
                and r.get(field) is not None]
        if some:
            goal = (lambda g: links.BY_NAME[g].figure) if field == "of_limit" else None
            svg.bars(os.path.join(out, name + ".svg"), title, unit, names(some, "link"),
                     names(some, "peer"),
                     lambda g, s, m=measure, f=field: middle(rows, g, s, m, f), top, goal)


def _of_loopback(out, rows):
    for name, wanted, field, title, unit in LOOPBACK:
        some = [r for r in rows if r["link"] == "lo" and r["measure"] in wanted
                and r.get(field) is not None]
        if some:
            svg.bars(os.path.join(out, name + ".svg"), title, unit, names(some, "measure"),
                     names(some, "peer"),
                     lambda g, s, f=field: middle(rows, "lo", s, g, f))


def _over_time(out, rows):
    """Goodput of the first run's upload over time, one figure per link."""
    some = [r for r in rows if r["link"] != "lo" and r["measure"] == "up1" and r["run"] == 1
            and r.get("bins")]
    for link in names(some, "link"):
        curves = {}
        for row in (r for r in some if r["link"] == link):
            bins, step = row["bins"], SMOOTH * measures.BIN_MS / 1000
            curves[row["peer"]] = [((i / SMOOTH + 0.5) * step,
                                    sum(bins[i:i + SMOOTH]) * 8 / 1e6 / step)
                                   for i in range(0, len(bins) - SMOOTH + 1, SMOOTH)]
        svg.lines(os.path.join(out, f"time-{link}.svg"),
                  f"One upload on {link} ({links.BY_NAME[link].describe()})", "Mbit/s", "seconds",
                  curves)


def write(out, rows):
    _of_links(out, rows)
    _of_loopback(out, rows)
    _over_time(out, rows)

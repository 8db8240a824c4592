# SPDX-License-Identifier: MIT
"""goals.py - the figures foggara is to reach, and where a peer is better.

Refuses to soften: what was not measured is left out, what was missed says so.
"""
import links
from tables import middle, names, table

OURS = "foggara"
MARGIN = 1.02  # a peer is better when it is so by more than what two runs differ by

WIRE_MOST = 1.09  # / (1 - loss)
BESIDE_P50, BESIDE_P99 = 15, 40  # ms over the round trip, on a clean link

LOOPBACK = [
    # measure, field, at least or at most, bound, what
    ("up1", "goodput_mbit", ">=", 8000, "loopback, 1 upload, Mbit/s"),
    ("up1", "cpu_s_per_gb", "<=", 1.2, "loopback, 1 upload, CPU s/GB, both ends"),
    ("connect", "per_second", ">=", 5000, "loopback, connections per s, one after another"),
    ("connect16", "per_second", ">=", 5000, "loopback, connections per s, 16 at a time"),
    ("rr", "p50_ms", "<=", 0.08, "loopback, round trip p50, ms"),
    ("rr", "p99_ms", "<=", 0.25, "loopback, round trip p99, ms"),
    ("tunnels1000", "idle_cpu_percent", "<=", 1, "1,000 idle tunnels, % of a core, server"),
    ("tunnels1000", "kib_each", "<=", 24, "1,000 idle tunnels, KiB each, server"),
]

# field: whether more is better, and what to call it
COMPARED = {
    "goodput_mbit": (True, "Mbit/s"), "wire_ratio": (False, "wire bytes / delivered"),
    "p50_ms": (False, "p50 ms"), "p99_ms": (False, "p99 ms"), "per_second": (True, "per s"),
    "recovery_ms": (False, "ms until back"), "cpu_s_per_gb": (False, "CPU s/GB"),
    "idle_cpu_percent": (False, "% CPU idle"), "wakeups_per_s": (False, "wake-ups/s"),
    "kib_each": (False, "KiB each"), "peak_kib": (False, "peak KiB"),
}


def _of_link(link):
    """(measure, field, at least or at most, bound, what) of one link."""
    clean_trips = link.loss <= 0.1 and not link.dark and not link.jitter
    for measure in ("up1", "down1"):
        yield measure, "of_limit", ">=", link.figure, f"{link.name}, {measure}, share of the limit"
        yield (measure, "wire_ratio", "<=", WIRE_MOST / (1 - link.loss),
               f"{link.name}, {measure}, wire bytes / delivered")
    if clean_trips:
        yield "rr", "p50_ms", "<=", link.rtt + 1, f"{link.name}, round trip p50, ms"
        yield "rr", "p99_ms", "<=", link.rtt * 1.25, f"{link.name}, round trip p99, ms"
    if clean_trips and not link.loss:
        yield ("beside", "p50_ms", "<=", link.rtt + BESIDE_P50,
               f"{link.name}, beside four uploads p50, ms")
        yield ("beside", "p99_ms", "<=", link.rtt + BESIDE_P99,
               f"{link.name}, beside four uploads p99, ms")
    if link.dark:
        yield ("up1", "recovery_ms", "<=", 2 * link.rtt + 250,
               f"{link.name}, rate back after the dark, ms")
    for measure in ("share-self", "share-bbr"):
        yield measure, "share", "35-65", None, f"{link.name}, {measure}, share"


def _reached(value, sign, bound):
    if sign == "35-65":
        return 0.35 <= value <= 0.65
    return value >= bound if sign == ">=" else value <= bound


def goals_table(rows):
    lines = []
    for name in names(rows, "link"):
        goals = LOOPBACK if name == "lo" else _of_link(links.BY_NAME[name])
        for measure, field, sign, bound, what in goals:
            value = middle(rows, name, OURS, measure, field)
            if value is None:
                continue
            to_reach = "0.35 to 0.65" if bound is None else f"{sign} {bound:.4g}"
            lines.append([what, to_reach, f"{value:.4g}",
                          "yes" if _reached(value, sign, bound) else "**no**"])
    if not lines:
        return ""
    reached = sum(line[3] == "yes" for line in lines)
    return (f"\n### Figures to reach: {reached} of {len(lines)} reached\n\n"
            + table(["figure", "to reach", "measured", "reached"], lines))


def _best(rows, link, measure, field, more):
    """(value, peer) of the best of the others, or None."""
    others = [(middle(rows, link, peer, measure, field), peer) for peer in names(rows, "peer")
              if peer != OURS]
    others = [pair for pair in others if pair[0] is not None]
    return (max(others) if more else min(others)) if others else None


def wins_table(rows):
    """Where a peer is better than foggara."""
    lines = []
    for link in names(rows, "link"):
        for measure in names(rows, "measure"):
            for field, (more, unit) in COMPARED.items():
                ours = middle(rows, link, OURS, measure, field)
                best = _best(rows, link, measure, field, more)
                if ours is None or best is None:
                    continue
                high, low = (best[0], ours) if more else (ours, best[0])
                if high > low * MARGIN:
                    lines.append([link, measure, unit, f"{ours:.4g}", f"{best[0]:.4g}", best[1]])
    if not lines:
        return "\n### Where a peer is better\n\nNowhere in this run.\n"
    return "\n### Where a peer is better\n\n" + table(
        ["link", "measure", "", OURS, "the best peer", "which"], lines)

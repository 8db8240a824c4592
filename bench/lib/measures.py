# SPDX-License-Identifier: MIT
"""measures.py - what is measured, each as one function from a started world to a row.

Refuses to know which peer it is and where the row goes. A row's empty fields were not measured.
"""
import time

FIELDS = ["run", "link", "peer", "measure", "goodput_mbit", "limit_mbit", "of_limit", "wire_ratio",
          "tail_drops", "lost", "device_lost", "p50_ms", "p99_ms", "samples", "cpu_s_per_gb",
          "peak_kib", "per_second", "idle_cpu_percent", "wakeups_per_s", "kib_each", "load1",
          "error"]
IDLE_SECONDS = 10
GB = 1e9


def _wire(row, got):
    """What the link saw, both directions; dropped packets count as offered."""
    ways = (got["ab"], got["ba"])
    for name, key in (("tail_drops", "tail_dropped"), ("lost", "lost"),
                      ("device_lost", "device_lost")):
        row[name] = sum(way[key] for way in ways)
    if got["bytes"]:
        row["wire_ratio"] = sum(way["bytes"] for way in ways) / got["bytes"]


def _cost(row, got, world):
    if world.tunnel:
        row["peak_kib"] = got["peak_kib"]
        if got["bytes"]:
            row["cpu_s_per_gb"] = got["cpu_s"] / (got["bytes"] / GB)


def _goodput(what, streams):
    def measure(world, link, seconds):
        got = world.measure(what, f"--seconds={seconds}", f"--streams={streams}", "--bins",
                            patience=seconds + 60)
        row = {"goodput_mbit": got["mbit_s"], "bins": got["bins"]}
        if got["broken"]:
            row["error"] = f"{got['broken']} streams broke"
        if link:
            row.update(limit_mbit=link.limit, of_limit=got["mbit_s"] / link.limit)
            _wire(row, got)
        _cost(row, got, world)
        return row
    return measure


def _round_trips(what, warm):
    def measure(world, link, seconds):
        got = world.measure(what, f"--seconds={seconds}", f"--warm={warm}", patience=seconds + 60)
        row = {"p50_ms": got["p50_ms"], "p99_ms": got["p99_ms"], "samples": got["samples"]}
        if not got["samples"]:
            row["error"] = "no answer"
        if link:
            _wire(row, got)
        if not link:
            _cost(row, got, world)
        return row
    return measure


def _visits(world, _link, _seconds):
    got = world.measure("connect", "--count=2000", patience=90)
    row = {"per_second": got["done"] / got["seconds"], "p50_ms": got["p50_ms"],
           "p99_ms": got["p99_ms"], "samples": got["done"]}
    if got["done"] < 2000:
        row["error"] = f"{got['done']} of 2000"
    _cost(row, got, world)
    return row


def _idle(world, _link, _seconds):
    """A connected pair without streams."""
    if not world.tunnel:
        return {}
    time.sleep(2)
    before = world.usage()
    time.sleep(IDLE_SECONDS)
    after = world.usage()
    return {"idle_cpu_percent": (after.cpu - before.cpu) / IDLE_SECONDS * 100,
            "wakeups_per_s": (after.wakeups - before.wakeups) / IDLE_SECONDS,
            "peak_kib": after.peak}


def _held(count):
    """Memory of `count` idle streams, both ends together, and what they cost while they sleep."""
    def measure(world, _link, _seconds):
        if not world.tunnel:
            return {}
        empty = world.usage()
        got = world.hold(count)
        if not got or got["done"] < count:
            return {"error": f"{got['done'] if got else 0} of {count} open"}
        time.sleep(2)
        before = world.usage()
        time.sleep(IDLE_SECONDS)
        after = world.usage()
        return {"samples": count, "kib_each": (after.rss - empty.rss) / count,
                "peak_kib": after.peak,
                "idle_cpu_percent": (after.cpu - before.cpu) / IDLE_SECONDS * 100,
                "wakeups_per_s": (after.wakeups - before.wakeups) / IDLE_SECONDS}
    return measure


# name: (function, more than 1,000 streams)
ON_LINKS = {
    "up1": (_goodput("up", 1), False),
    "down1": (_goodput("down", 1), False),
    "up8": (_goodput("up", 8), False),
    "down8": (_goodput("down", 8), False),
    "rr": (_round_trips("rr", 0), False),
    "beside": (_round_trips("beside", 2), False),
}

ON_LOOPBACK = {
    "up1": (_goodput("up", 1), False),
    "down1": (_goodput("down", 1), False),
    "rr": (_round_trips("rr", 0), False),
    "connect": (_visits, False),
    "idle": (_idle, False),
    "held10000": (_held(10000), True),
    "up10": (_goodput("up", 10), True),
    "up100": (_goodput("up", 100), True),
    "up1000": (_goodput("up", 1000), True),
    "up10000": (_goodput("up", 10000), True),
}

# SPDX-License-Identifier: MIT
"""measures.py - what is measured, each as one function from a started world to a row.

Refuses to know which peer it is and where the row goes. A row's empty fields were not measured.
"""
import time

import peers

FIELDS = ["run", "link", "peer", "measure", "seconds", "goodput_mbit", "limit_mbit", "of_limit",
          "wire_ratio", "tail_drops", "lost", "device_lost", "p50_ms", "p99_ms", "samples",
          "cpu_s_per_gb", "peak_kib", "share", "recovery_ms", "per_second", "idle_cpu_percent",
          "wakeups_per_s", "kib_each", "load1", "error"]
IDLE_SECONDS = 10
SETTLE_SECONDS = 2
FETCHES = 10
TUNNELS_SECONDS = 60  # a server takes only so many from one address in a second
GB = 1e9
BIN_MS = 20           # as load.h has it
FULL, STEADY = 0.9, 25  # the rate is back when so many bins carry this share of it


def _wire(row, got):
    """What the link saw, both directions; dropped packets count as offered."""
    ways = (got["ab"], got["ba"])
    for name, key in (("tail_drops", "tail_dropped"), ("lost", "lost"),
                      ("device_lost", "device_lost")):
        row[name] = sum(way[key] for way in ways)
    if row["device_lost"]:
        row["error"] = f"{row['device_lost']} packets lost outside the model"
    if got["bytes"]:
        row["wire_ratio"] = sum(way["bytes"] for way in ways) / got["bytes"]


def _cost(row, got, world):
    if world.tunnel:
        row["peak_kib"] = got["peak_kib"]
        if got["bytes"]:
            row["cpu_s_per_gb"] = got["cpu_s"] / (got["bytes"] / GB)


def recovery(bins, link):
    """Milliseconds from the end of the longest-lasting dark time until the rate is back; half a
    round trip belongs to the bytes that were sent first. None when it never came back."""
    every, length, first = (int(s * 1000 / BIN_MS) for s in link.dark)
    full = link.limit / (1 - length / every) * 1e6 / 8 * BIN_MS / 1000 * STEADY * FULL
    worst = 0
    for lit in range(first + length, len(bins) - (every - length) + 1, every):
        starts = range(lit, lit + every - length - STEADY)
        back = next((i for i in starts if sum(bins[i:i + STEADY]) >= full), None)
        if back is None:
            return None
        worst = max(worst, (back - lit) * BIN_MS)
    return worst


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
            if link.dark and streams == 1:
                row["recovery_ms"] = recovery(got["bins"], link)
        _cost(row, got, world)
        return row
    return measure


def _share(other):
    """One upload beside another: of the same peer, or of `other`."""
    def measure(world, link, seconds):
        if world.lanes[0].peer.direct and not other:
            return {}
        world.start(other or world.lanes[0].peer)
        ours, theirs = world.race("up", f"--seconds={seconds}", patience=seconds + 60)
        both = ours["mbit_s"] + theirs["mbit_s"]
        return {"goodput_mbit": ours["mbit_s"], "limit_mbit": link.limit,
                "of_limit": both / link.limit, "share": ours["mbit_s"] / both if both else None}
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


def _visits(count, at_once):
    """Connections opened, echoed and closed; so many at the same time."""
    def measure(world, _link, _seconds):
        got = world.measure("connect", f"--count={count}", f"--streams={at_once}", patience=90)
        row = {"per_second": got["done"] / got["seconds"], "p50_ms": got["p50_ms"],
               "p99_ms": got["p99_ms"], "samples": got["done"]}
        if got["done"] < count:
            row["error"] = f"{got['done']} of {count}"
        _cost(row, got, world)
        return row
    return measure


def _fetches(world, link, _seconds):
    """A million bytes on a connection of their own, ten times."""
    got = world.measure("fetch", f"--count={FETCHES}", patience=90)
    row = {"p50_ms": got["p50_ms"], "p99_ms": got["p99_ms"], "samples": got["done"]}
    if got["done"] < FETCHES:
        row["error"] = f"{got['done']} of {FETCHES}"
    if link:
        _wire(row, got)
    return row


def _asleep(world, processes=()):
    """What the tunnel costs while nothing happens."""
    time.sleep(SETTLE_SECONDS)
    before = world.usage(processes)
    time.sleep(IDLE_SECONDS)
    after = world.usage(processes)
    return {"idle_cpu_percent": (after.cpu - before.cpu) / IDLE_SECONDS * 100,
            "wakeups_per_s": (after.wakeups - before.wakeups) / IDLE_SECONDS,
            "peak_kib": after.peak}


def _idle(world, _link, _seconds):
    """A connected pair without streams."""
    return _asleep(world) if world.tunnel else {}


def _held(count):
    """Memory of `count` idle streams, both ends together, and what they cost while they sleep."""
    def measure(world, _link, _seconds):
        if not world.tunnel:
            return {}
        empty = world.usage()
        got = world.hold(count)
        if not got or got["done"] < count:
            return {"error": f"{got['done'] if got else 0} of {count} open"}
        row = _asleep(world)
        row.update(samples=count, kib_each=(world.usage().rss - empty.rss) / count)
        return row
    return measure


def _tunnels(count):
    """`count` connected tunnels without streams: the server's memory for each, and what the server
    costs while they sleep."""
    def measure(world, _link, _seconds):
        peer, server = world.lanes[0].peer, world.tunnel[:1]
        if not peer.tunnels:
            return {}
        empty = world.usage(server)
        world.more_clients(count // peer.tunnels[1])
        end = time.monotonic() + TUNNELS_SECONDS
        while world.tunnels() < count:
            if time.monotonic() > end:
                return {"error": f"{world.tunnels()} of {count} tunnels"}
        row = _asleep(world, server)
        row.update(samples=count, kib_each=(world.usage(server).rss - empty.rss) / count)
        return row
    return measure


# name: (function, more than 1,000 streams)
ON_LINKS = {
    "up1": (_goodput("up", 1), False),
    "down1": (_goodput("down", 1), False),
    "up8": (_goodput("up", 8), False),
    "down8": (_goodput("down", 8), False),
    "rr": (_round_trips("rr", 0), False),
    "beside": (_round_trips("beside", 2), False),
    "fetch": (_fetches, False),
    "share-self": (_share(None), False),
    "share-bbr": (_share(peers.Peer("tcp-bbr", cc="bbr")), False),
}

ON_LOOPBACK = {
    "up1": (_goodput("up", 1), False),
    "down1": (_goodput("down", 1), False),
    "rr": (_round_trips("rr", 0), False),
    "connect": (_visits(2000, 1), False),
    "connect16": (_visits(20000, 16), False),
    "idle": (_idle, False),
    "tunnels1000": (_tunnels(1000), False),
    "held10000": (_held(10000), True),
    "up10": (_goodput("up", 10), True),
    "up100": (_goodput("up", 100), True),
    "up1000": (_goodput("up", 1000), True),
    "up10000": (_goodput("up", 10000), True),
}

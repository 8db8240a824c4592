# SPDX-License-Identifier: MIT
"""world.py - a link, a peer on it and the load's far end, as child processes.

Decides what is started where and that all of it ends. Refuses to know what is measured.
Invariant: leaving a World ends exactly the processes it started; its namespaces go with them.
"""
import ctypes
import json
import os
import re
import select
import shlex
import signal
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
READY_SECONDS = 15
TARGET_PORT, TUNNEL_PORT, LOCAL_PORT, CLIENT_PORTS = 5001, 29900, 12948, 14000
SOURCES = 16  # as netns.h has it
CLOCK_TICK = os.sysconf("SC_CLK_TCK")

_libc = ctypes.CDLL(None)


class Failed(Exception):
    """This measurement cannot be made; the next one may."""


class Usage:
    """What processes have used so far."""

    def __init__(self, processes):
        self.cpu = self.rss = self.peak = self.wakeups = 0
        for p in processes:
            self._add(p.pid)

    def _add(self, pid):
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        self.cpu += (int(fields[11]) + int(fields[12])) / CLOCK_TICK
        for task in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{task}/status") as f:
                    status = dict(line.split(":", 1) for line in f if ":" in line)
            except (FileNotFoundError, ProcessLookupError):
                continue  # the thread has ended
            self.wakeups += int(status["voluntary_ctxt_switches"])
        self.rss += int(status["VmRSS"].split()[0])
        self.peak += int(status["VmHWM"].split()[0])


class Lane:
    """One way from near to far: a tunnel or nothing, and the load's server behind it."""

    def __init__(self, world, peer, number, many):
        self.peer, self.near, self.load = peer, world.near, world.tools.load
        self.board = os.path.join(world.shared.name, f"board{number}")
        target, tunnel, local = (p + number for p in (TARGET_PORT, TUNNEL_PORT, LOCAL_PORT))
        self.cc = ["--cc", peer.cc] if peer.cc else []
        world.spawn(_inside(world.far, [self.load, "serve", "--listen", f"0.0.0.0:{target}",
                                        "--board", self.board, *self.cc]), "load-serve")
        self.entrance = f"{world.far_address}:{target}"
        self.tunnel = []
        if peer.direct:
            return
        self.entrance = f"127.0.0.1:{local}"
        self.places = {"listen": self.entrance, "remote": f"{world.far_address}:{tunnel}",
                       "bind": f"0.0.0.0:{tunnel}", "target": f"127.0.0.1:{target}"}
        more = " " + peer.many if many else ""
        for role, line, where in (("server", peer.server, world.far),
                                  ("client", peer.client, world.near)):
            words = shlex.split(line.format(**self.places) + more)
            self.tunnel.append(world.spawn(_inside(where, words), f"{peer.name}-{role}"))

    def command(self, what, *options):
        return _inside(self.near, [self.load, what, "--to", self.entrance, "--board", self.board,
                                   *self.cc, *options])


def _inside(namespace, command):
    return ["nsenter", f"--net={namespace}", *command]


class World:
    """with World(tools, link arguments, log directory) as w: w.start(peer); w.measure("up", ...)"""

    def __init__(self, tools, link_arguments, logs, loopback=False):
        self.tools, self.logs = tools, logs
        self.processes, self.lanes = [], []
        self.shared = tempfile.TemporaryDirectory(prefix="fogb-", dir="/dev/shm")
        self.link = self.spawn([tools.link, *link_arguments], "link", stdout=subprocess.PIPE)
        up = json.loads(self.link.stdout.readline() or "null")
        if not up:
            self.close()
            raise Failed("the link did not come up")
        self.near, self.far = up["a"], up["a"] if loopback else up["b"]
        self.far_address = "127.0.0.1" if loopback else up["address_b"]

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def close(self):
        for p in reversed(self.processes):
            if p.poll() is None:
                p.terminate()
        for p in reversed(self.processes):
            try:
                p.wait(3)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.shared.cleanup()

    def spawn(self, command, name, **more):
        log = open(os.path.join(self.logs, name + ".log"), "ab")
        more.setdefault("stdout", log)
        more.setdefault("stdin", subprocess.DEVNULL)
        p = subprocess.Popen(command, stderr=log, preexec_fn=self._child, **more)
        log.close()
        self.processes.append(p)
        return p

    def _child(self):
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        os.nice(self.tools.nice)

    @property
    def tunnel(self):
        """The processes whose cost counts: those of the first lane."""
        return self.lanes[0].tunnel

    def start(self, peer, many=False):
        """Opens another lane; returns when 64 bytes have gone through it and back."""
        lane = Lane(self, peer, len(self.lanes), many)
        self.lanes.append(lane)
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            for p in lane.tunnel:
                if p.poll() is not None:
                    raise Failed(f"{peer.name} ended with {p.returncode}")
            probe = self._finish(self._begin(lane, "connect", "--count=1"), 5)
            if probe and probe["done"]:
                return
            time.sleep(0.1)
        raise Failed(f"{peer.name} carried nothing within {READY_SECONDS} s")

    # ------------------------------------------------------------------------------------ load

    def _begin(self, lane, what, *options):
        return self.spawn(lane.command(what, *options), "load", stdout=subprocess.PIPE)

    def _finish(self, p, patience):
        """What a load says at its end; None when it failed or never ended."""
        try:
            out = p.communicate(timeout=patience)[0]
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            out = b""
        self.processes.remove(p)
        return json.loads(out) if out.strip() else None

    def measure(self, what, *options, patience=120):
        """A load, with what the link counted and what the tunnel used meanwhile."""
        before, used = self.count(), self.usage()
        got = self._finish(self._begin(self.lanes[0], what, *options), patience)
        if not got:
            raise Failed(f"no result of {what}")
        after, usage = self.count(), self.usage()
        if got["wrong"]:
            raise Failed(f"{got['wrong']} streams with wrong bytes")
        for way in ("ab", "ba"):
            got[way] = {k: after[way][k] - before[way][k] for k in after[way]}
        got["cpu_s"] = usage.cpu - used.cpu
        got["peak_kib"] = usage.peak
        return got

    def race(self, what, *options, patience=120):
        """The same load on all lanes at the same time."""
        self.count()  # starts the clock of the dark times
        loads = [self._begin(lane, what, *options) for lane in self.lanes]
        results = [self._finish(p, patience) for p in loads]
        if not all(results):
            raise Failed(f"no result of {what}")
        return results

    def hold(self, count, patience=90):
        """Opens `count` streams that stay open until the world is left. None: too slow."""
        p = self.spawn(self.lanes[0].command("idle", f"--count={count}"), "load",
                       stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        ready = select.select([p.stdout], [], [], patience)[0]
        return json.loads(p.stdout.readline() or "null") if ready else None

    def more_clients(self, number):
        """Further clients of the first lane's server, from 16 addresses."""
        lane = self.lanes[0]
        for i in range(number):
            places = dict(lane.places, listen=f"127.0.0.1:{CLIENT_PORTS + i}",
                          remote=f"10.78.{i % SOURCES}.1:{TUNNEL_PORT}")
            words = shlex.split(lane.peer.client.format(**places) + " " + lane.peer.tunnels[0])
            self.spawn(_inside(self.near, words), f"{lane.peer.name}-client")

    def tunnels(self):
        """How many the first lane's server says it has."""
        self.tunnel[0].send_signal(signal.SIGUSR1)
        time.sleep(0.5)
        with open(os.path.join(self.logs, f"{self.lanes[0].peer.name}-server.log")) as f:
            said = re.findall(self.lanes[0].peer.tunnels[2], f.read())
        return int(said[-1]) if said else 0

    def count(self):
        self.link.send_signal(signal.SIGUSR1)
        return json.loads(self.link.stdout.readline())

    def usage(self, processes=()):
        return Usage(processes or self.tunnel)

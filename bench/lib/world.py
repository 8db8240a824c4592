# SPDX-License-Identifier: MIT
"""world.py - a link, a peer on it and the load's far end, as child processes.

Decides what is started where and that all of it ends. Refuses to know what is measured.
Invariant: leaving a World ends exactly the processes it started; its namespaces go with them.
"""
import ctypes
import json
import os
import shlex
import signal
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
READY_SECONDS = 15
TARGET_PORT, TUNNEL_PORT, LOCAL_PORT = 5001, 29900, 12948
CLOCK_TICK = os.sysconf("SC_CLK_TCK")

_libc = ctypes.CDLL(None)


class Failed(Exception):
    """This measurement cannot be made; the next one may."""


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


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


class World:
    """with World(tools, link arguments, log directory) as w: w.start(peer); w.load("up", ...)"""

    def __init__(self, tools, link_arguments, logs, loopback=False):
        self.tools, self.logs, self.loopback = tools, logs, loopback
        self.processes, self.tunnel = [], []
        self.shared = tempfile.TemporaryDirectory(prefix="fogb-", dir="/dev/shm")
        self.board = os.path.join(self.shared.name, "board")
        self.link = self._spawn([tools.link, *link_arguments], "link", stdout=subprocess.PIPE)
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

    # ------------------------------------------------------------------------------- processes

    def _spawn(self, command, name, **more):
        log = open(os.path.join(self.logs, name + ".log"), "ab")
        more.setdefault("stdout", log)
        more.setdefault("stdin", subprocess.DEVNULL)
        p = subprocess.Popen(command, stderr=log, preexec_fn=_die_with_parent, **more)
        log.close()
        self.processes.append(p)
        return p

    def _inside(self, namespace, command):
        return ["nsenter", f"--net={namespace}", *command]

    def start(self, peer, many=False):
        """Starts the peer and waits until 64 bytes have gone through it and back."""
        self.peer = peer
        cc = ["--cc", peer.cc] if peer.cc else []
        serve = [self.tools.load, "serve", "--listen", f"0.0.0.0:{TARGET_PORT}", "--board",
                 self.board, *cc]
        self._spawn(self._inside(self.far, serve), "load-serve")
        self.entrance = f"{self.far_address}:{TARGET_PORT}"
        if not peer.direct:
            self.entrance = f"127.0.0.1:{LOCAL_PORT}"
            self.tunnel = [self._part(peer, peer.server, "server", self.far, many),
                           self._part(peer, peer.client, "client", self.near, many)]
        self._await_ready()

    def _part(self, peer, line, role, namespace, many):
        there = f"{self.far_address}:{TUNNEL_PORT}"
        words = line.format(listen=f"127.0.0.1:{LOCAL_PORT}", remote=there, bind=there,
                            target=f"127.0.0.1:{TARGET_PORT}")
        if many:
            words += " " + peer.many
        return self._spawn(self._inside(namespace, shlex.split(words)), f"{peer.name}-{role}")

    def _await_ready(self):
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            for p in self.tunnel:
                if p.poll() is not None:
                    raise Failed(f"{self.peer.name} ended with {p.returncode}")
            probe = self._run_load("connect", 5, "--count=1")
            if probe and probe["done"]:
                return
            time.sleep(0.1)
        raise Failed(f"{self.peer.name} carried nothing within {READY_SECONDS} s")

    # ------------------------------------------------------------------------------------ load

    def _load_command(self, what, *options):
        cc = ["--cc", self.peer.cc] if self.peer.cc else []
        return self._inside(self.near, [self.tools.load, what, "--to", self.entrance, "--board",
                                        self.board, *cc, *options])

    def _run_load(self, what, patience, *options):
        """One load to its end; None when it failed or never ended."""
        p = self._spawn(self._load_command(what, *options), "load", stdout=subprocess.PIPE)
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
        before, used = self.count(), Usage(self.tunnel)
        got = self._run_load(what, patience, *options)
        if not got:
            raise Failed(f"{self.peer.name}: no result of {what}")
        after, usage = self.count(), Usage(self.tunnel)
        if got["wrong"]:
            raise Failed(f"{self.peer.name}: {got['wrong']} streams with wrong bytes")
        for way in ("ab", "ba"):
            got[way] = {k: after[way][k] - before[way][k] for k in after[way]}
        got["cpu_s"] = usage.cpu - used.cpu
        got["peak_kib"] = usage.peak
        return got

    def hold(self, count, patience=90):
        """Opens `count` streams that stay open until the world is left."""
        p = self._spawn(self._load_command("idle", f"--count={count}"), "load",
                        stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        signal.alarm(patience)
        try:
            return json.loads(p.stdout.readline() or "null")
        finally:
            signal.alarm(0)

    def count(self):
        self.link.send_signal(signal.SIGUSR1)
        return json.loads(self.link.stdout.readline())

    def usage(self):
        return Usage(self.tunnel)

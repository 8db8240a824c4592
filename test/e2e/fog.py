# SPDX-License-Identifier: MIT
"""fog.py - runs the real program as child processes, for the end-to-end tests.

Decides ports, log files, how long to wait, and that no child outlives its test. Refuses to know
what is tested. Invariant: when a test ends each of its processes has ended by a signal of ours or
by itself, and none of them has written a sanitizer's report.

    class SomeTest(fog.Test):
        def test_echo(self):
            target = self.target(targets.echo)
            server, client = self.pair(target.port)
            with self.connect(client) as s: ...

    if __name__ == "__main__":
        fog.main()

Run by hand: FOGGARA=build/foggara python3 test/e2e/transfer_test.py [TestClass.test_name ...]
"""
import contextlib
import ctypes
import os
import random
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import targets

PATIENCE = 20.0  # seconds anything may take on a busy machine; failures only, nothing waits so long
TEST_LIMIT = 100  # seconds of one test, all in all
LONG = os.environ.get("FOG_E2E_LONG", "") not in ("", "0")
# Ports are taken from below the range that the system gives to outgoing connections.
PORTS = range(15000, 32000)
PR_SET_PDEATHSIG = 1
# Freed memory that a sanitizer keeps back counts as used; little of it, so that leaks are seen.
SANITIZER = "quarantine_size_mb=8:" + os.environ.get("ASAN_OPTIONS", "")

EXIT_OK, EXIT_USAGE, EXIT_NOINPUT, EXIT_UNAVAILABLE, EXIT_CONFIG = 0, 64, 66, 69, 78

_libc = ctypes.CDLL(None, use_errno=True)
_program = os.environ.get("FOGGARA", "")
_used_ports = set()


def program():
    """The binary under test."""
    return _program


def sanitized():
    """Whether the binary was built with a sanitizer: slower, and it needs more memory."""
    if not hasattr(sanitized, "known"):
        with open(_program, "rb") as f:
            sanitized.known = b"__asan_init" in f.read()
    return sanitized.known


# ---------------------------------------------------------------------------------------- waiting


def wait_until(condition, what, seconds=PATIENCE):
    """Polls until condition() is true and returns its value; fails with `what` otherwise."""
    end = time.monotonic() + seconds
    pause = 0.005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


# ------------------------------------------------------------------------------------------ ports


def _is_free(port):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(family, kind) as s:
                try:
                    s.bind((host, port))
                except OSError:
                    return False
    return True


def free_port():
    """A port nobody uses now, for TCP and UDP, on both loopback addresses."""
    for _ in range(1000):
        port = random.SystemRandom().choice(PORTS)
        if port not in _used_ports and _is_free(port):
            _used_ports.add(port)
            return port
    raise AssertionError("no free port")


def is_bound(port, kind):
    """Whether some process listens on the port; kind is "tcp" or "udp"."""
    wanted = f":{port:04X}"
    for table in (kind, kind + "6"):
        with contextlib.suppress(OSError), open(f"/proc/net/{table}") as f:
            for line in f.readlines()[1:]:
                fields = line.split()
                if fields[1].endswith(wanted) and (kind == "udp" or fields[3] == "0A"):
                    return True
    return False


# -------------------------------------------------------------------------------------- processes


class Program:
    """One process of foggara."""

    def __init__(self, args, log_path, nofile=None, stdin=None):
        self.args = [str(a) for a in args]
        self.log_path = log_path
        self.may_fail = False  # the test ends it in a rough way itself
        self.port = None
        self.nofile = nofile
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen(
                [_program] + self.args,
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(os.environ, ASAN_OPTIONS=SANITIZER),
                preexec_fn=self._before_exec,
            )
        self.pid = self.process.pid
        if stdin is not None:
            self.process.stdin.write(stdin.encode())
            self.process.stdin.close()

    def _before_exec(self):
        # Dies with us, also when CTest kills us without a word.
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self.nofile:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.nofile, self.nofile))

    # -- life

    def running(self):
        return self.process.poll() is None

    def wait(self, seconds=PATIENCE):
        """Its exit code, once it has ended by itself."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self}: still running after {seconds:g} s") from None

    def signal(self, number):
        if self.running():
            self.process.send_signal(number)

    def kill(self):
        """The hard way, as a crash would end it."""
        self.may_fail = True
        self.signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self):
        """Asks once, asks again, insists. Returns a complaint, or None if all was in order."""
        complaint = None
        if not self.running():
            if not self.may_fail and self.process.returncode != EXIT_OK:
                complaint = f"{self}: had ended with {self.process.returncode}"
            return complaint
        if self._is_stopped():
            self.signal(signal.SIGCONT)  # to it alone: it upsets a leak check that is under way
        for grace in (0.3, PATIENCE):
            self.signal(signal.SIGTERM)
            try:
                code = self.process.wait(grace)
                return None if code == EXIT_OK else f"{self}: ended with {code} after SIGTERM"
            except subprocess.TimeoutExpired:
                complaint = f"{self}: still running {PATIENCE:g} s after a second SIGTERM"
        self.kill()
        return complaint

    # -- what can be seen of it

    def _stat(self):
        """The fields of its procfs stat, from the third one on."""
        with open(f"/proc/{self.pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()

    def _is_stopped(self):
        return self._stat()[0] == "T"

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def report(self):
        """A line of a sanitizer or of a failed assertion; None. Quick in a log of an hour."""
        log = self.log()
        found = re.search(r"Sanitizer|runtime error:|Assertion .* failed", log)
        if not found:
            return None
        return log[log.rfind("\n", 0, found.start()) + 1:].split("\n", 1)[0]

    def wait_log(self, pattern, seconds=PATIENCE):
        return wait_until(
            lambda: re.search(pattern, self.log()), f"{self}: log has no /{pattern}/", seconds
        )

    def counters(self):
        """Sends SIGUSR1 and reads the dump: {name: value}; "streams" is the sum over tunnels."""
        before = os.path.getsize(self.log_path)
        self.signal(signal.SIGUSR1)

        def dump():
            with open(self.log_path, errors="replace") as f:
                f.seek(before)
                text = f.read()
            found = re.findall(r"^([a-z]\S*) +(\d+)$", text, re.M)
            # The dump is written at once; a second look that finds no more has seen its end.
            if found and len(found) == dump.last:
                counters = {name: int(value) for name, value in found}
                streams = re.findall(r"^tunnel .*: (\d+) streams", text, re.M)
                counters["streams"] = sum(map(int, streams))
                return counters
            dump.last = len(found)
            return None

        dump.last = 0
        return wait_until(dump, f"{self}: no counters after SIGUSR1")

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def rss(self):
        """Bytes of memory in use."""
        with open(f"/proc/{self.pid}/statm") as f:
            return int(f.read().split()[1]) * resource.getpagesize()

    def cpu(self):
        """Seconds of processor time used so far."""
        fields = self._stat()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wakeups(self):
        """How often its threads have gone to sleep by themselves, which is how often they woke."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/status") as f:
                total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), re.M)[1])
        return total

    def __str__(self):
        return f"{os.path.basename(self.log_path)} (pid {self.pid})"


def run(*args, stdin="", seconds=PATIENCE):
    """Runs the program to its end; gives (exit code, standard output, standard error)."""
    r = subprocess.run(
        [_program] + [str(a) for a in args],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return r.returncode, r.stdout, r.stderr


# ----------------------------------------------------------------------------------------- sockets


def connect(port, host="127.0.0.1", rcvbuf=None, seconds=PATIENCE, source=None):
    """A connection with a time limit on each of its operations."""
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    s.settimeout(seconds)
    if source:
        s.bind((source, 0))
    try:
        s.connect((host, port))
    except OSError:
        s.close()
        raise
    return s


def echo_once(port, data=b"hello", seconds=PATIENCE, host="127.0.0.1"):
    """Whether one new connection through the tunnel gives data back; any error is a no."""
    try:
        with connect(port, host, seconds=seconds) as s:
            s.sendall(data)
            return targets.read_exactly(s, len(data)) == data
    except OSError:
        return False


class Dawdlers(threading.Thread):
    """So many connections that begin to say something and never end; who is thrown out comes again."""

    def __init__(self, port, count, begun):
        super().__init__(daemon=True)
        self.port, self.count, self.begun = port, count, begun
        self.over = False
        self.start()

    def run(self):
        poll, inside = select.epoll(), {}
        while not self.over:
            while len(inside) < self.count and not self.over:
                with contextlib.suppress(OSError):
                    s = connect(self.port)
                    inside[s.fileno()] = s
                    poll.register(s, select.EPOLLIN)
                    s.sendall(self.begun)
            for fd, _ in poll.poll(0.1):
                poll.unregister(fd)
                inside.pop(fd).close()
        for s in inside.values():
            s.close()

    def close(self):
        self.over = True
        self.join(PATIENCE)


# ------------------------------------------------------------------------------------------- tests


class Test(unittest.TestCase):
    """A test with a directory, processes and targets of its own."""

    longMessage = True

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="fog-e2e-")
        self.programs = []
        self._to_close = []
        signal.signal(signal.SIGALRM, self._too_long)
        signal.alarm(TEST_LIMIT)

    @staticmethod
    def _too_long(_number, _frame):
        raise AssertionError(f"the test took longer than {TEST_LIMIT} s")

    def tearDown(self):
        signal.alarm(TEST_LIMIT)
        for thing in self._to_close:
            with contextlib.suppress(OSError):
                thing.close()
        complaints = [p.stop() for p in reversed(self.programs)]
        for p in self.programs:
            report = p.report()
            complaints.append(report and f"{p}: {report}")
        signal.alarm(0)
        complaints = [c for c in complaints if c]
        self.assertFalse(complaints, "\n".join(complaints))

    def run(self, result=None):
        result = self.defaultTestResult() if result is None else result
        bad = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > bad:
            self._print_logs()
        with contextlib.suppress(AttributeError):
            shutil.rmtree(self.dir, ignore_errors=True)
        return result

    def _print_logs(self):
        for p in self.programs:
            lines = p.log().splitlines()[-40:]
            print(f"--- {p}: foggara {' '.join(p.args)}", *lines, sep="\n", file=sys.stderr)

    # -- things that end with the test

    def keep(self, thing):
        """Closes it when the test ends."""
        self._to_close.append(thing)
        return thing

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def target(self, handler, host="127.0.0.1", port=0):
        return self.keep(targets.Target(handler, host, port))

    def connect(self, client, host="127.0.0.1", **how):
        return self.keep(connect(client.port, host, **how))

    # -- processes

    def start(self, *args, name="program", **how):
        path = os.path.join(self.dir, f"{len(self.programs)}-{name}.log")
        p = Program(args, path, **how)
        self.programs.append(p)
        return p

    def _listening(self, p, port, kind):
        def look():
            if not p.running():
                raise AssertionError(f"{p}: ended with {p.process.returncode} at start")
            return is_bound(port, kind)

        wait_until(look, f"{p}: port {port} is not bound")
        p.port = port
        return p

    def server(self, target, *options, port=None, host="127.0.0.1", via="kcp", **how):
        """Starts a server in front of a target (a port, or HOST:PORT) and waits for its socket."""
        port = port or free_port()
        if isinstance(target, int):
            target = f"127.0.0.1:{target}"
        args = ["server", "-l", f"{host}:{port}", "-t", target, *options]
        if via != "kcp":
            args += ["--via", via]
        p = self.start(*args, name="server", **how)
        return self._listening(p, port, "udp" if via == "kcp" else "tcp")

    def client(self, remote, *options, port=None, host="127.0.0.1", via="kcp", **how):
        """Starts a client of a server (a port, or HOST:PORT) and waits for its listener. It keeps
        one tunnel unless options say otherwise, so that sockets and streams can be counted."""
        port = port or free_port()
        if isinstance(remote, int):
            remote = f"127.0.0.1:{remote}"
        args = ["client", "-l", f"{host}:{port}", "-r", remote, *options]
        if "--tunnels" not in options:
            args += ["--tunnels", "1"]
        if via != "kcp":
            args += ["--via", via]
        return self._listening(self.start(*args, name="client", **how), port, "tcp")

    def pair(self, target, *options, via="kcp"):
        """A server, and a client of it."""
        server = self.server(target, *options, via=via)
        return server, self.client(server.port, *options, via=via)

    # -- what many tests ask

    def assert_echoes(self, client, seconds=PATIENCE, data=b"are you there"):
        """A new connection works, within so many seconds, however many attempts that takes."""
        end = time.monotonic() + seconds
        while not echo_once(client.port, data, seconds=max(0.2, end - time.monotonic())):
            self.assertLess(time.monotonic(), end, f"no new connection worked in {seconds:g} s")
            time.sleep(0.05)

    def assert_refused(self, client, early=b"", seconds=PATIENCE):
        """A new connection is reset without a byte; gives the seconds that took."""
        begin = time.monotonic()
        try:
            with connect(client.port, seconds=seconds) as s:
                s.sendall(early)
                self.assertEqual(targets.read_end(s), (b"", "ECONNRESET"))
        except (ConnectionResetError, BrokenPipeError):
            pass  # so soon that connect() or send() learned it
        return time.monotonic() - begin

    def assert_fds(self, p, baseline, seconds=PATIENCE):
        """The process has given back its descriptors."""
        wait_until(lambda: p.fds() <= baseline, f"{p}: more than {baseline} fds", seconds)

    def assert_no_streams(self, *programs):
        """No connection and no stream is left, on either side of the tunnel."""
        for p in programs:
            def rest(p=p):
                c = p.counters()
                return c["connections"] == 0 and c["streams"] == 0

            wait_until(rest, f"{p}: streams or connections are left")


def main():
    """Takes the binary from FOGGARA or the first argument, then runs the module's tests."""
    global _program
    if len(sys.argv) > 1 and os.access(sys.argv[1], os.X_OK) and os.path.isfile(sys.argv[1]):
        _program = sys.argv.pop(1)
    if not os.access(_program, os.X_OK):
        sys.exit("which binary? give its path as first argument or in FOGGARA")
    _program = os.path.abspath(_program)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard > 0 else soft, hard))
    unittest.main(module="__main__", verbosity=2)

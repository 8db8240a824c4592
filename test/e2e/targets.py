# SPDX-License-Identifier: MIT
"""targets.py - what stands behind the tunnel: small TCP servers, and ways to look at a socket.

Each handler is a function that gets the accepted socket in a thread of its own. Knows sockets;
nothing of the program under test.
"""
import contextlib
import errno
import hashlib
import queue
import random
import select
import socket
import struct
import threading
import time

LIMIT = 60.0  # seconds a target's socket waits for anything


def content(seed, length):
    """Bytes that look random and are the same each time."""
    return random.Random(seed).randbytes(length)


def digest(data):
    return hashlib.sha256(data).hexdigest()


# -------------------------------------------------------------------------------- looking at sockets


def read_exactly(s, length):
    """Up to length bytes; fewer only at the end."""
    parts = []
    while length:
        part = s.recv(min(length, 1 << 16))
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def read_end(s):
    """Reads to the end: (bytes, "EOF" or the name of the error that ended it)."""
    parts = []
    try:
        while True:
            part = s.recv(1 << 16)
            if not part:
                return b"".join(parts), "EOF"
            parts.append(part)
    except socket.timeout:
        return b"".join(parts), "TIMEOUT"
    except OSError as e:
        return b"".join(parts), errno.errorcode.get(e.errno, str(e.errno))


def write_until_error(s, seconds):
    """Writes a byte now and then until the other end turns out to be gone; the error's name."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            s.send(b"x")
        except socket.timeout:
            return "TIMEOUT"
        except OSError as e:
            return errno.errorcode.get(e.errno, str(e.errno))
        time.sleep(0.01)
    return "NONE"


def has_error(s, seconds):
    """Whether the connection is reported broken within the time, without reading or writing."""
    p = select.poll()
    p.register(s, 0)
    return any(flags & select.POLLERR for _, flags in p.poll(seconds * 1000))


def reset(s):
    """Closes with a TCP reset (SO_LINGER 0)."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def wait_readable(s, length, seconds=LIMIT):
    """Waits until length bytes lie in the socket's buffer, unread."""
    end = time.monotonic() + seconds
    s.settimeout(seconds)
    while len(s.recv(length, socket.MSG_PEEK)) < length:
        if time.monotonic() > end:
            raise AssertionError(f"{length} bytes did not arrive within {seconds:g} s")
        time.sleep(0.005)


class Sender(threading.Thread):
    """Sends bytes in the background, then half-closes if asked to; join() raises what went wrong."""

    def __init__(self, s, data, finish=True):
        super().__init__(daemon=True)
        self.s, self.data, self.finish, self.error = s, data, finish, None
        self.start()

    def run(self):
        try:
            self.s.sendall(self.data)
            if self.finish:
                self.s.shutdown(socket.SHUT_WR)
        except OSError as e:
            self.error = e

    def join(self, timeout=LIMIT):
        super().join(timeout)
        if self.is_alive():
            raise AssertionError("the sender did not get rid of its bytes")
        if self.error:
            raise self.error


class Reader(threading.Thread):
    """Reads and forgets in the background, until stop(), which resets the connection."""

    def __init__(self, s):
        super().__init__(daemon=True)
        self.s = s
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while self.s.recv(1 << 16):
                pass

    def stop(self):
        with contextlib.suppress(OSError):
            self.s.shutdown(socket.SHUT_RDWR)
        self.join(5)
        reset(self.s)


# ------------------------------------------------------------------------------------------ servers


class Target:
    """A listening socket; each connection is handed to `handler` in its own thread."""

    def __init__(self, handler, host="127.0.0.1", port=0):
        self.handler = handler
        self.accepted = 0
        self.open = set()
        self.lock = threading.Lock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.accepted += 1
                self.open.add(s)
            s.settimeout(LIMIT)
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        try:
            with contextlib.suppress(OSError):
                self.handler(s)
        finally:
            with self.lock:
                self.open.discard(s)
            if getattr(self.handler, "closes", True):
                s.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            rest = list(self.open)
        for s in rest:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)


def echo(s):
    """Gives back what comes, until the end; then ends as well."""
    while True:
        part = s.recv(1 << 16)
        if not part:
            break
        s.sendall(part)


def digest_after_end(s):
    """Reads to the end, then answers with the hash of what came: works only with half-close."""
    h = hashlib.sha256()
    while True:
        part = s.recv(1 << 16)
        if not part:
            break
        h.update(part)
    s.sendall(h.hexdigest().encode())


def source(seed, length):
    """A handler that sends length bytes at once, and ignores what comes."""
    data = content(seed, length)

    def handle(s):
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        read_end(s)

    return handle


def answer_after_end(seed, length):
    """A handler that sends its bytes only when the request has ended."""
    data = content(seed, length)

    def handle(s):
        read_end(s)
        s.sendall(data)

    return handle


class Duplex:
    """A handler that sends its content while it reads to the end; `got` has what came and how it
    ended, one entry a connection."""

    def __init__(self, seed, length):
        self.data = content(seed, length)
        self.got = queue.Queue()

    def __call__(self, s):
        sender = Sender(s, self.data)
        data, end = read_end(s)
        sender.join()
        self.got.put((digest(data), end))


class Hand:
    """A handler that hands each accepted socket to the test, which closes it."""

    closes = False

    def __init__(self):
        self.sockets = queue.Queue()

    def __call__(self, s):
        self.sockets.put(s)

    def take(self, seconds=20.0):
        try:
            return self.sockets.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"the target was not connected to within {seconds:g} s") from None

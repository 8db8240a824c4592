# SPDX-License-Identifier: MIT
"""relay.py - a bad link made of two UDP sockets: loss, delay, darkness, a new address.

Stands between client and server. Knows datagrams; nothing of what they mean.
"""
import contextlib
import heapq
import random
import select
import socket
import threading
import time

SIZE = 65536


class Relay:
    """Forwards datagrams to 127.0.0.1:server_port and back, until closed.

    loss: share lost each way. delay: seconds each way. dark: while true all is lost. record: copies
    of datagrams toward the server are kept here while it is a list.
    """

    def __init__(self, server_port, loss=0.0, delay=0.0, seed=1):
        self.server = ("127.0.0.1", server_port)
        self.loss, self.delay, self.dark = loss, delay, False
        self.record = None
        self.passed = self.lost = 0
        self._random = random.Random(seed)
        self._later = []  # (when, order, socket, datagram, to)
        self._order = 0
        self._new_address = threading.Event()
        self._stop = threading.Event()
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._buffers(self._front)
        self._front.bind(("127.0.0.1", 0))
        self.port = self._front.getsockname()[1]
        self._client = None
        self._back = self._open_back()
        self._old = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def _buffers(s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.setblocking(False)

    def _open_back(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._buffers(s)
        s.bind(("127.0.0.1", 0))
        return s

    def change_address(self):
        """The server sees the client come from another port from now on, as behind a new NAT."""
        self._new_address.set()
        while self._new_address.is_set() and self._thread.is_alive():
            time.sleep(0.005)

    def inject(self, datagram):
        """Sends bytes to the server from the address it knows the client by."""
        with contextlib.suppress(OSError):
            self._back.sendto(datagram, self.server)

    def close(self):
        self._stop.set()
        self._thread.join(5)
        for s in [self._front, self._back, *self._old]:
            s.close()

    # -- the thread

    def _run(self):
        while not self._stop.is_set():
            now = time.monotonic()
            wait = min(0.1, max(0.0, self._later[0][0] - now)) if self._later else 0.1
            ready, _, _ = select.select([self._front, self._back], [], [], wait)
            if self._new_address.is_set():
                self._old.append(self._back)
                self._back = self._open_back()
                self._new_address.clear()
                continue
            for s in ready:
                self._drain(s)
            self._send_due(time.monotonic())

    def _drain(self, s):
        for _ in range(64):
            try:
                datagram, sender = s.recvfrom(SIZE)
            except OSError:  # nothing more, or the other end is not there
                return
            if s is self._front:
                self._client = sender
                if self.record is not None:
                    self.record.append(datagram)
                self._forward(self._back, datagram, self.server)
            elif self._client:
                self._forward(self._front, datagram, self._client)

    def _forward(self, s, datagram, to):
        if self.dark or self._random.random() < self.loss:
            self.lost += 1
            return
        self._order += 1
        heapq.heappush(
            self._later, (time.monotonic() + self.delay, self._order, s, datagram, to)
        )

    def _send_due(self, now):
        while self._later and self._later[0][0] <= now:
            _, _, s, datagram, to = heapq.heappop(self._later)
            if not self.dark:
                with contextlib.suppress(OSError):
                    s.sendto(datagram, to)
                    self.passed += 1

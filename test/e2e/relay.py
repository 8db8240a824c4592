# SPDX-License-Identifier: MIT
"""relay.py - a bad link made of two UDP sockets: loss, delay, darkness, a new address.

Stands between client and server. Knows datagrams; nothing of what they mean.
"""
import contextlib
import heapq
import random
import select
import socket
import struct
import threading
import time

SIZE = 65536
HEADER = struct.Struct("<IBBHIIII")
WINS = 84


def without_hello(datagram):
    """The datagram as it would come from vproxy: without what a WINS carries."""
    at, kept = 0, b""
    while at < len(datagram):
        header = HEADER.unpack_from(datagram, at)
        end = at + HEADER.size + header[7]
        if header[1] != WINS or header[7] == 0:
            kept += datagram[at:end]
        at = end
    return kept


class Relay:
    """Forwards datagrams to 127.0.0.1:server_port and back, until closed. As behind a NAT the server
    sees each source of ours at a port of its own.

    loss: share lost each way. delay: seconds each way. dark: while true all is lost. record: copies
    of datagrams toward the server are kept here while it is a list. rewrite: what is forwarded in
    place of a datagram.
    """

    def __init__(self, server_port, loss=0.0, delay=0.0, seed=1):
        self.server = ("127.0.0.1", server_port)
        self.loss, self.delay, self.dark = loss, delay, False
        self.record = self.rewrite = None
        self.passed = self.lost = 0
        self._random = random.Random(seed)
        self._later = []  # (when, order, socket, datagram, to)
        self._order = 0
        self._new_addresses = threading.Event()
        self._stop = threading.Event()
        self._front = self._open()
        self.port = self._front.getsockname()[1]
        self._backs = {}  # source -> the socket the server sees it at
        self._sources = {}  # the reverse
        self._latest = None  # of the sockets in _backs
        self._forgotten = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def _open():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.setblocking(False)
        s.bind(("127.0.0.1", 0))
        return s

    def change_address(self):
        """The server sees everybody come from another port from now on, as behind a new NAT."""
        self._new_addresses.set()
        while self._new_addresses.is_set() and self._thread.is_alive():
            time.sleep(0.005)

    def inject(self, datagram):
        """Sends bytes to the server from the address it knows the client by."""
        with contextlib.suppress(OSError):
            self._latest.sendto(datagram, self.server)

    def close(self):
        self._stop.set()
        self._thread.join(5)
        for s in [self._front, *self._sources, *self._forgotten]:
            s.close()

    # -- the thread

    def _run(self):
        while not self._stop.is_set():
            now = time.monotonic()
            wait = min(0.1, max(0.0, self._later[0][0] - now)) if self._later else 0.1
            ready, _, _ = select.select([self._front, *self._sources], [], [], wait)
            if self._new_addresses.is_set():
                self._forgotten += self._sources  # open, so that nobody else gets their ports
                self._backs, self._sources = {}, {}
                self._new_addresses.clear()
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
                if self.record is not None:
                    self.record.append(datagram)
                self._forward(self._back_of(sender), datagram, self.server)
            else:
                self._forward(self._front, datagram, self._sources[s])

    def _back_of(self, source):
        if source not in self._backs:
            s = self._backs[source] = self._latest = self._open()
            self._sources[s] = source
        return self._backs[source]

    def _forward(self, s, datagram, to):
        if self.dark or self._random.random() < self.loss:
            self.lost += 1
            return
        if self.rewrite:
            datagram = self.rewrite(datagram)
        if not datagram:
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

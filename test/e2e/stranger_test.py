# SPDX-License-Identifier: MIT
"""Strangers: whatever arrives at the server's port from others, an honest transfer does not notice."""
import random
import socket
import threading
import time

import fog
import relay
import targets

MIB = 1 << 20
COUNT = 200000 if fog.LONG else 20000
SIZE = 4 * MIB


def mangle(rng, real):
    """One hostile datagram: noise, or a real one that was changed, cut or put together."""
    kind = rng.randrange(7)
    d = bytearray(rng.choice(real))
    if kind == 0:
        return rng.randbytes(rng.randrange(0, 1500))
    if kind == 1:  # as it was, from another address
        return bytes(d)
    if kind == 2:
        return bytes(d[: rng.randrange(len(d))])
    if kind == 3:
        for _ in range(rng.randrange(1, 8)):
            d[rng.randrange(len(d))] ^= 1 << rng.randrange(8)
        return bytes(d)
    if kind == 4:  # the fields of the first header
        at = rng.randrange(min(24, len(d)))
        d[at : at + 4] = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", rng.randbytes(4)))
        return bytes(d)
    if kind == 5:
        return bytes(d) + bytes(rng.choice(real))[: rng.randrange(1, 100)]
    return bytes(d[: rng.randrange(len(d))]) + rng.randbytes(rng.randrange(100))


class Attack(threading.Thread):
    """Sends mangled datagrams from four sockets, and noise from the honest client's own address."""

    def __init__(self, port, link, real, count):
        super().__init__(daemon=True)
        self.to, self.link, self.real, self.count = ("127.0.0.1", port), link, real, count
        self.sent = 0
        self.rng = random.Random(20)
        self.sockets = []
        for i in range(4):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((f"127.0.{9 + i // 2}.{1 + i}", 0))
            s.setblocking(False)
            self.sockets.append(s)

    def run(self):
        for i in range(self.count):
            try:
                self.rng.choice(self.sockets).sendto(mangle(self.rng, self.real), self.to)
                self.sent += 1
            except OSError:
                pass
            if i % 20 == 0:
                self.link.inject(self.rng.randbytes(self.rng.randrange(1, 200)))
            if i % 50 == 0:
                time.sleep(0.005)
        for s in self.sockets:
            s.close()


class Stranger(fog.Test):
    def test_fuzzed_datagrams_beside_a_transfer(self):
        target = self.target(targets.Duplex(1, SIZE))
        server = self.server(target.port, "--log", "warn")
        link = self.keep(relay.Relay(server.port))
        client = self.client(link.port)
        link.record = []
        self.transfer(client, target)
        real = link.record[:2000]
        link.record = None
        self.assertGreater(len(real), 100)

        attack = Attack(server.port, link, real, COUNT)
        memory, cpu = server.rss(), server.cpu()
        attack.start()
        while True:
            self.transfer(client, target)
            if not attack.is_alive():
                break
        self.assertGreater(attack.sent, COUNT * 9 // 10)
        self.assertTrue(server.running())
        self.assertLess(server.cpu() - cpu, 30)
        self.assertLess(server.rss() - memory, (128 if fog.sanitized() else 32) * MIB)
        self.assertLess(len(server.log()), MIB, "strangers fill the log")
        other = self.client(server.port)
        self.transfer(other, target)
        self.assertGreater(server.counters()["endpoint.strangers"], 0)

    def transfer(self, client, target):
        up = targets.content(5, SIZE)
        with self.connect(client) as s:
            sender = targets.Sender(s, up)
            down, end = targets.read_end(s)
            sender.join()
        self.assertEqual((len(down), end), (SIZE, "EOF"))
        self.assertEqual(targets.digest(down), targets.digest(target.handler.data))
        self.assertEqual(target.handler.got.get(timeout=fog.PATIENCE)[0], targets.digest(up))

    def test_strangers_on_a_tcp_carrier(self):
        """Noise on the port of --via tcp closes that connection and no other."""
        target = self.target(targets.echo)
        server, client = self.pair(target.port, via="tcp")
        self.assert_echoes(client)
        rng = random.Random(21)
        for i in range(50):
            with fog.connect(server.port) as s:
                try:
                    s.sendall(rng.randbytes(rng.randrange(1, 3000)))
                    s.shutdown(socket.SHUT_WR)
                    targets.read_end(s)
                except OSError:
                    pass
        self.assert_echoes(client)

    def test_one_address_cannot_take_all_tcp_carriers(self):
        server = self.server(self.target(targets.echo).port, via="tcp")
        hello = bytes.fromhex("000000040000000000")
        taken = [self.keep(fog.connect(server.port)) for _ in range(64)]
        for s in taken:
            s.sendall(hello)
            self.assertEqual(targets.read_exactly(s, len(hello)), hello)
        self.assertEqual(server.counters()["process.limit_tunnels_hit"], 0)
        over = self.keep(fog.connect(server.port))
        self.assertEqual(targets.read_end(over)[0][3:4], b"\x07", "a GOAWAY")
        self.assertEqual(server.counters()["process.limit_tunnels_hit"], 1)
        with socket.socket() as other:
            other.bind(("127.0.0.2", 0))
            other.settimeout(fog.PATIENCE)
            other.connect(("127.0.0.1", server.port))
            other.sendall(hello)
            self.assertEqual(targets.read_exactly(other, len(hello)), hello)

    def test_nobody_is_dialled_for_strangers(self):
        """A copied opening, sent from an address that does not answer, opens no connection."""
        target = self.target(targets.echo)
        server = self.server(target.port)
        link = self.keep(relay.Relay(server.port))
        client = self.client(link.port)
        link.record = []
        self.assert_echoes(client)
        recorded = link.record
        accepted = target.accepted
        received = sent = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.7.7", 0))
            for d in recorded:
                s.sendto(d, ("127.0.0.1", server.port))
                sent += len(d)
            s.settimeout(0.5)
            end = time.monotonic() + 3
            while time.monotonic() < end:
                try:
                    received += len(s.recv(4096))
                except socket.timeout:
                    pass
        self.assertEqual(target.accepted, accepted, "the target was dialled")
        self.assertLessEqual(received, 3 * sent, "bytes were amplified")


if __name__ == "__main__":
    fog.main()

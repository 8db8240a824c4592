# SPDX-License-Identifier: MIT
"""Many streams, greedy ones and slow ones: none hurts another, and all that was taken is given back."""
import socket
import time

import fog
import targets

MIB = 1 << 20
WAVE = 200


class Many(fog.Test):
    def wave(self, client, count):
        """count connections at the same time; each echoes a hundred bytes of its own."""
        sockets = [self.connect(client) for _ in range(count)]
        for i, s in enumerate(sockets):
            s.sendall(targets.content(i, 100))
        for i, s in enumerate(sockets):
            self.assertEqual(targets.read_exactly(s, 100), targets.content(i, 100), f"number {i}")
        for s in sockets:
            s.shutdown(socket.SHUT_WR)
        for s in sockets:
            self.assertEqual(targets.read_end(s), (b"", "EOF"))
            s.close()
        self._to_close = [s for s in self._to_close if s not in set(sockets)]

    def waves(self, total, via="kcp"):
        target = self.target(targets.echo)
        server, client = self.pair(target.port, via=via)
        self.wave(client, 1)
        time.sleep(0.3)
        baseline = {p: p.fds() for p in (server, client)}
        self.wave(client, WAVE)
        memory = {p: p.rss() for p in (server, client)}
        for _ in range(total // WAVE - 1):
            self.wave(client, WAVE)
        for p, fds in baseline.items():
            self.assert_fds(p, fds)
            grown = p.rss() - memory[p]
            self.assertLess(grown, 64 * MIB if fog.sanitized() else 8 * MIB, f"{p} has grown")
        self.assert_no_streams(server, client)
        self.assertEqual(target.accepted, 1 + total // WAVE * WAVE)

    def test_waves(self):
        self.waves(10000 if fog.LONG else 2000)

    def test_waves_over_tcp(self):
        self.waves(10000 if fog.LONG else 400, via="tcp")

    def test_one_after_the_other(self):
        """Short connections, each closed before the next begins."""
        target = self.target(targets.echo)
        server, client = self.pair(target.port)
        for i in range(2000 if fog.LONG else 200):
            self.assertTrue(fog.echo_once(client.port), f"number {i}")
        self.assert_no_streams(server, client)

    def test_more_than_may_be_open(self):
        """Who comes over the limit waits for a place, and the client does not spin meanwhile."""
        target = self.target(targets.echo)
        _, client = self.pair(target.port, "--max-streams", "8")
        sockets = [self.connect(client) for _ in range(24)]
        for i, s in enumerate(sockets):
            s.sendall(targets.content(i, 100))
        for i, s in enumerate(sockets[:8]):
            self.assertEqual(targets.read_exactly(s, 100), targets.content(i, 100), f"number {i}")
        before = client.cpu()
        time.sleep(1)
        self.assertLess(client.cpu() - before, 0.5, "it is busy while it can do nothing")
        for i, s in enumerate(sockets):
            if i >= 8:
                self.assertEqual(targets.read_exactly(s, 100), targets.content(i, 100), f"number {i}")
            s.close()


class Neighbours(fog.Test):
    def test_slow_reader_beside_a_fast_one(self):
        """One does not read for five seconds: the other's download is not held up, memory is bound."""
        slow_size, fast_size = 40 * MIB, 10 * MIB
        data = {b"s": targets.content(1, slow_size), b"f": targets.content(2, fast_size)}

        def handler(s):
            s.sendall(data[s.recv(1)])

        target = self.target(handler)
        server, client = self.pair(target.port)
        self.wait_for_tunnel(client)
        memory = {p: p.rss() for p in (server, client)}
        slow = self.connect(client, rcvbuf=16384)
        slow.sendall(b"s")
        begin = time.monotonic()
        fast = self.connect(client)
        fast.sendall(b"f")
        got, end = targets.read_end(fast)
        self.assertEqual((len(got), end), (fast_size, "EOF"))
        self.assertEqual(got, data[b"f"])
        time.sleep(max(0.0, begin + 5 - time.monotonic()))
        for p in (server, client):
            grown = p.rss() - memory[p]
            self.assertLess(grown, (160 if fog.sanitized() else 48) * MIB, f"{p} has grown")
        # The slow one gets all in the end, or was told that it was too slow; never less in silence.
        got, end = targets.read_end(slow)
        self.assertEqual(got, data[b"s"][: len(got)])
        self.assertIn((end, len(got) == slow_size), (("EOF", True), ("ECONNRESET", False)))
        self.assert_echo_of_one_byte(client)

    def wait_for_tunnel(self, client):
        with self.connect(client) as s:
            s.sendall(b"f")
            self.assertEqual(len(targets.read_exactly(s, 1000)), 1000)

    def assert_echo_of_one_byte(self, client):
        with self.connect(client) as s:
            s.sendall(b"f")
            self.assertEqual(len(targets.read_exactly(s, 1000)), 1000)

    def test_slow_target(self):
        """The same the other way: a target that does not read stops only its own uploader."""
        hand = targets.Hand()
        target = self.target(hand)
        server, client = self.pair(target.port)
        slow = self.connect(client)
        slow_far = hand.take()
        upload = targets.content(3, 8 * MIB)
        sender = targets.Sender(slow, upload)
        for i in range(20):
            s = self.connect(client)
            far = hand.take()
            s.sendall(b"ping")
            self.assertEqual(targets.read_exactly(far, 4), b"ping", f"number {i}")
            far.sendall(b"pong")
            self.assertEqual(targets.read_exactly(s, 4), b"pong", f"number {i}")
            s.close()
            far.close()
        self.assertEqual(targets.read_end(slow_far), (upload, "EOF"))
        sender.join()
        slow_far.close()


class Descriptors(fog.Test):
    """With 64 descriptors and 200 connections: no spinning, no harm to who is there already."""

    def crowd(self, server, client, limited):
        keeper = self.connect(client)
        self.assert_answers(keeper)
        crowd = [self.connect(client) for _ in range(200)]
        for s in crowd:
            s.sendall(b"let me in")
        time.sleep(1.0)
        before = {p: p.cpu() for p in (server, client)}
        time.sleep(2.0)
        for p, cpu in before.items():
            self.assertLess(p.cpu() - cpu, 1.0, f"{p} is busy while it can do nothing")
        self.assert_answers(keeper)
        self.assertLessEqual(limited.fds(), 64)
        for s in crowd:
            s.close()
        self.assert_echoes(client)
        self.assert_answers(keeper)

    def assert_answers(self, s):
        s.sendall(b"still here?")
        self.assertEqual(targets.read_exactly(s, 11), b"still here?")

    def test_server_without_descriptors(self):
        target = self.target(targets.echo)
        server = self.server(target.port, nofile=64)
        client = self.client(server.port)
        self.crowd(server, client, server)

    def test_client_without_descriptors(self):
        target = self.target(targets.echo)
        server = self.server(target.port)
        client = self.client(server.port, nofile=64)
        self.crowd(server, client, client)


if __name__ == "__main__":
    fog.main()

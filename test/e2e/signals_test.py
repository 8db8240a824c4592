# SPDX-License-Identifier: MIT
"""Signals: USR1 tells, HUP reloads, TERM drains, a second TERM ends."""
import os
import queue
import re
import signal
import socket
import time

import fog
import relay
import targets

MIB = 1 << 20


def says(word):
    """A target that answers each connection with its word."""

    def handle(s):
        s.sendall(word)

    return handle


class Counters(fog.Test):
    def test_they_tell_what_happened(self):
        target = self.target(targets.echo)
        server, client = self.pair(target.port)
        self.assert_echoes(client)
        self.assert_no_streams(server, client)
        s = self.connect(client)
        s.sendall(b"x" * 1000)
        targets.read_exactly(s, 1000)
        for p in (server, client):
            counters = p.counters()
            self.assertEqual(counters["streams"], 1, str(p))
            self.assertEqual(counters["process.streams_opened"], 2, str(p))
            self.assertGreater(len(counters), 20)
        s.close()
        self.assert_no_streams(server, client)
        for p in (server, client):
            counters = p.counters()
            self.assertEqual(counters["process.streams_ended"], 2, str(p))
            hit = {k: v for k, v in counters.items() if "limit_" in k and v}
            self.assertFalse(hit, "limits were hit by two small connections")


class Reload(fog.Test):
    def answer(self, client):
        with self.connect(client) as s:
            return targets.read_end(s)[0]

    def reload(self, p, path, text):
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)
        before = len(p.log())
        p.signal(signal.SIGHUP)
        return fog.wait_until(lambda: p.log()[before:], f"{p}: nothing said after SIGHUP")

    def test_new_target_for_new_streams(self):
        one, two = self.target(targets.echo), self.target(says(b"two"))
        port = fog.free_port()
        text = '{{"listen": "127.0.0.1:%d", "target": "127.0.0.1:{}"}}' % port
        path = self.file("server.json", text.format(one.port))
        server = self._listening(self.start("server", "-c", path, name="server"), port, "udp")
        client = self.client(port)
        old = self.connect(client)
        old.sendall(b"one")
        self.assertEqual(targets.read_exactly(old, 3), b"one")

        self.reload(server, path, text.format(two.port))
        fog.wait_until(lambda: self.answer(client) == b"two", "the new target is not used")
        old.sendall(b"still")
        self.assertEqual(targets.read_exactly(old, 5), b"still", "the old stream was disturbed")

        said = self.reload(server, path, text.format(two.port).replace("target", "tarjet"))
        self.assertRegex(said, path + r":1:\d+: .*tarjet")
        self.assertEqual(self.answer(client), b"two")
        os.unlink(path)
        server.signal(signal.SIGHUP)
        time.sleep(0.3)
        self.assertTrue(server.running(), "a missing file at reload is no reason to end")
        self.assertEqual(self.answer(client), b"two")
        counters = server.counters()
        self.assertEqual((counters["process.reloads"], counters["process.reloads_refused"]), (1, 2))

    def test_new_remote(self):
        one, two = self.target(says(b"one")), self.target(says(b"two"))
        servers = [self.server(t.port) for t in (one, two)]
        port = fog.free_port()
        text = '{{"listen": "127.0.0.1:%d", "remote": "127.0.0.1:{}"}}' % port
        path = self.file("client.json", text.format(servers[0].port))
        client = self._listening(self.start("client", "-c", path, name="client"), port, "tcp")
        self.assertEqual(self.answer(client), b"one")
        self.reload(client, path, text.format(servers[1].port))
        fog.wait_until(lambda: self.answer(client) == b"two", "the new server is not used")

    def test_more_tunnels_and_fewer(self):
        server = self.server(self.target(targets.echo).port)
        port = fog.free_port()
        text = '{{"listen": "127.0.0.1:%d", "remote": "127.0.0.1:%d", "tunnels": {}}}'
        text %= port, server.port
        path = self.file("client.json", text.format(1))
        client = self._listening(self.start("client", "-c", path, name="client"), port, "tcp")
        self.assert_echoes(client)
        for n in (3, 2):
            said = self.reload(client, path, text.format(n))
            self.assertNotIn("for the next tunnel", said)
            fog.wait_until(lambda: server.counters()["endpoint.sessions"] == n, f"{n} tunnels")

    def test_without_a_file(self):
        """Nothing to reload: nothing happens."""
        target = self.target(targets.echo)
        server, client = self.pair(target.port)
        for p in (server, client):
            p.signal(signal.SIGHUP)
            p.wait_log("reload: all settings are flags")
            p.wait_log("reload: nothing has changed")
            self.assertNotIn("reload: done", p.log())
        self.assert_echoes(client)


class Term(fog.Test):
    SIZE = 6 * MIB

    def drain(self, which):
        """SIGTERM in the middle of a download: it completes, nothing new begins, then exit 0."""
        target = self.target(targets.source(1, self.SIZE))
        server, client = self.pair(target.port)
        p = server if which == "server" else client
        s = self.connect(client, rcvbuf=65536)
        got = targets.read_exactly(s, 100000)
        p.signal(signal.SIGTERM)
        time.sleep(0.5)
        self.assertTrue(p.running(), "it did not wait for the transfer")
        rest, end = targets.read_end(s)
        self.assertEqual((len(got) + len(rest), end), (self.SIZE, "EOF"))
        self.assertEqual(got + rest, targets.content(1, self.SIZE))
        s.close()
        self.assertEqual(p.wait(), fog.EXIT_OK)

    def test_server_drains(self):
        self.drain("server")

    def test_client_drains(self):
        self.drain("client")

    def test_bytes_behind_the_last_stream_arrive(self):
        """The connection has ended both ways, what it wrote is still on its way: nothing is lost."""
        size = 400000
        arrived = queue.Queue()

        def handler(s):
            s.shutdown(socket.SHUT_WR)
            arrived.put(targets.read_end(s))

        target = self.target(handler)
        server = self.server(target.port)
        link = self.keep(relay.Relay(server.port, delay=0.2))
        client = self.client(link.port)
        s = self.connect(client)
        self.assertEqual(s.recv(1), b"", "the target ends first")
        s.sendall(targets.content(3, size))
        s.close()
        fog.wait_until(lambda: client.counters()["connections"] == 0, "the connection ended")
        self.assertTrue(arrived.empty(), "too late to learn anything")
        client.signal(signal.SIGTERM)
        data, end = arrived.get(timeout=fog.PATIENCE)
        self.assertEqual((len(data), end), (size, "EOF"))
        self.assertEqual(client.wait(), fog.EXIT_OK)

    def test_what_has_arrived_outlives_the_tunnel(self):
        """The server ends in order; a slow reader still gets all that it had sent."""
        for size in (3 * MIB, 4 * MIB):  # more than sockets take: the rest waits in the client
            target = self.target(targets.answer_after_end(5, size))
            server, client = self.pair(target.port)
            s = self.connect(client, rcvbuf=4096)
            s.shutdown(socket.SHUT_WR)
            fog.wait_until(lambda p=server: p.counters()["process.streams_ended"], "all was sent")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), fog.EXIT_OK)
            time.sleep(0.3)
            data, end = targets.read_end(s)
            self.assertEqual((len(data), end), (size, "EOF"))
            self.assertEqual(data, targets.content(5, size))

    def test_client_takes_nothing_new(self):
        target = self.target(targets.echo)
        _, client = self.pair(target.port)
        s = self.connect(client)
        s.sendall(b"x")
        targets.read_exactly(s, 1)
        client.signal(signal.SIGTERM)
        fog.wait_until(lambda: not fog.is_bound(client.port, "tcp"), "the listener is still open")
        s.sendall(b"y")
        self.assertEqual(targets.read_exactly(s, 1), b"y", "the old stream goes on")

    def test_second_one_ends(self):
        target = self.target(targets.echo)
        server, client = self.pair(target.port)
        for p in (client, server):
            with self.subTest(p=str(p)):
                if p.running() and client.running():
                    s = self.connect(client)
                    s.sendall(b"x")
                    targets.read_exactly(s, 1)
                p.signal(signal.SIGTERM)
                time.sleep(0.5)
                p.signal(signal.SIGTERM)
                self.assertEqual(p.wait(5), fog.EXIT_OK)

    def test_idle_ones_end_at_once(self):
        target = self.target(targets.echo)
        for via in ("kcp", "tcp"):
            with self.subTest(via=via):
                server, client = self.pair(target.port, via=via)
                self.assert_echoes(client)
                self.assert_no_streams(server, client)
                for p in (client, server):
                    p.signal(signal.SIGTERM)
                    self.assertEqual(p.wait(5), fog.EXIT_OK)

    def test_interrupt_is_the_same(self):
        client = self.client(fog.free_port())
        client.signal(signal.SIGINT)
        self.assertEqual(client.wait(5), fog.EXIT_OK)


class Notify(fog.Test):
    """What a service manager hears, systemd's way, from a socket with a path or an abstract one."""

    def test_ready_and_stopping(self):
        target = self.target(targets.echo)
        for where in (os.path.join(self.dir, "notify"), f"\0fog-{os.getpid()}"):
            manager = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            manager.bind(where)
            manager.settimeout(fog.PATIENCE)
            os.environ["NOTIFY_SOCKET"] = where.replace("\0", "@")
            try:
                server = self.server(target.port)
            finally:
                del os.environ["NOTIFY_SOCKET"]
            self.assertEqual(manager.recv(100), b"READY=1")
            server.signal(signal.SIGTERM)
            self.assertEqual(manager.recv(100), b"STOPPING=1")
            self.assertEqual(server.wait(), fog.EXIT_OK)
            manager.setblocking(False)
            with self.assertRaises(BlockingIOError):
                manager.recv(100)

    def test_a_manager_that_is_gone(self):
        """Nobody listens there, or the name is none: it runs all the same."""
        target = self.target(targets.echo)
        for where in ("/nowhere/at/all", "nonsense", "@", "/" + 200 * "x"):
            os.environ["NOTIFY_SOCKET"] = where
            try:
                server = self.server(target.port)
            finally:
                del os.environ["NOTIFY_SOCKET"]
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), fog.EXIT_OK)


class Noise(fog.Test):
    def test_many_signals(self):
        """A burst of HUP and USR1 during a transfer disturbs nothing."""
        target = self.target(targets.source(2, 4 * MIB))
        server, client = self.pair(target.port)
        with self.connect(client) as s:
            got = b""
            while part := s.recv(1 << 16):
                got += part
                if len(got) < MIB:
                    for p in (server, client):
                        p.signal(signal.SIGUSR1)
                        p.signal(signal.SIGHUP)
        self.assertEqual(got, targets.content(2, 4 * MIB))
        self.assertFalse(re.search(r"(?i)\berror\b", server.log() + client.log()))


if __name__ == "__main__":
    fog.main()

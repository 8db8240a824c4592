# SPDX-License-Identifier: MIT
"""What breaks heals by itself: crashes and restarts, pauses, dark links, new addresses."""
import signal
import time

import fog
import relay
import targets

MIB = 1 << 20
CYCLES = 10 if fog.LONG else 3


class Restart(fog.Test):
    def ends_soon(self, s, what, seconds=15):
        """A connection whose tunnel is gone is reset instead of hanging."""
        s.settimeout(seconds)
        _, end = targets.read_end(s)
        self.assertEqual(end, "ECONNRESET", what)

    def test_server_killed(self):
        for via in ("kcp", "tcp"):
            with self.subTest(via=via):
                target = self.target(targets.echo)
                server, client = self.pair(target.port, via=via)
                for i in range(CYCLES):
                    old = self.connect(client)
                    old.sendall(b"here")
                    self.assertEqual(targets.read_exactly(old, 4), b"here")
                    server.kill()
                    server = self.server(target.port, port=server.port, via=via)
                    self.assert_echoes(client, 5)
                    self.ends_soon(old, f"cycle {i}: the old connection")

    def test_server_killed_behind_a_silent_link(self):
        """As before, but no ICMP message tells that the server is gone."""
        target = self.target(targets.echo)
        server = self.server(target.port)
        link = self.keep(relay.Relay(server.port, delay=0.02))
        client = self.client(link.port)
        for i in range(CYCLES):
            old = self.connect(client)
            old.sendall(b"here")
            self.assertEqual(targets.read_exactly(old, 4), b"here")
            server.kill()
            server = self.server(target.port, port=server.port)
            self.assert_echoes(client, 5)
            self.ends_soon(old, f"cycle {i}: the old connection")

    def test_client_killed(self):
        for via in ("kcp", "tcp"):
            with self.subTest(via=via):
                target = self.target(targets.echo)
                server, client = self.pair(target.port, via=via)
                for _ in range(CYCLES):
                    self.assert_echoes(client, 5)
                    held = self.connect(client)
                    held.sendall(b"x")
                    targets.read_exactly(held, 1)
                    client.kill()
                    client = self.client(server.port, port=client.port, via=via)
                    self.assert_echoes(client, 5)

    def test_unused_connections_get_the_next_tunnel(self):
        """A connection that has not moved a byte when its tunnel ends gets another one."""
        for via in ("kcp", "tcp"):
            with self.subTest(via=via):
                target = self.target(targets.echo)
                server = self.server(target.port, via=via)
                client = self.client(server.port, "--hold", "20", via=via)
                self.assert_echoes(client)
                unused = self.connect(client)
                fog.wait_until(lambda t=target: t.accepted == 2, "the stream was not dialled")
                server.kill()
                if via == "tcp":  # the tunnel's end is known at once: speaks while there is none
                    client.wait_log("is down")
                    unused.sendall(b"first words")
                self.server(target.port, port=server.port, via=via)
                if via == "kcp":  # the tunnel's end is found out by those who use it
                    self.assert_echoes(client, 5)
                    unused.sendall(b"first words")
                self.assertEqual(targets.read_exactly(unused, 11), b"first words")

    def test_transfer_across_a_server_crash_is_never_wrong(self):
        """What was received of a broken download is a prefix, and its end is not an orderly one."""
        data = targets.content(1, 64 * MIB)
        target = self.target(targets.source(1, 64 * MIB))
        server, client = self.pair(target.port)
        s = self.connect(client)
        got = targets.read_exactly(s, MIB)
        server.kill()
        rest, end = targets.read_end(s)
        got += rest
        self.assertNotEqual(end, "EOF")
        self.assertEqual(got, data[: len(got)])
        self.server(target.port, port=server.port)
        self.assert_download_begins(client, data)

    def assert_download_begins(self, client, data):
        def begins():
            try:
                with fog.connect(client.port) as s:
                    return targets.read_exactly(s, 1000) == data[:1000]
            except OSError:
                return False

        fog.wait_until(begins, "no new download after the restart")


class Start(fog.Test):
    def test_client_first(self):
        """Connections made before the server exists are held, with their bytes, until it does."""
        for via in ("kcp", "tcp"):
            with self.subTest(via=via):
                target = self.target(targets.echo)
                port = fog.free_port()
                client = self.client(port, "--hold", "20", via=via)
                waiting = [self.connect(client) for _ in range(5)]
                for i, s in enumerate(waiting):
                    s.sendall(b"first words %d" % i)
                time.sleep(1.5)
                self.server(target.port, port=port, via=via)
                for i, s in enumerate(waiting):
                    self.assertEqual(targets.read_exactly(s, 13), b"first words %d" % i)

    def test_hold_ends(self):
        client = self.client(fog.free_port(), "--hold", "1")
        took = self.assert_refused(client, b"anybody?")
        self.assertGreater(took, 0.8)
        self.assertLess(took, 10)
        self.assertTrue(client.running(), "the network being down is no reason to end")

    def test_no_hold(self):
        client = self.client(fog.free_port(), "--hold", "0")
        self.assertLess(self.assert_refused(client), 5)

    def test_name_that_does_not_resolve(self):
        """Nor is this; the client goes on trying."""
        client = self.client("no-such-host.invalid:4000", "--hold", "1")
        self.assert_refused(client)
        self.assertTrue(client.running())


class Pause(fog.Test):
    def download_across(self, client, size, disturb):
        """Downloads, calls disturb() after the first part; gives (bytes, end)."""
        s = self.connect(client)
        s.settimeout(40)
        got = targets.read_exactly(s, size // 10)
        disturb()
        rest, end = targets.read_end(s)
        s.close()
        return got + rest, end

    def stop_for_4_s(self, p):
        p.signal(signal.SIGSTOP)
        time.sleep(4)
        p.signal(signal.SIGCONT)

    def test_stopped_processes(self):
        """A server, and a client, that stand still for four seconds: the transfer completes."""
        size = 8 * MIB
        target = self.target(targets.source(2, size))
        server, client = self.pair(target.port)
        for p in (server, client):
            with self.subTest(stopped=str(p)):
                got, end = self.download_across(client, size, lambda p=p: self.stop_for_4_s(p))
                self.assertEqual((len(got), end), (size, "EOF"))
                self.assertEqual(got, targets.content(2, size))

    def test_dark_link(self):
        """All is lost for four seconds: the transfer completes, or is reset; new ones work."""
        size = 4 * MIB
        target = self.target(targets.source(3, size))
        server = self.server(target.port)
        link = self.keep(relay.Relay(server.port, delay=0.02))
        client = self.client(link.port)

        def darkness():
            link.dark = True
            time.sleep(4)
            link.dark = False

        got, end = self.download_across(client, size, darkness)
        self.assertEqual(got, targets.content(3, size)[: len(got)])
        self.assertIn((end, len(got) == size), (("EOF", True), ("ECONNRESET", False)))
        self.assert_begins(client, targets.content(3, 1000))

    def test_download_that_stalls(self):
        """Nothing of ours is waited for, and yet the silence is noticed long before a keepalive is
        due; a download that has ended costs one question and no more."""
        target = self.target(targets.source(4, MIB))
        server = self.server(target.port)
        link = self.keep(relay.Relay(server.port, delay=0.005))
        client = self.client(link.port)
        with self.connect(client) as s:
            self.assertEqual(len(targets.read_exactly(s, MIB)), MIB)
            fog.wait_until(lambda: client.counters()["mux.pings_out"] == 1, "a question", 4)
            time.sleep(2)
            c = client.counters()
            self.assertEqual((c["mux.pings_out"], c["process.tunnels_suspected"]), (1, 0))
        with self.connect(client) as s:
            self.assertEqual(len(targets.read_exactly(s, MIB // 2)), MIB // 2)
            link.dark = True
            client.wait_log("is in doubt: no answer for 3 s", 7)
            link.dark = False
            client.wait_log("is heard again|tunnel 1 .* is up(.|\n)*tunnel 1 .* is up")

    def assert_begins(self, client, wanted, seconds=5):
        def begins():
            try:
                with fog.connect(client.port, seconds=seconds) as s:
                    return targets.read_exactly(s, len(wanted)) == wanted
            except OSError:
                return False

        fog.wait_until(begins, "no new connection works", seconds)

    def test_new_address(self):
        """The way changes under a standing tunnel, idle or in use: new connections work, soon."""
        target = self.target(targets.echo)
        server = self.server(target.port)
        link = self.keep(relay.Relay(server.port, delay=0.02))
        client = self.client(link.port)
        for i in range(CYCLES):
            with self.subTest(cycle=i):
                self.assert_echoes(client, 5)
                used = self.connect(client)
                used.sendall(b"here")
                self.assertEqual(targets.read_exactly(used, 4), b"here")
                link.change_address()
                self.assert_echoes(client, 5)
                used.close()

    def test_target_comes_back(self):
        """A target that was away is dialled again for each new connection."""
        port = fog.free_port()
        _, client = self.pair(port)
        self.assert_refused(client)
        self.target(targets.echo, port=port)
        self.assert_echoes(client, 5)


if __name__ == "__main__":
    fog.main()

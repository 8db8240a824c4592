# SPDX-License-Identifier: MIT
"""Told rates: --up and --down hold on the wire, and who cannot be told is named in the log."""
import signal
import time

import fog
import relay
import targets

HEADERS = 28  # bytes of UDP and IPv4 beside each datagram; they count
SETTLE, SPAN = 0.7, 3.0  # seconds: the start is left out, the rest is measured


def pour(s):
    """A handler that sends without end."""
    block = targets.content(1, 1 << 16)
    while True:
        s.sendall(block)


def swallow(s):
    """A handler that reads without end."""
    while s.recv(1 << 16):
        pass


class Rates(fog.Test):
    def rate_of(self, sender, span=SPAN):
        """Mbit/s that a program sends, all that is on the wire."""
        begin, a = time.monotonic(), sender.counters()
        time.sleep(span)
        end, b = time.monotonic(), sender.counters()
        grown = {n: b[n] - a[n] for n in ("arq.bytes_out", "arq.datagrams_out")}
        wire = grown["arq.bytes_out"] + HEADERS * grown["arq.datagrams_out"]
        return wire * 8 / (end - begin) / 1e6

    def assert_rate(self, sender, mbits):
        time.sleep(SETTLE)
        rate = self.rate_of(sender)
        self.assertGreater(rate, 0.9 * mbits)
        self.assertLess(rate, 1.04 * mbits)

    def upload(self, client):
        data = targets.content(2, 1 << 20) * 64
        targets.Sender(self.connect(client), data)

    def test_up(self):
        target = self.target(swallow)
        server = self.server(target.port)
        client = self.client(server.port, "--up", "5")
        self.upload(client)
        self.assert_rate(client, 5)

    def test_up_with_loss(self):
        """What is sent again counts as well."""
        target = self.target(swallow)
        server = self.server(target.port)
        link = self.keep(relay.Relay(server.port, loss=0.10, delay=0.020))
        client = self.client(link.port, "--up", "5M")
        self.upload(client)
        self.assert_rate(client, 5)
        self.assertGreater(client.counters()["arq.lost"], 0)

    def test_down(self):
        target = self.target(pour)
        server = self.server(target.port)
        client = self.client(server.port, "--down", "5")
        with self.connect(client) as s:
            drain = targets.Reader(s)
            self.assert_rate(server, 5)
            drain.stop()

    def test_the_least_wins(self):
        """A server's own rate is a bound to what its client asks for, and the reverse."""
        target = self.target(pour)
        for up, down in (("2", "8"), ("8", "2")):
            with self.subTest(up=up, down=down):
                server = self.server(target.port, "--up", up)
                client = self.client(server.port, "--down", down)
                with self.connect(client) as s:
                    drain = targets.Reader(s)
                    self.assert_rate(server, 2)
                    drain.stop()

    def test_tunnels_share(self):
        target = self.target(swallow)
        server = self.server(target.port)
        client = self.client(server.port, "--up", "4", "--tunnels", "2")
        fog.wait_until(lambda: client.counters()["process.tunnels_ready"] == 2, "two tunnels")
        self.upload(client)
        self.upload(client)
        self.assert_rate(client, 4)

    def test_reload(self):
        """A new rate holds at once for what runs, on either side."""
        target = self.target(swallow)
        server = self.server(target.port)
        path = self.file("c.conf", "up: 2")
        client = self.client(server.port, "-c", path)
        self.upload(client)
        self.assert_rate(client, 2)
        self.file("c.conf", "up: 6")
        client.signal(signal.SIGHUP)
        client.wait_log("reload: up 2M -> 6M")
        self.assert_rate(client, 6)
        self.file("c.conf", "")
        client.signal(signal.SIGHUP)
        client.wait_log("reload: up 6M -> auto")
        fog.wait_until(lambda: client.counters()["streams"] == 0, "the rest leaves at once")

    def test_reload_of_down(self):
        """The server is asked anew, by a new tunnel."""
        target = self.target(pour)
        server = self.server(target.port)
        path = self.file("c.conf", "")
        client = self.client(server.port, "-c", path)
        self.assert_echo_of(client)
        self.file("c.conf", "down: 3")
        client.signal(signal.SIGHUP)
        fog.wait_until(lambda: client.counters()["process.tunnels_replaced"] == 1, "a new tunnel")
        with self.connect(client) as s:
            drain = targets.Reader(s)
            self.assert_rate(server, 3)
            drain.stop()

    def assert_echo_of(self, client):
        with self.connect(client) as s:
            self.assertEqual(len(targets.read_exactly(s, 1000)), 1000)
            targets.reset(s)

    def test_vproxy_cannot_be_asked(self):
        target = self.target(targets.echo)
        server = self.server(target.port)
        link = self.keep(relay.Relay(server.port))
        link.rewrite = relay.without_hello
        client = self.client(link.port, "--down", "20")
        client.wait_log(r"the server is no foggara: .*down 20M is in vain")
        self.assert_echoes(client)

    def test_foggara_can(self):
        target = self.target(targets.echo)
        server = self.server(target.port, "--down", "7")
        client = self.client(server.port, "--down", "20")
        self.assert_echoes(client)
        server.signal(signal.SIGUSR1)
        client.signal(signal.SIGUSR1)
        server.wait_log("foggara, sends at 20 Mbit/s")
        client.wait_log("foggara, sends at 7 Mbit/s")
        time.sleep(6)
        self.assertNotIn("in vain", client.log())


if __name__ == "__main__":
    fog.main()

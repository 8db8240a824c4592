# SPDX-License-Identifier: MIT
"""Bytes arrive, all of them and in order: both ways at once, over everything that can carry them."""
import hashlib
import queue
import re
import socket

import fog
import relay
import targets

SIZE = 5 * 1000 * 1000


class Transfer(fog.Test):
    def both_ways(self, client, target, size, host="127.0.0.1"):
        """size bytes up beside the target's own bytes down; hashes and ends on both sides."""
        up = targets.content(7, size)
        with self.connect(client, host) as s:
            sender = targets.Sender(s, up)
            down, end = targets.read_end(s)
            sender.join()
        self.assertEqual(end, "EOF", f"{len(down)} bytes came")
        self.assertEqual(targets.digest(down), targets.digest(target.handler.data))
        try:
            got, end = target.handler.got.get(timeout=fog.PATIENCE)
        except queue.Empty:
            self.fail("the target did not see the end")
        self.assertEqual(end, "EOF")
        self.assertEqual(got, targets.digest(up))

    def test_kcp_ipv4(self):
        target = self.target(targets.Duplex(1, SIZE))
        _, client = self.pair(target.port)
        self.both_ways(client, target, SIZE)

    def test_tcp_ipv4(self):
        target = self.target(targets.Duplex(2, SIZE))
        _, client = self.pair(target.port, via="tcp")
        self.both_ways(client, target, SIZE)

    def test_ipv6(self):
        for via in ("kcp", "tcp"):
            with self.subTest(via=via):
                target = self.target(targets.Duplex(3, SIZE // 5), host="::1")
                server = self.server(f"[::1]:{target.port}", host="[::1]", via=via)
                client = self.client(f"[::1]:{server.port}", host="[::1]", via=via)
                self.both_ways(client, target, SIZE // 5, host="::1")

    def test_names(self):
        target = self.target(targets.Duplex(4, 1000))
        server = self.server(f"localhost:{target.port}")
        client = self.client(f"localhost:{server.port}")
        self.both_ways(client, target, 1000)

    def test_all_addresses(self):
        """A server on all addresses is reached over both families, and answers from the right one."""
        target = self.target(targets.Duplex(5, 100000))
        server = self.server(target.port, host="")
        for address in ("127.0.0.1", "127.0.0.2", "[::1]"):
            with self.subTest(address=address):
                client = self.client(f"{address}:{server.port}")
                self.both_ways(client, target, 100000)

    def test_compress(self):
        """Text shrinks on the wire; bytes that cannot shrink arrive as well."""
        target = self.target(targets.digest_after_end)
        server = self.server(target.port, "--compress")
        link = self.keep(relay.Relay(server.port))
        client = self.client(link.port, "--compress")
        link.record = []
        text = b"the same line again and again, as logs do\n" * 50000
        self.assertEqual(self.hash_there(client, text), hashlib.sha256(text).hexdigest())
        on_wire = sum(len(d) for d in link.record)
        self.assertLess(on_wire, len(text) / 2, "it was not compressed")
        link.record = None
        noise = targets.content(6, SIZE // 5)
        self.assertEqual(self.hash_there(client, noise), hashlib.sha256(noise).hexdigest())

    def test_compress_both_ways(self):
        target = self.target(targets.Duplex(6, SIZE // 5))
        target.handler.data = b"0123456789abcdef" * (SIZE // 80)
        _, client = self.pair(target.port, "--compress")
        self.both_ways(client, target, SIZE // 5)

    def hash_there(self, client, data):
        with self.connect(client) as s:
            sender = targets.Sender(s, data)
            answer, end = targets.read_end(s)
            sender.join()
        self.assertEqual(end, "EOF")
        return answer.decode()

    def test_lossy_link(self):
        target = self.target(targets.Duplex(8, SIZE // 5))
        server = self.server(target.port)
        link = self.keep(relay.Relay(server.port, loss=0.10, delay=0.020))
        client = self.client(link.port)
        self.both_ways(client, target, SIZE // 5)
        self.assertGreater(link.lost, 0)

    def test_several_tunnels(self):
        target = self.target(targets.Duplex(9, SIZE // 10))
        server = self.server(target.port)
        client = self.client(server.port, "--tunnels", "4")
        for _ in range(8):
            self.both_ways(client, target, SIZE // 10)

    def test_a_download_has_its_tunnel_for_itself(self):
        """New connections go to the tunnels that are not busy, whichever way they are."""
        target = self.target(targets.answer_after_end(12, SIZE * 50))
        server = self.server(target.port)
        client = self.client(server.port, "--tunnels", "3")
        fog.wait_until(lambda: client.counters()["process.tunnels_ready"] == 3, "three tunnels")
        bulk = self.connect(client, rcvbuf=65536)
        bulk.shutdown(socket.SHUT_WR)
        targets.read_exactly(bulk, SIZE)
        logins = []  # nothing is said on them
        for _ in range(4):
            logins.append(self.connect(client, rcvbuf=4096))
            targets.read_exactly(bulk, SIZE)
        before = len(client.log())
        client.counters()
        streams = re.findall(r"^tunnel .*: (\d+) streams", client.log()[before:], re.M)
        self.assertEqual(sorted(streams), ["1", "2", "2"])

    def test_a_second_tunnel_where_packets_are_lost(self):
        for loss, tunnels in ((0, 1), (0.10, 2)):
            target = self.target(targets.Duplex(8, SIZE // 5))
            link = self.keep(relay.Relay(self.server(target.port).port, loss=loss, delay=0.025))
            client = self.client(link.port, "--tunnels", "0")
            self.both_ways(client, target, SIZE // 5)
            with self.connect(client):
                fog.wait_until(lambda: client.counters()["process.tunnels_ready"] >= tunnels, "two")
            self.assertEqual(client.counters()["process.tunnels_ready"], tunnels)

    def test_every_fast_and_odd_windows(self):
        rows = (
            ("--fast", "1"),
            ("--fast", "2"),
            ("--fast", "3", "--mtu", "576"),
            ("--sndwnd", "32", "--rcvwnd", "32"),
            ("--mtu", "1400", "--sndwnd", "4096", "--rcvwnd", "4096", "--sockbuf", "0"),
        )
        for options in rows:
            with self.subTest(options=options):
                target = self.target(targets.Duplex(10, SIZE // 5))
                _, client = self.pair(target.port, *options)
                self.both_ways(client, target, SIZE // 5)

    def test_words_of_vproxy(self):
        target = self.target(targets.Duplex(11, 100000))
        port, local = fog.free_port(), fog.free_port()
        words = ("mode", "server", "bind", port, "target", f"127.0.0.1:{target.port}")
        server = self.start(*words, name="server")
        self._listening(server, port, "udp")
        words = ("mode", "client", "bind", local, "target", f"127.0.0.1:{port}", "fast", "3")
        client = self.start(*words, name="client")
        self._listening(client, local, "tcp")
        self.both_ways(client, target, 100000)

    def test_config_files(self):
        """Both sides from files; a flag beside a file wins; a file may come in on standard input."""
        target = self.target(targets.Duplex(12, 100000))
        port, local = fog.free_port(), fog.free_port()
        server_text = (
            "// relaxed JSON\n"
            f'{{"listen": "127.0.0.1:{port}", "target": "127.0.0.1:1", "fast": 2,}}\n'
        )
        server = self.start(
            "server", "-c", self.file("server.json", server_text),
            "-t", f"127.0.0.1:{target.port}", name="server",
        )
        self._listening(server, port, "udp")
        client_text = f'{{"listen": "127.0.0.1:{local}", "remote": "127.0.0.1:{port}"}}\n'
        client = self.start("client", "-c", "-", name="client", stdin=client_text)
        self._listening(client, local, "tcp")
        self.both_ways(client, target, 100000)


if __name__ == "__main__":
    fog.main()

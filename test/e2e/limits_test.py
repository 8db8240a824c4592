# SPDX-License-Identifier: MIT
"""Bounds of the process at N and at N+1, and that what was refused works again afterwards."""
import contextlib
import resource
import socket

import fog
import targets

SETTINGS = b"\0\0\0\4\0\0\0\0\0"
PIPES_MAX = 1024  # tunnels over TCP at once
PIPES_PER_SOURCE = 64


class Tunnels(fog.Test):
    def knock(self, server, address):
        """A tunnel over TCP from this address; None when it is refused."""
        with contextlib.suppress(OSError):
            s = self.keep(fog.connect(server.port, source=address))
            s.sendall(SETTINGS)
            if targets.read_exactly(s, len(SETTINGS)) == SETTINGS:
                return s
        return None

    def test_all_of_them(self):
        """So many over TCP stand, the next are reset, and one that ends makes room for one."""
        target = self.target(targets.echo)
        server = self.server(target.port, via="tcp")
        peers = [f"127.0.1.{1 + n // PIPES_PER_SOURCE}" for n in range(PIPES_MAX)]
        standing = [self.knock(server, address) for address in peers]
        self.assertNotIn(None, standing)
        self.assertEqual(server.counters()["process.limit_tunnels_hit"], 0)
        for n in range(1, 6):
            self.assertIsNone(self.knock(server, "127.0.2.1"))
            self.assertEqual(server.counters()["process.limit_tunnels_hit"], n)
        standing[0].close()
        fog.wait_until(lambda: self.knock(server, "127.0.2.1"), "no room for another")
        self.assertIsNone(self.knock(server, "127.0.2.1"))

    def test_a_burst_of_them(self):
        """Connections that come while one is being refused are refused as well, not forgotten."""
        target = self.target(targets.echo)
        server = self.server(target.port, via="tcp")
        for n in range(PIPES_MAX):
            self.knock(server, f"127.0.1.{1 + n // PIPES_PER_SOURCE}")
        burst = [self.keep(socket.socket()) for _ in range(200)]
        for s in burst:
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", server.port))
        for s in burst:
            s.settimeout(fog.PATIENCE)
            self.assertEqual(targets.read_end(s), (b"", "ECONNRESET"))
        self.assertEqual(server.counters()["process.limit_tunnels_hit"], len(burst))


class Accept(fog.Test):
    def test_a_system_that_refuses(self):
        """No descriptor is to be had at all: the listener pauses, says so, and comes back."""
        target = self.target(targets.echo)
        _, client = self.pair(target.port)
        self.assert_echoes(client)
        self.assertEqual(client.counters()["process.limit_accept_hit"], 0)
        limit = resource.prlimit(client.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(client.pid, resource.RLIMIT_NOFILE, (4, limit[1]))
        with contextlib.suppress(OSError):
            self.keep(fog.connect(client.port))
        client.wait_log("cannot accept: .*; pausing")
        self.assertEqual(client.counters()["process.limit_accept_hit"], 1)
        client.wait_log("cannot listen again: ")
        resource.prlimit(client.pid, resource.RLIMIT_NOFILE, limit)
        self.assert_echoes(client)
        self.assertEqual(client.counters()["process.limit_accept_hit"], 1)


if __name__ == "__main__":
    fog.main()

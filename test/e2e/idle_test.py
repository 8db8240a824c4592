# SPDX-License-Identifier: MIT
"""Connected pairs that have nothing to do, do nothing."""
import time

import fog
import targets

SETTLE, SECONDS = 3, 11  # together longer than a client's keepalive waits
WAKEUPS = 5  # a second and process
CPU = 0.02  # seconds of CPU a process; a sanitizer costs more


class Idle(fog.Test):
    def pair_with(self, streams, via):
        """A pair with so many open streams that have been used: (server, client, sockets)."""
        target = self.target(targets.echo)
        server, client = self.pair(target.port, via=via)
        sockets = [self.connect(client) for _ in range(streams)]
        for s in sockets:
            s.sendall(b"hello")
            self.assertEqual(targets.read_exactly(s, 5), b"hello")
        self.assert_echoes(client)
        return server, client, sockets

    def test_wakeups_and_cpu(self):
        rows = ((0, "kcp"), (50, "kcp"), (1, "tcp"))
        pairs = [self.pair_with(*row) for row in rows]
        time.sleep(SETTLE)
        everybody = [p for pair in pairs for p in pair[:2]]
        wakeups = {p: p.wakeups() for p in everybody}
        cpu = {p: p.cpu() for p in everybody}
        time.sleep(SECONDS)
        for p in everybody:
            per_second = (p.wakeups() - wakeups[p]) / SECONDS
            used = p.cpu() - cpu[p]
            with self.subTest(process=" ".join(p.args)):
                self.assertLess(per_second, WAKEUPS, "wake-ups a second")
                self.assertLessEqual(used, CPU * (5 if fog.sanitized() else 1), "seconds of CPU")
        for _, client, _ in pairs:  # once after ten seconds, and only once
            counters = client.counters()
            self.assertLessEqual(counters["mux.pings_out"], counters["process.tunnels_ready"])
        for row, (_, _, sockets) in zip(rows, pairs):
            for s in sockets:
                s.sendall(b"still here")
                self.assertEqual(targets.read_exactly(s, 10), b"still here", str(row))

    def test_waiting_for_a_server(self):
        """A client whose server does not exist keeps trying, but not hard."""
        clients = [self.client(fog.free_port(), via=via) for via in ("kcp", "tcp")]
        time.sleep(SETTLE)
        wakeups = {p: p.wakeups() for p in clients}
        time.sleep(SECONDS)
        for p in clients:
            with self.subTest(process=" ".join(p.args)):
                self.assertLess((p.wakeups() - wakeups[p]) / SECONDS, 2 * WAKEUPS)


if __name__ == "__main__":
    fog.main()

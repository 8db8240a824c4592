# SPDX-License-Identifier: MIT
"""A connected pair that has nothing to do does nothing."""
import time

import fog
import targets

SECONDS = 10


class Idle(fog.Test):
    def rest(self, via, streams):
        target = self.target(targets.echo)
        server, client = self.pair(target.port, via=via)
        open_streams = [self.connect(client) for _ in range(streams)]
        for s in open_streams:
            s.sendall(b"hello")
            self.assertEqual(targets.read_exactly(s, 5), b"hello")
        self.assert_echoes(client)
        time.sleep(3)
        pair = (server, client)
        wakeups = {p: p.wakeups() for p in pair}
        cpu = {p: p.cpu() for p in pair}
        time.sleep(SECONDS)
        for p in pair:
            per_second = (p.wakeups() - wakeups[p]) / SECONDS
            self.assertLess(per_second, 5, f"{p} ({via}): wake-ups a second")
            limit = 0.10 if fog.sanitized() else 0.02
            self.assertLessEqual(p.cpu() - cpu[p], limit, f"{p} ({via}): seconds of CPU")
        for s in open_streams:
            s.sendall(b"still here")
            self.assertEqual(targets.read_exactly(s, 10), b"still here")

    def test_kcp(self):
        self.rest("kcp", streams=0)

    def test_kcp_with_streams(self):
        self.rest("kcp", streams=50)

    def test_tcp(self):
        self.rest("tcp", streams=1)


if __name__ == "__main__":
    fog.main()

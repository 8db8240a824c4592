# SPDX-License-Identifier: MIT
"""The agent's limits at N and at N + 1, and what it does when something runs out."""
import random
import threading
import time

import agents
import fog
import targets
from agents import OK

FRESH_MAX = 1024
PACS_MAX = 64


class LimitsTest(agents.Test):
    def setUp(self):
        super().setUp()
        self.at = self.target(targets.echo)
        self.g = self.gateway()

    def works(self, a, seconds=fog.PATIENCE):
        begin = time.monotonic()
        s, rep = self.socks5(a, "127.0.0.1", self.at.port)
        self.assertEqual(rep, OK)
        self.assertLess(time.monotonic() - begin, seconds)
        return s

    def test_so_many_are_heard_at_once_and_the_next_waits(self):
        a = self.agent(self.url("websocks:kcp", self.g))
        slow = [self.keep(fog.connect((a.socks, a.http, a.mixed)[i % 3]))
                 for i in range(FRESH_MAX - 1)]
        fog.wait_until(lambda: a.counters()["agent.fresh"] == FRESH_MAX - 1, "all are there")
        self.works(a)  # the last place, and it is free again
        slow.append(self.keep(fog.connect(a.socks)))
        fog.wait_until(lambda: a.counters()["agent.fresh"] == FRESH_MAX, "all are there")
        self.assertEqual(a.counters()["agent.limit_fresh_waited"], 0)
        self.works(a, 4)  # one too many: the oldest has to go
        now = a.counters()
        self.assertEqual((now["agent.limit_fresh_waited"], now["agent.limit_fresh_hit"]), (1, 1))
        self.assertEqual(targets.read_end(slow[0]), (b"", "ECONNRESET"))

    def test_a_burst_beyond_the_limit_is_only_delayed(self):
        a = self.agent(self.url("websocks:kcp", self.g), domains=["example.com"])
        sockets = [self.keep(fog.connect(a.socks)) for _ in range(FRESH_MAX + 500)]
        for s in sockets:
            s.sendall(b"\x05\x01\x00" + agents.websocks.socks_request("127.0.0.1", self.at.port))
        for s in sockets:
            self.assertEqual(targets.read_exactly(s, 12)[:4], b"\x05\x00\x05\x00")
        self.assertEqual(a.counters()["agent.limit_fresh_hit"], 0)

    def test_two_thousand_requests_at_once_through_one_server(self):
        many = FRESH_MAX + 200 if fog.sanitized() else 2000
        g = self.gateway(True)
        ask = agents.websocks.socks_request("127.0.0.1", self.at.port)
        for kind in ("websockss", "websockss:kcp"):
            with self.subTest(kind=kind):
                a = self.agent(self.url(kind, g))
                sockets = []
                for _ in range(many):
                    sockets.append(self.keep(fog.connect(a.socks)))
                    sockets[-1].sendall(b"\x05\x01\x00" + ask + b"hello")
                for s in sockets:
                    self.assertEqual(targets.read_exactly(s, 12)[:4], b"\x05\x00\x05\x00")
                    self.assertEqual(targets.read_exactly(s, 5), b"hello")
                self.assertEqual(a.counters()["agent.failed"], 0)
                for s in sockets:
                    s.close()
                self.assertIsNone(a.stop())

    def test_so_many_ask_for_the_script_at_once(self):
        a = self.agent(self.url("websocks:kcp", self.g))
        slow = [self.keep(fog.connect(a.pac)) for _ in range(PACS_MAX)]
        fog.wait_until(lambda: a.counters()["connections"] == PACS_MAX, "all are there")
        self.assertEqual(a.counters()["agent.limit_pacs_hit"], 0)
        with fog.connect(a.pac) as s:
            self.assertEqual(targets.read_end(s), (b"", "ECONNRESET"))
        self.assertEqual(a.counters()["agent.limit_pacs_hit"], 1)
        slow[0].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn(b" 200 ", targets.read_end(slow[0])[0])

    def test_slow_ones_are_ended(self):
        a = self.agent(self.url("websocks:kcp", self.g))
        begin = time.monotonic()
        slow = []
        for port, begun in ((a.socks, b""), (a.socks, b"\x05"), (a.http, b"GET http://a/ HT"),
                            (a.mixed, b""), (a.pac, b"GET ")):
            slow.append(self.keep(fog.connect(port)))
            slow[-1].sendall(begun)
        drips = threading.Event()

        def drip(s):
            """Something every second is not enough: it has to be done in time."""
            while not drips.wait(1):
                try:
                    s.send(b"x")
                except OSError:
                    return

        threading.Thread(target=drip, args=(slow[2],), daemon=True).start()
        for s in slow:
            self.assertEqual(targets.read_end(s)[1], "ECONNRESET")
        drips.set()
        self.assertGreater(time.monotonic() - begin, 9)
        self.assertLess(time.monotonic() - begin, 13)
        self.assertEqual(a.counters()["agent.limit_handshake_hit"], 5)

    def test_without_descriptors_it_waits_and_goes_on(self):
        a = self.agent(self.url("websocks:kcp", self.g), nofile=90)
        first = [self.works(a) for _ in range(10)]
        more = [self.keep(fog.connect(a.socks)) for _ in range(100)]
        for s in more:
            s.sendall(b"\x05\x01\x00" + agents.websocks.socks_request("127.0.0.1", self.at.port))
        fog.wait_until(lambda: a.counters()["limit_fds_hit"] > 0, "it has run out")
        for s in first:
            s.sendall(b"hello")
            self.assertEqual(targets.read_exactly(s, 5), b"hello")
            s.close()
        for s in more:  # each that ends lets another in
            self.assertEqual(targets.read_exactly(s, 12)[:4], b"\x05\x00\x05\x00")
            s.close()
        self.works(a)

    def test_random_faults(self):
        """Requests of all sorts while gateways die, fall silent and come back."""
        ports = [fog.free_port() for _ in range(2)]
        gates = [self.gateway(port=port) for port in ports]
        a = self.agent(*[self.url(kind, port) for port in ports
                         for kind in ("websocks", "websocks:kcp")])
        end = time.monotonic() + (600 if fog.LONG else 20)
        fog.signal.alarm(900)
        good, bad = [], []

        def user(seed):
            chance = random.Random(seed)
            while time.monotonic() < end:
                try:
                    s, rep = agents.socks5(a.socks, "127.0.0.1", self.at.port)
                    with s:
                        (good if rep == OK else bad).append(seed)
                        if chance.random() < 0.3:
                            targets.reset(s)
                            continue
                        data = targets.content(seed, chance.randrange(1, 300000))
                        targets.Sender(s, data, finish=chance.random() < 0.5)
                        s.settimeout(2)
                        if chance.random() < 0.5:
                            targets.read_exactly(s, len(data))
                except OSError:
                    bad.append(seed)

        users = [threading.Thread(target=user, args=(i,), daemon=True) for i in range(12)]
        for u in users:
            u.start()
        chance = random.Random(99)
        while time.monotonic() < end:
            i = chance.randrange(2)
            if chance.random() < 0.5:
                gates[i].kill()
                time.sleep(chance.random() * 2)
                gates[i] = self.gateway(port=ports[i])
            else:
                gates[i].signal(fog.signal.SIGSTOP)
                time.sleep(chance.random() * 3)
                gates[i].signal(fog.signal.SIGCONT)
            time.sleep(chance.random())
        for u in users:
            u.join(40)
        print(f"\n{len(good)} requests went through, {len(bad)} did not")
        self.assertTrue(a.running())
        self.assertGreater(len(good), 50)
        self.works(a)


if __name__ == "__main__":
    fog.main()

# SPDX-License-Identifier: MIT
"""The agent as programs of this machine see it, in front of our gateway."""
import base64
import concurrent.futures
import json
import os
import shutil
import signal
import socket
import threading
import time

import agents
import fog
import relay
import targets
import websocks
from agents import DENIED, GENERAL, HOST_UNREACHABLE, OK, REFUSED


class KindsTest(agents.Test):
    """All four kinds of servers, one agent with a listener of each sort."""

    kinds = agents.KINDS

    def each(self, **how):
        """Gives (kind, agent), one after the other."""
        gates = {tls: self.gateway(tls) for tls in (False, True)}
        for kind in self.kinds:
            with self.subTest(kind=kind):
                a = self.agent(self.url(kind, gates["websockss" in kind]), **how)
                yield kind, a
                complaint = a.stop()
                self.assertIsNone(complaint)

    def test_curl_through_each_listener(self):
        origin = self.origin(big=targets.content(5, 5 << 20))
        want = targets.digest(origin.handler.pages["/big"])
        for _, a in self.each():
            for how in (
                ["-x", f"socks5://127.0.0.1:{a.socks}"],
                ["-x", f"socks5h://127.0.0.1:{a.socks}"],
                ["-p", "-x", f"http://127.0.0.1:{a.http}"],
                ["-x", f"http://127.0.0.1:{a.http}"],
                ["-x", f"socks5h://127.0.0.1:{a.mixed}"],
                ["-p", "-x", f"http://127.0.0.1:{a.mixed}"],
                ["-x", f"http://127.0.0.1:{a.mixed}"],
            ):
                code, out = agents.curl(*how, f"http://localhost:{origin.port}/big")
                self.assertEqual((code, targets.digest(out)), (0, want), how)

    def test_upload_that_ends_and_then_reads(self):
        target = self.target(targets.digest_after_end)
        data = targets.content(6, 3 << 20)
        for _, a in self.each():
            for way in ("socks5", "connect"):
                if way == "socks5":
                    s, rep = self.socks5(a, "127.0.0.1", target.port)
                    self.assertEqual(rep, OK)
                else:
                    s, status = agents.connect(a.http, "127.0.0.1", target.port)
                    self.assertEqual(status, 200)
                targets.Sender(s, data).join()
                self.assertEqual(targets.read_end(s), (targets.digest(data).encode(), "EOF"))
                s.close()

    def test_a_server_that_speaks_first(self):
        target = self.target(lambda s: (s.sendall(b"220 banner\r\n"), targets.echo(s)))
        for _, a in self.each():
            s, rep = self.socks5(a, "localhost", target.port)
            self.assertEqual(rep, OK)
            self.assertEqual(targets.read_exactly(s, 12), b"220 banner\r\n")
            s.sendall(b"EHLO")
            self.assertEqual(targets.read_exactly(s, 4), b"EHLO")

    def test_the_truth_about_a_failure(self):
        nobody = fog.free_port()
        for _, a in self.each():
            self.assertEqual(self.socks5(a, "127.0.0.1", nobody)[1], REFUSED)
            self.assertEqual(self.socks5(a, "no.such.host.invalid", 80)[1], HOST_UNREACHABLE)
            self.assertEqual(self.socks5(a, "127.0.0.2", 80)[1], DENIED)
            self.assertEqual(agents.connect(a.http, "127.0.0.1", nobody)[1], 502)
            self.assertEqual(agents.connect(a.http, "127.0.0.2", 80)[1], 403)

    def test_five_hundred_at_once(self):
        page = targets.content(8, 20000)
        origin = self.origin(page=page)

        def fetch(a, i):
            if i % 3:
                s, rep = agents.socks5(a.socks, "127.0.0.1", origin.port)
                self.assertEqual(rep, OK)
            else:
                s, status = agents.connect(a.http, "127.0.0.1", origin.port)
                self.assertEqual(status, 200)
            with s:
                s.sendall(b"GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                got, end = targets.read_end(s)
            return end == "EOF" and got.endswith(page)

        many = 500
        for _, a in self.each():
            with concurrent.futures.ThreadPoolExecutor(many) as pool:
                good = list(pool.map(lambda i, a=a: fetch(a, i), range(many)))
            self.assertEqual(good.count(True), many)

    def test_the_pool_stays_ready(self):
        target = self.target(targets.echo)
        gates = {tls: self.gateway(tls) for tls in (False, True)}
        all_of_them = [self.agent(self.url(kind, gates["websockss" in kind]))
                       for kind in self.kinds]
        before = [a.counters() for a in all_of_them]
        time.sleep(22)  # PONG goes every 5 s; a gateway would end what is silent after 10
        for a, was in zip(all_of_them, before):
            now = a.counters()
            self.assertEqual(now["group.DEFAULT.ready"], agents.POOL)
            self.assertEqual(now["agent.lines"], was["agent.lines"])
            self.assertEqual(self.socks5(a, "127.0.0.1", target.port)[1], OK)
            self.assertEqual(a.counters()["agent.pooled"], 1)

    def test_a_reset_stays_a_reset(self):
        target = self.target(lambda s: (targets.read_exactly(s, 1), targets.reset(s)))
        for _, a in self.each():
            s, rep = self.socks5(a, "127.0.0.1", target.port)
            self.assertEqual(rep, OK)
            s.sendall(b"x")
            self.assertEqual(targets.read_end(s), (b"", "ECONNRESET"))


class LatencyTest(agents.Test):
    RTT = 0.4

    def fetch(self, a, port, http):
        begin = time.monotonic()
        if http:
            s = fog.connect(a.http)
            s.sendall(f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        else:
            s, rep = agents.socks5(a.socks, "127.0.0.1", port)
            self.assertEqual(rep, OK)
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        with s:
            self.assertTrue(targets.read_end(s)[0].endswith(b"<p>home</p>\n"))
        return time.monotonic() - begin

    def test_round_trips_of_a_request_when_the_pool_is_warm(self):
        """Directly it would be two: one to connect, one for the page. TLS costs none."""
        origin = self.origin()
        for kind in ("websocks:kcp", "websockss:kcp"):
            g = self.gateway("websockss" in kind)
            link = self.keep(relay.Relay(g.port, delay=self.RTT / 2))
            a = self.agent(self.url(kind, link.port), pool=10)
            for http, trips in ((False, 2), (True, 1)):
                with self.subTest(kind=kind, http=http):
                    best = min(self.fetch(a, origin.port, http) for _ in range(4))
                    self.assertGreater(best, trips * self.RTT)
                    self.assertLess(best, (trips + 0.5) * self.RTT)


class HttpTest(agents.Test):
    def setUp(self):
        super().setUp()
        self.at = self.origin(page=b"hello")
        self.g = self.gateway()
        self.a = self.agent(self.url("websocks:kcp", self.g))

    def ask(self, request, port=None):
        with fog.connect(port or self.a.http) as s:
            s.sendall(request)
            return targets.read_end(s)

    def test_what_the_origin_gets(self):
        where = f"127.0.0.1:{self.at.port}"
        got, end = self.ask(
            f"GET http://{where}/page?x=1 HTTP/1.1\r\nHost: wrong\r\nProxy-Connection: keep-alive\r\n"
            f"Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nX-Other: 2\r\n"
            f"Proxy-Authorization: Basic eDp5\r\n\r\nGET http://{where}/ HTTP/1.1\r\n\r\n".encode()
        )
        self.assertEqual(end, "EOF")
        self.assertTrue(got.startswith(b"HTTP/1.1 200 ") and got.endswith(b"\r\n\r\nhello"), got)
        self.assertEqual(len(self.at.handler.seen), 1)  # one request of a connection
        head = self.at.handler.seen[0][0]
        self.assertIn(f"GET /page?x=1 HTTP/1.1\r\nHost: {where}\r\n", head)
        self.assertIn("X-Other: 2\r\n", head)
        self.assertIn("Connection: close\r\n", head)
        for word in ("Proxy-", "X-Mine", "wrong", "keep-alive"):
            self.assertNotIn(word, head)

    def test_an_origin_that_goes_on(self):
        """It keeps its connection and does not say so: the program must not ask again on it."""
        hand = targets.Hand()
        where = f"127.0.0.1:{self.target(hand).port}"
        with fog.connect(self.a.http) as s:
            s.sendall(f"GET http://{where}/ HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())
            with hand.take() as far:
                far.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                heard = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
                self.assertEqual(targets.read_exactly(s, len(heard)), heard)
                s.shutdown(socket.SHUT_WR)
                self.assertTrue(targets.read_end(far)[0].endswith(b"\r\n\r\n"))

    def test_bodies(self):
        url = f"http://127.0.0.1:{self.at.port}/up"
        data = targets.content(3, 2000000)
        path = os.path.join(self.dir, "data")
        with open(path, "wb") as f:
            f.write(data)
        for more in ([], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect:"]):
            code, out = agents.curl("-x", f"http://127.0.0.1:{self.a.http}", "-T", path, *more, url)
            self.assertEqual((code, out), (0, targets.digest(data).encode()))

    def test_a_body_that_breaks_is_no_end(self):
        where = f"127.0.0.1:{self.at.port}"
        for body in (b"Content-Length: 10\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
                     b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"):
            hand = targets.Hand()
            target = self.target(hand)
            with fog.connect(self.a.http) as s:
                s.sendall(f"POST http://127.0.0.1:{target.port}/ HTTP/1.1\r\nHost: {where}\r\n"
                          .encode() + body)
                s.shutdown(socket.SHUT_WR)
                self.assertNotEqual(targets.read_end(s)[1], "TIMEOUT")
            with hand.take() as far:
                far.settimeout(fog.PATIENCE)
                self.assertEqual(targets.read_end(far)[1], "ECONNRESET", body)

    def test_no_request_for_a_proxy(self):
        for request, status in (
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
            (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
            (b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
            (b"hello\r\n\r\n", b"400"),
            (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 17000 + b"\r\n\r\n", b"431"),
            (b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
             b"Transfer-Encoding: chunked\r\n\r\n", b"400"),
        ):
            got, end = self.ask(request)
            self.assertEqual((got.split()[1:2], end), ([status], "EOF"), request[:60])
        self.assertEqual(self.a.counters()["agent.bad_requests"], 6)

    def test_no_socks(self):
        for request, answer in ((b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", b""),
                                (b"\x05\x01\x01", b"\x05\xff"),
                                (b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50",
                                 b"\x05\x00\x05\x07\x00\x01" + bytes(5) + b"\x50"),
                                (b"\x05\x01\x00\x05\x01\x00\x09", b"\x05\x00\x05\x08\x00\x01" + bytes(6))):
            self.assertEqual(self.ask(request, self.a.socks), (answer, "EOF"), request)

    def test_a_request_in_single_bytes(self):
        where = f"127.0.0.1:{self.at.port}"
        for port in (self.a.http, self.a.mixed):
            with fog.connect(port) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for b in f"GET http://{where}/page HTTP/1.1\r\nHost: {where}\r\n\r\n".encode():
                    s.sendall(bytes([b]))
                self.assertTrue(targets.read_end(s)[0].endswith(b"hello"))

    def test_bytes_behind_the_request_are_kept(self):
        target = self.target(targets.echo)
        s, rep = self.socks5(self.a, "127.0.0.1", target.port, early=b"early")
        self.assertEqual(rep, OK)
        self.assertEqual(targets.read_exactly(s, 5), b"early")
        with fog.connect(self.a.http) as s:
            s.sendall(f"CONNECT 127.0.0.1:{target.port} HTTP/1.0\r\n\r\nearly".encode())
            self.assertIn(b" 200 ", agents.websocks.read_head(s))
            self.assertEqual(targets.read_exactly(s, 5), b"early")

    def test_pac(self):
        code, out = agents.curl(f"http://localhost:{self.a.pac}/any.pac")
        self.assertEqual(code, 0)
        self.assertIn(b"FindProxyForURL", out)
        self.assertIn(f"SOCKS5 localhost:{self.a.socks}".encode(), out)
        self.assertIn(f"PROXY localhost:{self.a.http}".encode(), out)
        got, end = self.ask(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", self.a.pac)
        self.assertTrue(got.endswith(b"\r\n\r\n") and b"x-ns-proxy-autoconfig" in got, got)
        self.assertEqual(end, "EOF")


class GroupTest(agents.Test):
    """Servers that are not there, not well, or not for us."""

    def test_another_server_gets_the_request(self):
        target = self.target(targets.echo)
        g = self.gateway()
        dead = fog.free_port()
        for kind in ("websocks", "websocks:kcp"):
            for pool in (0, agents.POOL):
                with self.subTest(dead=kind, pool=pool):
                    a = self.agent(self.url(kind, dead), self.url("websocks:kcp", g), pool=pool,
                                   proxy={"hc": False})
                    for _ in range(6):
                        s, rep = self.socks5(a, "127.0.0.1", target.port)
                        self.assertEqual(rep, OK)
                        s.sendall(b"x")
                        self.assertEqual(targets.read_exactly(s, 1), b"x")

    def test_no_server_is_there(self):
        dead = fog.free_port()
        a = self.agent(self.url("websocks", dead), ready=False)
        begin = time.monotonic()
        self.assertEqual(self.socks5(a, "127.0.0.1", 80)[1], GENERAL)
        self.assertLess(time.monotonic() - begin, 2)
        self.assertEqual(agents.connect(a.http, "127.0.0.1", 80)[1], 502)
        a = self.agent(self.url("websocks:kcp", dead), ready=False)
        begin = time.monotonic()
        self.assertEqual(self.socks5(a, "127.0.0.1", 80)[1], GENERAL)
        self.assertLess(time.monotonic() - begin, 8)
        self.assertIn("to 127.0.0.1:80 by group DEFAULT: no server of its group is up", a.log())

    def test_a_request_waits_for_a_tunnel_that_comes_up(self):
        target = self.target(targets.echo)
        port = fog.free_port()
        a = self.agent(self.url("websocks:kcp", port), ready=False)
        time.sleep(0.3)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(agents.socks5, a.socks, "127.0.0.1", target.port)
            time.sleep(0.5)
            self.gateway(port=port)
            s, rep = asked.result()
        s.close()
        self.assertEqual(rep, OK)

    def test_a_server_dies_with_connections_of_the_pool(self):
        target = self.target(targets.echo)
        for kind in agents.KINDS:
            with self.subTest(kind=kind):
                tls = "websockss" in kind
                one, two = self.gateway(tls), self.gateway(tls)
                a = self.agent(self.url(kind, one), self.url(kind, two))
                one.kill()
                for _ in range(8):
                    begin = time.monotonic()
                    self.assertEqual(self.socks5(a, "127.0.0.1", target.port)[1], OK)
                    self.assertLess(time.monotonic() - begin, 8)

    def test_a_server_falls_silent(self):
        """No reset and no refusal tells of it: the network drops everything."""
        target = self.target(targets.echo)
        for kind in ("websocks", "websocks:kcp"):
            with self.subTest(kind=kind):
                one, two = self.gateway(), self.gateway()
                a = self.agent(self.url(kind, one), self.url(kind, two))
                one.signal(signal.SIGSTOP)
                begin = time.monotonic()
                for _ in range(6):
                    self.assertEqual(self.socks5(a, "127.0.0.1", target.port)[1], OK)
                self.assertLess(time.monotonic() - begin, 20)
                one.signal(signal.SIGCONT)

    def test_a_server_is_back(self):
        target = self.target(targets.echo)
        port = fog.free_port()
        g = self.gateway(port=port)
        for kind in ("websocks", "websocks:kcp"):
            with self.subTest(kind=kind):
                a = self.agent(self.url(kind, g))
                g.kill()
                fog.wait_until(lambda a=a: not a.ready(), "the pool has noticed")
                self.assertEqual(self.socks5(a, "127.0.0.1", target.port)[1], GENERAL)
                g = self.gateway(port=port)
                self.wait_pool(a, agents.POOL)
                self.assertEqual(self.socks5(a, "127.0.0.1", target.port)[1], OK)

    def test_wrong_password(self):
        g = self.gateway()
        for kind in ("websocks", "websocks:kcp"):
            with self.subTest(kind=kind):
                a = self.agent(self.url(kind, g), ready=False, proxy={"auth": "alice:wrong"})
                self.assertEqual(self.socks5(a, "127.0.0.1", 80)[1], GENERAL)
                a.wait_log("refuses user or password")
                self.assertNotIn("wrong\n", a.log().replace("is wrong", ""))

    def test_certificates(self):
        target = self.target(targets.echo)
        g = self.gateway(True)
        ca = {"cacerts": {"path": self.tls_file("ca.pem")}, "cert": {"verify": True}}
        other = {"cacerts": {"path": self.tls_file("other.pem")}, "cert": {"verify": True}}
        for kind in ("websockss", "websockss:kcp"):
            for host, trust, good in (("localhost", ca, True), ("127.0.0.1", ca, True),
                                      ("localhost", other, False), ("127.0.0.1", other, False)):
                with self.subTest(kind=kind, host=host, good=good):
                    a = self.agent(self.url(kind, g, host), ready=good, **trust)
                    rep = self.socks5(a, "127.0.0.1", target.port)[1]
                    self.assertEqual(rep, OK if good else GENERAL)
                    if not good:
                        self.assertIn("certificate", a.log())

    def test_pkcs12_at_both_ends(self):
        target = self.target(targets.echo)
        g = self.gateway(True, certpem=None, keypem=None, pkcs12=self.tls_file("server.p12"),
                         pkcs12pswd="changeit")
        ca = {"path": self.tls_file("ca.p12"), "pswd": "changeit"}
        for kind in ("websockss", "websockss:kcp"):
            with self.subTest(kind=kind):
                a = self.agent(self.url(kind, g, "localhost"), cacerts=ca, cert={"verify": True})
                self.assertEqual(self.socks5(a, "127.0.0.1", target.port)[1], OK)

    def test_sessions_are_taken_up_until_the_certificate_is_another(self):
        target = self.target(targets.echo)
        trust = {"cacerts": {"path": self.tls_file("ca.pem")}, "cert": {"verify": True}}
        for kind in ("websockss", "websockss:kcp"):
            with self.subTest(kind=kind):
                for name in ("server.pem", "server.key"):
                    shutil.copy(os.path.join(websocks.DATA, name), os.path.join(self.dir, name))
                g = self.gateway(True)
                a = self.agent(self.url(kind, g), pool=1, **trust)

                def full(a=a):
                    now = a.counters()
                    return now["process.tls_handshakes"] - now["process.tls_resumed"]

                def ask(n, a=a):
                    for _ in range(n):
                        self.assertEqual(self.socks5(a, "127.0.0.1", target.port)[1], OK)

                ask(1)  # its answer comes behind the tickets
                before = full()
                ask(8)
                self.assertEqual(full(), before)
                g.signal(signal.SIGHUP)
                fog.wait_until(lambda g=g: g.log().count("reload: done") == 1, "it has read it")
                ask(8)
                self.assertEqual(full(), before)
                for name in ("pem", "key"):
                    shutil.copy(os.path.join(websocks.DATA, "second." + name),
                                os.path.join(self.dir, "server." + name))
                g.signal(signal.SIGHUP)
                fog.wait_until(lambda g=g: g.log().count("reload: done") == 2, "it has read it")
                ask(8)
                self.assertGreater(full(), before)
                before = full()
                ask(8)
                self.assertEqual(full(), before)

    def test_a_name_the_certificate_does_not_have(self):
        host = socket.gethostname()
        try:
            g = self.gateway(True, host=socket.gethostbyname(host))
        except OSError:
            self.skipTest("this machine's name has no address")
        ca = {"cacerts": {"path": self.tls_file("ca.pem")}, "cert": {"verify": True}}
        for kind in ("websockss", "websockss:kcp"):
            with self.subTest(kind=kind):
                a = self.agent(self.url(kind, g, host), ready=False, **ca)
                self.assertEqual(self.socks5(a, "127.0.0.1", 80)[1], GENERAL)
                self.assertIn("hostname mismatch", a.log())

    def test_turns_by_weight(self):
        target = self.target(targets.echo)
        one, two = self.gateway(), self.gateway()
        a = self.agent(self.url("websocks", one) + " weight=30", self.url("websocks", two), pool=0)
        for _ in range(20):
            self.assertEqual(self.socks5(a, "127.0.0.1", target.port)[1], OK)
        share = [len([x for x in a.log().splitlines() if f":{g.port}: connected" in x])
                 for g in (one, two)]
        self.assertEqual(share, [15, 5])


class RulesTest(agents.Test):
    def test_where_requests_go(self):
        """Each group's gateway allows nothing, which tells where a request went."""
        target = self.target(targets.echo)
        g = self.gateway()
        shut = [self.gateway(allow=[]) for _ in range(2)]

        def group(name, gate, **lists):
            return {"name": name, "servers": [self.url("websocks:kcp", gate)], **lists}

        a = self.agent(groups=[
            group("DEFAULT", g, domains=["/loc.lhost/"]),
            group("A", shut[0], domains=["127.0.0.1", f":{target.port + 1}"],
                  **{"no-proxy": ["127.0.0.5"]}),
            group("B", shut[1], domains=["127.0.0.4"]),
        ], ready=False)
        self.wait_pool(a, agents.POOL)
        for host, port, rep, by in (
            ("localhost", target.port, OK, g),
            ("127.0.0.1", target.port, DENIED, shut[0]),
            ("127.0.0.4", target.port, DENIED, shut[1]),
            ("127.0.0.5", target.port + 1, REFUSED, None),
            ("127.0.0.6", target.port + 1, DENIED, shut[0]),
            ("127.0.0.6", target.port, REFUSED, None),
        ):
            with self.subTest(host=host, port=port):
                self.assertEqual(self.socks5(a, host, port)[1], rep)
                line = [x for x in a.log().splitlines() if f"to {host}:{port}" in x][-1]
                self.assertIn(f"by websocks:kcp://127.0.0.1:{by.port}" if by else "directly", line)
        self.assertEqual(a.counters()["agent.direct"], 2)

    def test_what_no_rule_names_goes_direct(self):
        target = self.target(targets.echo)
        a = self.agent(self.url("websocks", fog.free_port()), ready=False,
                       domains=["example.com"])
        s, rep = self.socks5(a, "localhost", target.port)
        self.assertEqual(rep, OK)
        s.sendall(b"x")
        self.assertEqual(targets.read_exactly(s, 1), b"x")

    def test_a_list_of_a_file(self):
        path = self.file("list.txt", "||localhost\n")
        target = self.target(targets.echo)
        g = self.gateway()
        a = self.agent(self.url("websocks", g), domains=[f"[{path}]"])
        self.assertEqual(self.socks5(a, "localhost", target.port)[1], OK)
        self.assertEqual(self.socks5(a, "127.0.0.1", target.port)[1], OK)
        self.assertEqual(a.counters()["agent.direct"], 1)


class LifeTest(agents.Test):
    USERS = {"users": ["joe:sesame", "ann:open"]}

    def test_users(self):
        target = self.target(targets.echo)
        a = self.agent(self.url("websocks", self.gateway()), **self.USERS)
        basic = base64.b64encode(b"ann:open").decode()
        for login, rep in ((("joe", "sesame"), OK), (("ann", "open"), OK), (("ann", "sesame"), None),
                           (None, None)):
            self.assertEqual(self.socks5(a, "127.0.0.1", target.port, login=login)[1], rep, login)
        for field, status in ((f"Proxy-Authorization: Basic {basic}\r\n", 200), ("", 407),
                              ("Proxy-Authorization: Basic eDp5\r\n", 407)):
            s, got = agents.connect(a.http, "127.0.0.1", target.port, login=field)
            self.assertEqual(got, status, field)
            s.close()
        self.assertEqual(a.counters()["agent.bad_logins"], 3)
        self.assertNotIn("sesame", a.log())
        _, script = agents.curl(f"http://localhost:{a.pac}/")
        self.assertIn(f'"PROXY localhost:{a.http}"'.encode(), script)  # which browsers can log in to

    def test_wrong_logins_wait_and_right_ones_do_not(self):
        target = self.target(targets.echo)
        a = self.agent(self.url("websocks", self.gateway()), **self.USERS)

        def seconds(login, rep):
            begin = time.monotonic()
            self.assertEqual(self.socks5(a, "127.0.0.1", target.port, login=login)[1], rep)
            return time.monotonic() - begin

        for _ in range(3):
            self.assertLess(seconds(("joe", "open"), None), 1)
        self.assertGreater(seconds(("joe", "open"), None), 2)
        self.assertLess(seconds(("joe", "sesame"), OK), 1)
        self.assertEqual(a.counters()["agent.delayed"], 1)

    def rewrite(self, a, change):
        change(a.conf)
        with open(a.conf_path, "w") as f:
            json.dump(a.conf, f)
        a.signal(signal.SIGHUP)

    def test_a_reload_drops_no_stream(self):
        target = self.target(targets.echo)
        a = self.agent(self.url("websockss:kcp", self.gateway(True)))
        s, rep = self.socks5(a, "127.0.0.1", target.port)
        self.assertEqual(rep, OK)
        for i in range(3):
            self.rewrite(a, lambda c: (c["agent"].update(self.USERS),
                                       c["proxy"]["groups"][0].update(domains=["127.0.0.1"])))
            fog.wait_until(lambda i=i: a.log().count("reload: done") == i + 1, "it has read it")
        s.sendall(b"still here")
        self.assertEqual(targets.read_exactly(s, 10), b"still here")
        self.assertIsNone(self.socks5(a, "127.0.0.1", target.port)[1])
        login = ("joe", "sesame")
        self.assertEqual(self.socks5(a, "127.0.0.1", target.port, login=login)[1], OK)
        self.assertEqual(self.socks5(a, "127.0.0.9", target.port, login=login)[1], REFUSED)
        self.assertEqual(a.counters()["agent.direct"], 1)
        self.rewrite(a, lambda c: c["agent"]["socks5"].update(listen=fog.free_port()))
        a.wait_log("listeners stay until the next start")
        self.rewrite(a, lambda c: c["agent"].update(pool="many"))
        a.wait_log("agent.pool")
        self.assertEqual(self.socks5(a, "127.0.0.1", target.port, login=login)[1], OK)

    def test_a_reload_changes_servers_and_groups_and_drops_no_stream(self):
        target = self.target(targets.echo)
        one, two = self.gateway(), self.gateway(True)

        def through(g):
            return len([x for x in a.log().splitlines() if f":{g.port}: connected" in x])

        def leaving():
            return [name for name in a.counters() if name.endswith(".leaving")]

        for kind in ("websocks", "websocks:kcp"):
            with self.subTest(kind=kind):
                a = self.agent(self.url(kind, one))
                s, rep = self.socks5(a, "127.0.0.1", target.port)
                self.assertEqual(rep, OK)
                for i, group in enumerate((
                        {"servers": [self.url("websockss:kcp", two)]},
                        {"name": "other", "domains": ["127.0.0.1"],
                         "servers": [self.url("websockss", two), self.url("websockss:kcp", two)]},
                )):
                    self.rewrite(a, lambda c, g=group: c["proxy"]["groups"][0].update(g))
                    fog.wait_until(lambda n=i: a.log().count("reload: done") == n + 1, "is read")
                    before = through(two)
                    for _ in range(3):
                        more, rep = self.socks5(a, "127.0.0.1", target.port)
                        self.assertEqual(rep, OK)
                        more.close()
                    self.assertEqual((through(one), through(two)), (1, before + 3))
                    s.sendall(b"still here")
                    self.assertEqual(targets.read_exactly(s, 10), b"still here")
                self.assertTrue(any(str(one.port) in x for x in leaving()), leaving())
                s.close()
                fog.wait_until(lambda: not leaving(), "what has left is gone")
                self.assertIsNone(a.stop())

    def test_a_reload_without_tls_makes_nobody_trusted(self):
        target, heard = self.target(targets.echo), threading.Event()

        def mute(s):
            if s.recv(1):
                heard.set()  # it is no check
            targets.read_end(s)

        # The request is asked of one that says nothing, then of one that is not to be trusted; in
        # between, its group has left, and the one that came needs no certificates.
        groups = [{"name": "DEFAULT", "domains": ["127.0.0.1"], "servers": [
            self.url("websockss", self.target(mute)), self.url("websockss", self.gateway(True))]}]
        a = self.agent(pool=0, cert={"verify": True}, groups=groups)
        other = {"name": "other", "servers": [self.url("websocks", self.gateway())]}
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(agents.socks5, a.socks, "127.0.0.1", target.port)
            self.assertTrue(heard.wait(10))
            self.rewrite(a, lambda c: c["proxy"]["groups"][0].update(other))
            a.wait_log("reload: done")
            s, rep = asked.result()
            self.keep(s)
        self.assertEqual(rep, GENERAL)
        a.wait_log("its certificate is not trusted")

    def test_users_that_stay_while_one_logs_in(self):
        target = self.target(targets.echo)
        a = self.agent(self.url("websocks", self.gateway()), **self.USERS)
        with fog.connect(a.socks) as s:
            s.sendall(b"\x05\x01\x02")
            self.assertEqual(targets.read_exactly(s, 2), b"\x05\x02")
            for i in range(2):
                self.rewrite(a, lambda c: c["agent"].update(pool=2))
                fog.wait_until(lambda n=i: a.log().count("reload: done") == n + 1, "it has read it")
            s.sendall(b"\x01\x03joe\x06sesame")
            self.assertEqual(targets.read_exactly(s, 2), b"\x01\x00")
            s.sendall(agents.websocks.socks_request("127.0.0.1", target.port))
            self.assertEqual(targets.read_exactly(s, 2), b"\x05\x00")

    def test_users_that_a_reload_takes_away_while_one_logs_in(self):
        target = self.target(targets.echo)
        a = self.agent(self.url("websocks", self.gateway()), **self.USERS)
        with fog.connect(a.socks) as s:
            s.sendall(b"\x05\x01\x02")
            self.assertEqual(targets.read_exactly(s, 2), b"\x05\x02")
            self.rewrite(a, lambda c: c["agent"].update(users=["new:user"]))
            a.wait_log("reload: done")
            self.rewrite(a, lambda c: c["agent"].update(users=["more:user"]))
            fog.wait_until(lambda: a.log().count("reload: done") == 2, "it has read it twice")
            with self.assertRaises(ConnectionError):
                s.sendall(b"\x01\x03joe\x06sesame")
                targets.read_exactly(s, 2)
        self.assertEqual(self.socks5(a, "127.0.0.1", target.port, login=("more", "user"))[1], OK)

    def test_drain(self):
        target = self.target(targets.echo)
        gates = {tls: self.gateway(tls) for tls in (False, True)}
        for kind in agents.KINDS:
            with self.subTest(kind=kind):
                a = self.agent(self.url(kind, gates["websockss" in kind]))
                s, rep = self.socks5(a, "127.0.0.1", target.port)
                self.assertEqual(rep, OK)
                fresh = self.keep(fog.connect(a.socks))
                fog.wait_until(lambda a=a: a.counters()["agent.fresh"] == 1, "it is there")
                a.signal(signal.SIGTERM)
                a.wait_log("draining")
                self.assertEqual(targets.read_end(fresh)[0], b"")
                with self.assertRaises(ConnectionRefusedError):
                    fog.connect(a.socks)
                s.sendall(b"hello")
                self.assertEqual(targets.read_exactly(s, 5), b"hello")
                s.close()
                self.assertEqual(a.wait(), 0)

    def test_a_gateway_takes_another_certificate(self):
        target = self.target(targets.echo)
        g = self.gateway(True)
        ca = {"cacerts": {"path": self.tls_file("ca.pem")}, "cert": {"verify": True}}
        streams, all_of_them = [], []
        for kind in ("websockss", "websockss:kcp"):
            a = self.agent(self.url(kind, g, "localhost"), **ca)
            streams.append(self.socks5(a, "127.0.0.1", target.port)[0])
            all_of_them.append(a)
        for name in ("pem", "key"):
            shutil.copy(os.path.join(agents.websocks.DATA, "second." + name),
                        self.tls_file("server." + name))
        g.signal(signal.SIGHUP)
        g.wait_log("reload: done")
        for s in streams:
            s.sendall(b"still here")
            self.assertEqual(targets.read_exactly(s, 10), b"still here")
        for a in all_of_them:  # more than the pool had: some see the new one
            for _ in range(2 * agents.POOL):
                self.assertEqual(self.socks5(a, "127.0.0.1", target.port)[1], OK)
            self.assertEqual(a.counters()["agent.lines_failed"], 0)
        s = self.keep(agents.websocks.tls(fog.connect(g.port), name="second.example"))
        self.assertIn(("DNS", "second.example"), s.getpeercert()["subjectAltName"])

    def test_a_gateway_that_drains_is_left(self):
        target = self.target(targets.echo)
        for kind in ("websocks", "websocks:kcp"):
            with self.subTest(kind=kind):
                one, two = self.gateway(), self.gateway()
                a = self.agent(self.url(kind, one), self.url(kind, two))
                held = [self.socks5(a, "127.0.0.1", target.port)[0] for _ in range(6)]
                one.signal(signal.SIGTERM)
                one.wait_log("draining: [1-9]")
                for i in range(20):
                    begin = time.monotonic()
                    self.assertEqual(self.socks5(a, "127.0.0.1", target.port)[1], OK, i)
                    self.assertLess(time.monotonic() - begin, 4, i)
                for s in held:  # on either gateway
                    s.sendall(b"hello")
                    self.assertEqual(targets.read_exactly(s, 5), b"hello")
                    s.close()
                self.assertEqual(one.wait(), 0)
                self.assertEqual(self.socks5(a, "127.0.0.1", target.port)[1], OK)

    def test_an_end_with_everything_open(self):
        target = self.target(targets.echo)
        a = self.agent(*[self.url(kind, self.gateway(tls)) for tls in (False, True)
                         for kind in agents.KINDS if ("websockss" in kind) == tls])
        held = [self.socks5(a, "127.0.0.1", target.port)[0] for _ in range(12)]
        held += [self.keep(fog.connect(port)) for port in (a.socks, a.http, a.mixed, a.pac)]
        a.signal(signal.SIGTERM)
        a.wait_log("draining")
        a.signal(signal.SIGTERM)
        self.assertEqual(a.wait(), 0)


if __name__ == "__main__":
    fog.main()

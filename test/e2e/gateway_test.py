# SPDX-License-Identifier: MIT
"""The gateway as agents and visitors see it."""
import contextlib
import json
import os
import queue
import shutil
import signal
import socket
import ssl
import time
import warnings

import fog
import targets
import websocks

USERS = [("alice", "pasSw0rD"), ("bob", "pAssW0Rd")]
OK, DENIED, HOST_UNREACHABLE, REFUSED = 0, 2, 4, 5


class GatewayTest(fog.Test):
    def gateway(self, tls=False, allow=("127.0.0.1/32", "::1/128"), log="debug", nofile=None,
                **more):
        port = fog.free_port()
        conf = {
            "listen": f"127.0.0.1:{port}",
            "auth": [f"{u}:{p}" for u, p in USERS],
            "allow": list(allow),
            "log": log,
        }
        if tls:
            for name in ("server.pem", "server.key"):
                if not os.path.exists(os.path.join(self.dir, name)):
                    shutil.copy(os.path.join(websocks.DATA, name), self.dir)
            conf.update(ssl=True, certpem=os.path.join(self.dir, "server.pem"),
                        keypem=os.path.join(self.dir, "server.key"))
        else:
            conf["insecure"] = True
        conf.update(more)
        path = self.file("gateway.json", json.dumps(conf))
        return self._listening(self.start("gateway", "-c", path, name="gateway", nofile=nofile), port, "tcp")

    def socket(self, g, tls=False, **how):
        s = self.connect(g)
        return self.keep(websocks.tls(s, **how)) if tls else s

    def agent(self, g, tls=False, **how):
        return websocks.Agent(self.socket(g, tls), **how)

    def site(self, **files):
        root = os.path.join(self.dir, "site")
        os.makedirs(os.path.join(root, "folder"), exist_ok=True)
        for name, text in (("index.html", "<p>home</p>"), ("folder/index.html", "<p>in</p>"),
                           ("big.bin", "x" * 3000000)):
            with open(os.path.join(root, name), "w") as f:
                f.write(text)
        return root

    def visit(self, g, request, tls=False):
        """Everything that comes back for some bytes, and how it ends."""
        s = self.socket(g, tls)
        s.sendall(request)
        return targets.read_end(s)

    # -- agents

    def test_a_page_over_tcp_and_tls(self):
        target = self.target(targets.source(1, 200000))
        for tls in (False, True):
            g = self.gateway(tls)
            for foggara in (False, True):
                for strict in (False, True):
                    with self.subTest(tls=tls, foggara=foggara, strict=strict):
                        a = self.agent(g, tls, foggara=foggara)
                        self.assertEqual(a.status, 101)
                        self.assertEqual(b"foggara" in a.head, foggara)
                        self.assertEqual(a.ask("127.0.0.1", target.port, strict=strict), OK)
                        if not foggara:
                            a.s.sendall(b"x")  # a vproxy agent speaks first
                        data = targets.read_exactly(a.s, 200000)
                        self.assertEqual(data, targets.content(1, 200000))
                        a.s.close()

    def test_echo_both_ways_and_half_close(self):
        g, target = self.gateway(), self.target(targets.digest_after_end)
        data = targets.content(7, 3 << 20)
        for foggara in (False, True):
            a = self.agent(g, foggara=foggara)
            self.assertEqual(a.ask("localhost", target.port), OK)
            a.s.sendall(data)
            a.s.shutdown(socket.SHUT_WR)
            got, end = targets.read_end(a.s)
            self.assertIn(targets.digest(data).encode(), got)
            self.assertEqual(end, "EOF")

    def test_every_user_and_three_minutes(self):
        g = self.gateway()
        if time.time() % 60 > 55:
            time.sleep(6)  # both sides must mean the same minute
        for user, password in USERS:
            for minutes in (-1, 0, 1):
                s = self.socket(g)
                s.sendall(websocks.upgrade(websocks.authorization(user, password, minutes)))
                self.assertTrue(websocks.read_head(s).startswith(b"HTTP/1.1 101 "), minutes)
        for minutes in (-3, -2, 3):
            s = self.socket(g)
            s.sendall(websocks.upgrade(websocks.authorization(*USERS[0], minutes)))
            self.assertTrue(websocks.read_head(s).startswith(b"HTTP/1.1 404 "), minutes)

    def test_a_pooled_stream_hears_nothing(self):
        g, target = self.gateway(True), self.target(targets.echo)
        a = self.agent(g, True)
        for _ in range(20):
            a.s.sendall(websocks.PONG)
        a.s.settimeout(1)
        with self.assertRaises(socket.timeout):
            a.s.recv(1)
        a.s.settimeout(fog.PATIENCE)
        self.assertEqual(a.ask("127.0.0.1", target.port), OK)
        a.s.sendall(b"hello")
        self.assertEqual(targets.read_exactly(a.s, 5), b"hello")

    def test_a_vproxy_agent_hears_nothing_before_it_spoke(self):
        g = self.gateway()
        target = self.target(lambda s: (s.sendall(b"220 banner\r\n"), targets.echo(s)))
        a = self.agent(g)
        self.assertEqual(a.ask("127.0.0.1", target.port), OK)
        a.s.settimeout(1)
        with self.assertRaises(socket.timeout):
            a.s.recv(1)
        a.s.settimeout(fog.PATIENCE)
        a.s.sendall(b"EHLO")
        self.assertEqual(targets.read_exactly(a.s, 16), b"220 banner\r\nEHLO")

    def test_our_agent_hears_the_banner_at_once(self):
        g = self.gateway()
        target = self.target(lambda s: (s.sendall(b"220 banner\r\n"), targets.echo(s)))
        a = self.agent(g, foggara=True)
        self.assertEqual(a.ask("127.0.0.1", target.port, early=b"EHLO"), OK)
        self.assertEqual(targets.read_exactly(a.s, 16), b"220 banner\r\nEHLO")

    def test_failures_are_told_to_ours_and_end_behind_the_first_byte_for_vproxy(self):
        g, port = self.gateway(), fog.free_port()
        rows = [
            ("127.0.0.1", port, REFUSED),
            ("no-such-host.invalid", port, HOST_UNREACHABLE),
            ("127.0.0.2", port, DENIED),
            ("10.0.0.1", port, DENIED),
            ("169.254.169.254", 80, DENIED),
            ("127.0.0.1", g.port, DENIED),
            ("127.0.0.1", 25, DENIED),
        ]
        for host, p, rep in rows:
            with self.subTest(host=host, port=p):
                a = self.agent(g, foggara=True)
                self.assertEqual(a.ask(host, p), rep)
                self.assertEqual(targets.read_end(a.s), (b"", "EOF"))
                a = self.agent(g)
                self.assertEqual(a.ask(host, p), OK)
                a.s.settimeout(0.7)
                with self.assertRaises(socket.timeout):
                    a.s.recv(1)
                a.s.settimeout(fog.PATIENCE)
                a.s.sendall(b"GET")
                self.assertEqual(targets.read_end(a.s), (b"", "EOF"))

    def test_a_reset_of_the_target_is_a_reset(self):
        g, target = self.gateway(), self.target(lambda s: (s.recv(1), targets.reset(s)))
        a = self.agent(g, foggara=True)
        self.assertEqual(a.ask("127.0.0.1", target.port, early=b"x"), OK)
        self.assertEqual(targets.read_end(a.s), (b"", "ECONNRESET"))

    def test_many_at_once(self):
        g, target = self.gateway(True), self.target(targets.echo)
        agents = [self.agent(g, True, foggara=True) for _ in range(200)]
        for a in agents:
            a.s.sendall(websocks.FRAME + b"\x05\x01\x00" +
                        websocks.socks_request("127.0.0.1", target.port) + b"hello")
        for a in agents:
            self.assertEqual(targets.read_exactly(a.s, 27)[-5:], b"hello")
        self.assertEqual(g.counters()["gateway.settled"], 200)
        for a in agents:
            a.s.close()
        fog.wait_until(lambda: g.counters()["gateway.settled"] == 0, "streams are left")

    # -- visitors

    GOLDEN = [
        websocks.upgrade("Basic " + "A" * 60),
        websocks.upgrade(websocks.authorization("alice", "wrong")),
        websocks.upgrade(websocks.authorization("mallory", "pasSw0rD")),
        websocks.upgrade(websocks.authorization("alice", "pasSw0rD", -5)),
        websocks.upgrade("Bearer x"),
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic QUJD\r\n\r\n",
    ]

    def _answer(self, g, request, tls=False):
        """An answer without its Date."""
        s = self.socket(g, tls)
        s.sendall(request)
        head = websocks.read_head(s)
        fields = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"date:")]
        length = [line for line in fields if line.lower().startswith(b"content-length:")]
        body = targets.read_exactly(s, int(length[0].split(b":")[1])) if length else b""
        s.close()
        return fields, body

    def test_all_who_are_nobody_get_the_same(self):
        for root in (None, self.site()):
            for tls in (False, True):
                g = self.gateway(tls, **({"webroot": root} if root else {}))
                answers = [self._answer(g, r, tls) for r in self.GOLDEN]
                for request, answer in zip(self.GOLDEN, answers):
                    self.assertEqual(answer, answers[0], request)
                text = b"\r\n".join(answers[0][0]) + answers[0][1]
                for word in (b"foggara", b"vproxy", b"WWW-Authenticate", b"socks"):
                    self.assertNotIn(word.lower(), text.lower())

    def test_no_path_differs_without_a_site(self):
        g = self.gateway()
        paths = ["/", "/index.html", "/x", "/tools/resolve?domain=a.b", "/..%2f", "/" + "a" * 3000]
        first = self._answer(g, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(first[0][0].split()[1], b"404")
        for path in paths:
            request = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
            self.assertEqual(self._answer(g, request), first, path)
            value = websocks.authorization("alice", "wrong")
            self.assertEqual(self._answer(g, websocks.upgrade(value, path)), first, path)

    def test_a_site(self):
        g = self.gateway(webroot=self.site())
        os.symlink("/etc/passwd", os.path.join(self.dir, "site", "link"))
        get = "GET {} HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n"
        rows = [
            ("/", 200, b"<p>home</p>"),
            ("/index.html?x=1", 200, b"<p>home</p>"),
            ("/folder/", 200, b"<p>in</p>"),
            ("/folder", 301, None),
            ("/none", 404, None),
            ("/link", 404, None),
            ("/../../etc/passwd", 404, None),
            ("/%2e%2e/%2e%2e/etc/passwd", 404, None),
            ("/big.bin", 200, b"x" * 3000000),
        ]
        for path, status, body in rows:
            data, end = self.visit(g, get.format(path).encode())
            head, _, rest = data.partition(b"\r\n\r\n")
            self.assertEqual((int(head.split()[1]), end), (status, "EOF"), path)
            if body is not None:
                self.assertEqual(rest, body, path)
            if status == 301:
                self.assertIn(b"ocation: http://site.example/folder/\r\n", head)
        s = self.socket(g)  # several requests on one connection
        for _ in range(3):
            s.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertIn(b" 200 ", websocks.read_head(s))

    def test_an_agent_may_come_behind_a_refusal(self):
        g = self.gateway()
        s = self.socket(g)
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head = websocks.read_head(s)
        length = int(head.lower().split(b"content-length:")[1].split()[0])
        targets.read_exactly(s, length)
        self.assertEqual(websocks.Agent(s).status, 101)

    def test_what_is_no_request_gets_an_answer_and_never_a_reset(self):
        g = self.gateway()
        for junk, status in [
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500, 400),
            (b"GET / HTTP/1.1\nHost: a\n\n" + b"y" * 70000, 400),
            (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n" + b"".join(b"A%d: b\r\n" % i for i in range(101)) + b"\r\n", 431),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"z" * 40000 + b"\r\n\r\n", 431),
            (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" + b"z" * 50000, 404),
        ]:
            data, end = self.visit(g, junk)
            self.assertEqual((int(data.split()[1]), end), (status, "EOF"), junk[:40])

    def test_no_tls_where_tls_is_spoken(self):
        g = self.gateway(True)
        data, end = self.visit(g, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + b"x" * 50000)
        self.assertEqual((data[:13], end), (b"HTTP/1.1 400 ", "EOF"))
        data, end = self.visit(g, b"SSH-2.0-x\r\n" + b"x" * 50000)
        self.assertEqual((data, end), (b"", "EOF"))
        s = self.connect(g)
        with self.assertRaises(ssl.SSLError):
            websocks.tls(s, alpn=("h2",))
        g2 = self.gateway(True, domain="gateway.example")
        self.socket(g2, True)
        s = self.connect(g2)
        with self.assertRaises(ssl.SSLError):
            websocks.tls(s, name="localhost")
        self.assertEqual(self.agent(g2, True).status, 101)

    def test_versions_of_tls(self):
        g = self.gateway(True)
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            s = self.socket(g, True, most=version)
            self.assertEqual((s.version(), s.selected_alpn_protocol()), (name, "http/1.1"))
            self.assertEqual(websocks.Agent(s).status, 101)
        self.assertEqual(self.socket(g, True, alpn=None).selected_alpn_protocol(), None)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        s = self.connect(g)
        with self.assertRaises(ssl.SSLError):
            old.wrap_socket(s)

    def test_tls_that_is_cut_off_is_a_reset_for_the_target(self):
        ends = queue.Queue()
        target = self.target(lambda s: ends.put(targets.read_end(s)))
        g = self.gateway(True)
        for orderly in (True, False):
            raw = self.connect(g)
            a = websocks.Agent(self.keep(websocks.tls(raw)), foggara=True)
            self.assertEqual(a.ask("127.0.0.1", target.port, early=b"hello"), OK)
            fog.wait_until(lambda: g.counters()["gateway.streams"] > ends.qsize(), "connected")
            if orderly:
                with contextlib.suppress(OSError):
                    a.s.unwrap()
            else:
                os.close(a.s.detach())  # an end of TCP without that of TLS
            self.assertEqual(ends.get(timeout=fog.PATIENCE),
                             (b"hello", "EOF" if orderly else "ECONNRESET"))

    def test_a_vproxy_agent_ends_tls_by_an_end_of_tcp_alone(self):
        ends = queue.Queue()

        def answer_after_end(s):
            ends.put(targets.read_end(s))
            s.sendall(b"answer")

        target = self.target(answer_after_end)
        g = self.gateway(True)
        raw = self.connect(g)
        below = socket.socket(fileno=os.dup(raw.fileno()))
        a = websocks.Agent(self.keep(websocks.tls(raw)))
        self.assertEqual(a.ask("127.0.0.1", target.port), OK)
        a.s.sendall(b"hello")
        below.shutdown(socket.SHUT_WR)
        below.close()
        self.assertEqual(ends.get(timeout=fog.PATIENCE), (b"hello", "EOF"))
        self.assertEqual(targets.read_exactly(a.s, 6), b"answer")

    def test_long_and_slow_handshakes_of_tls(self):
        g = self.gateway(True)
        for begun in (b"", b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"\x00" * 200000):
            s = self.connect(g)
            begin = time.monotonic()
            with contextlib.suppress(OSError):
                s.sendall(begun)
            self.assertIn(targets.read_end(s)[1], ("EOF", "ECONNRESET"))
            self.assertLess(time.monotonic() - begin, 12)
        self.assertEqual(self.agent(g, True).status, 101)

    def test_without_descriptors_it_waits_and_goes_on(self):
        target = self.target(targets.echo)
        g = self.gateway(nofile=90)
        first = [self.agent(g, foggara=True) for _ in range(20)]
        for a in first:
            self.assertEqual(a.ask("127.0.0.1", target.port), OK)
        more = [self.connect(g) for _ in range(100)]
        hello = websocks.upgrade(websocks.authorization("alice", "pasSw0rD"), foggara=True)
        for s in more:
            s.sendall(hello)
        fog.wait_until(lambda: g.counters()["limit_fds_hit"] > 0, "it has run out")
        for a in first:
            a.s.sendall(b"hello")
            self.assertEqual(targets.read_exactly(a.s, 5), b"hello")
            a.s.close()
        for s in more:  # each that ends lets another in
            self.assertTrue(websocks.read_head(s).startswith(b"HTTP/1.1 101 "))
            s.close()
        a = self.agent(g, foggara=True)
        self.assertEqual(a.ask("127.0.0.1", target.port), OK)

    def test_a_wrong_password_waits_no_longer_than_a_wrong_path(self):
        """Fifty from one source at once, then twenty a second, whatever they ask for."""
        g = self.gateway(webroot=self.site())
        right = websocks.upgrade(websocks.authorization("alice", "pasSw0rD"))
        strangers = [
            websocks.upgrade(websocks.authorization("alice", "wrong")),
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
            b"what is no request at all\r\n\r\n",
        ]

        def ask(request, source):
            with fog.connect(g.port, source=source) as s:
                begin = time.monotonic()
                s.sendall(request)
                status = websocks.read_head(s).split()[1]
                return status, time.monotonic() - begin

        delayed = 0
        for i, request in enumerate(strangers):
            source = f"127.3.0.{i + 1}"
            begin = time.monotonic()
            for _ in range(70):
                status, _ = ask(request, source)
                self.assertNotEqual(status, b"101")
            self.assertGreater(time.monotonic() - begin, 0.8, request)  # twenty of them waited
            before, delayed = delayed, g.counters()["gateway.delayed"]
            self.assertGreater(delayed, before, request)
            self.assertEqual(ask(right, source)[0], b"101")
            self.assertLess(ask(right, source)[1], 0.5, "a right one waits for nobody")
            self.assertLess(ask(request, f"127.3.1.{i + 1}")[1], 0.5, "others do not wait")
        self.assertNotIn("wrong", g.log().replace("wrong user or password", ""))

    def test_it_answers_like_other_web_servers(self):
        """What nginx, Apache and lighttpd agree in is answered so here as well."""
        site, bare = self.gateway(webroot=self.site()), self.gateway()
        host, keep, close = b"Host: a.example\r\n", b"keep-alive", b"close"
        rows = [
            # first line and fields                                        site bare  and then
            (b"GET http://a.example/index.html HTTP/1.1\r\n" + host,       200, 404, keep),
            (b"GET http://a.example HTTP/1.1\r\n" + host,                  200, 404, keep),
            (b"GET HTTP://a.example/index.html HTTP/1.1\r\n" + host,       200, 404, keep),
            (b"GET /index.html HTTP/1.0\r\n",                             200, 404, close),
            (b"GET /index.html HTTP/1.0\r\nConnection: keep-alive\r\n",   200, 404, keep),
            (b"GET /index.html HTTP/1.1\r\nContent-Length: 0\r\n" + host, 200, 404, keep),
            (b"POST /index.html HTTP/1.1\r\n" + host,                     405, 404, keep),
            (b"POST /none HTTP/1.1\r\n" + host,                           404, 404, keep),
            (b"OPTIONS / HTTP/1.1\r\n" + host,                            405, 404, keep),
            (b"OPTIONS * HTTP/1.1\r\n" + host,                            400, 400, close),
            (b"GET * HTTP/1.1\r\n" + host,                                400, 400, close),
            (b"CONNECT a.example:443 HTTP/1.1\r\n" + host,                400, 400, close),
            (b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n" + host,     413, 413, close),
            (b"GET /index.html HTTP/1.1\r\nHost:\r\n",                    400, 400, close),
            (b"GET /index.html HTTP/1.1\r\nHost: a..b\r\n",               400, 400, close),
            (b"GET /index.html HTTP/1.1\r\nHost: a:port\r\n",             400, 400, close),
            (b"GET /index.html HTTP/1.1\r\nRange: bytes=0-1\r\n" + host,  206, 404, keep),
            (b"GET /index.html HTTP/1.1\r\nRange: bytes=0-1\r\nIf-Range: \"x\"\r\n" + host,
             200, 404, keep),
        ]
        for request, *status, then in rows:
            for g, want in zip((site, bare), status):
                with self.subTest(request=request, want=want):
                    s = self.socket(g)
                    s.sendall(request + b"\r\n")
                    head = websocks.read_head(s)
                    self.assertEqual(int(head.split()[1]), want)
                    self.assertIn(b"\r\nConnection: " + then + b"\r\n", head)
                    s.close()

    def test_slow_ones_are_ended(self):
        g = self.gateway()
        for begun in (b"", b"GET / HT"):
            s = self.connect(g)
            s.sendall(begun)
            begin = time.monotonic()
            self.assertEqual(targets.read_end(s), (b"", "EOF"))
            self.assertGreater(time.monotonic() - begin, 9)
            self.assertLess(time.monotonic() - begin, 12)

    def test_so_many_are_heard_at_once_and_the_next_waits(self):
        g = self.gateway(nofile=1024)  # a quarter of these are for the door
        slow = [self.connect(g) for _ in range(255)]
        fog.wait_until(lambda: g.counters()["gateway.fresh"] == 255, "all are there")
        a = self.agent(g)  # the last place
        self.assertEqual(a.status, 101)
        slow.append(self.connect(g))
        fog.wait_until(lambda: g.counters()["gateway.fresh"] == 256, "all are there")
        self.assertEqual(g.counters()["gateway.limit_fresh_waited"], 0)
        begin = time.monotonic()
        self.assertEqual(self.agent(g).status, 101)  # one too many: the oldest has to go
        self.assertLess(time.monotonic() - begin, 3)
        self.assertEqual(g.counters()["gateway.limit_fresh_waited"], 1)
        self.assertEqual(g.counters()["gateway.limit_fresh_hit"], 1)
        self.assertEqual(targets.read_end(slow[0]), (b"", "ECONNRESET"))

    def test_thousands_who_dawdle_do_not_keep_one_out(self):
        """They come again as soon as they are ended; one who has something to say gets in."""
        for tls in (False, True):
            g = self.gateway(tls, nofile=1024)
            slow = fog.Dawdlers(g.port, 1500, b"\x16\x03\x01" if tls else b"GET / HTTP/1.1\r\n")
            self.keep(slow)
            fog.wait_until(lambda g=g: g.counters()["gateway.limit_fresh_hit"] > 500, "it is full")
            for _ in range(4):
                begin = time.monotonic()
                self.assertEqual(self.agent(g, tls).status, 101)
                self.assertLess(time.monotonic() - begin, 5)
            slow.close()
            fog.wait_until(lambda g=g: g.counters()["gateway.fresh"] == 0, "they are gone")

    def test_a_burst_of_agents_is_only_delayed(self):
        g = self.gateway()
        sockets = [self.connect(g) for _ in range(500)]
        hello = websocks.upgrade(websocks.authorization("alice", "pasSw0rD"), foggara=True)
        for s in sockets:
            s.sendall(hello)
        for s in sockets:
            self.assertTrue(websocks.read_head(s).startswith(b"HTTP/1.1 101 "))
        self.assertEqual(g.counters()["gateway.limit_fresh_hit"], 0)

    # -- its life

    def test_a_body_is_dropped_and_the_connection_stays(self):
        g = self.gateway(webroot=self.site())
        post = b"POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
        behind = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        for length in (0, 1, 70000, 1 << 20):
            s = self.socket(g)
            s.sendall(post % length)
            self.assertIn(b" 404 ", websocks.read_head(s))
            targets.read_exactly(s, 101)
            s.sendall(b"GET /"[:length] + b"x" * (length - 5) + behind)  # only looks like one
            data, end = targets.read_end(s)
            self.assertEqual((data[:13], data[-11:], end), (b"HTTP/1.1 200 ", b"<p>home</p>", "EOF"))
        for request in (post % ((1 << 20) + 1),
                        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"):
            data, end = self.visit(g, request)
            self.assertEqual((data.count(b"HTTP/1.1 "), end), (1, "EOF"))
            self.assertIn(b"\r\nConnection: close\r\n", data)

    def test_redirectport(self):
        port = fog.free_port()
        g = self.gateway(True, redirectport=port)
        with fog.connect(port) as s:
            s.sendall(b"GET /a?b=c HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n")
            data, end = targets.read_end(s)
        self.assertEqual((data.split()[1], end), (b"301", "EOF"))
        self.assertIn(f"https://site.example:{g.port}/a?b=c\r\n".encode(), data)

    def test_a_reload_changes_certificate_and_users_and_drops_no_stream(self):
        g, target = self.gateway(True), self.target(targets.echo)
        a = self.agent(g, True, foggara=True)
        self.assertEqual(a.ask("127.0.0.1", target.port), OK)
        for name in ("pem", "key"):
            shutil.copy(os.path.join(websocks.DATA, "second." + name),
                        os.path.join(self.dir, "server." + name))
        path = os.path.join(self.dir, "gateway.json")
        with open(path) as f:
            conf = json.load(f)
        conf["auth"] = ["carol:carols-own-passw0rd"]
        self.file("gateway.json", json.dumps(conf))
        g.signal(signal.SIGHUP)
        g.wait_log("reload: done")
        a.s.sendall(b"still here")
        self.assertEqual(targets.read_exactly(a.s, 10), b"still here")
        s = self.socket(g, True, name="second.example")
        self.assertEqual(websocks.Agent(s).status, 404)
        s = self.socket(g, True, name="second.example")
        self.assertEqual(websocks.Agent(s, "carol", "carols-own-passw0rd").status, 101)
        with open(os.path.join(self.dir, "server.key"), "w") as f:
            f.write("no key\n")
        g.signal(signal.SIGHUP)
        g.wait_log("the old configuration stays")
        s = self.socket(g, True, name="second.example")
        self.assertEqual(websocks.Agent(s, "carol", "carols-own-passw0rd").status, 101)

    def test_drain(self):
        g, target = self.gateway(), self.target(targets.echo)
        pooled, busy = self.agent(g), self.agent(g, foggara=True)
        self.assertEqual(busy.ask("127.0.0.1", target.port), OK)
        g.signal(signal.SIGTERM)
        g.wait_log("draining")
        self.assertEqual(targets.read_end(pooled.s)[0], b"")
        busy.s.sendall(b"hello")
        self.assertEqual(targets.read_exactly(busy.s, 5), b"hello")
        busy.s.close()
        self.assertEqual(g.wait(), 0)

    def test_idle_streams_cost_little(self):
        if fog.sanitized():
            self.skipTest("a sanitizer's memory is not ours")
        g = self.gateway(True)
        self.agent(g, True)
        before = g.rss()
        agents = [self.agent(g, True) for _ in range(500)]
        each = (g.rss() - before) / len(agents)
        print(f"\n{each:.0f} bytes of memory per idle stream over TLS")
        self.assertLess(each, 40000)


if __name__ == "__main__":
    fog.main()

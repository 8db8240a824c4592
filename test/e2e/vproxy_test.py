# SPDX-License-Identifier: MIT
"""Our agent and a server that does what vproxy's does: replies before it connects, takes nothing
glued to the request, and ends TLS with an end of TCP alone."""
import os
import queue
import select
import socket
import ssl

import agents
import fog
import targets
import websocks

OK = 0
ANSWER = targets.content(7, 3000000)


class Plain:
    """A stream without TLS."""

    def __init__(self, raw):
        self.raw, self.recv, self.sendall = raw, raw.recv, raw.sendall

    def waits(self):
        return bool(select.select([self.raw], [], [], 0.3)[0])


class Tls:
    """A stream in TLS, which an end of TCP ends as well as close_notify; `told`: it was that."""

    def __init__(self, raw, context):
        self.raw, self.told = raw, True
        self.come, self.gone = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.come, self.gone, server_side=True)
        self._run(self.tls.do_handshake)

    def _run(self, step, *args):
        while True:
            try:
                return step(*args)
            except ssl.SSLWantReadError:
                pass
            finally:
                self.raw.sendall(self.gone.read())
            part = self.raw.recv(1 << 16)
            if not part:
                self.told = False
                return b""
            self.come.write(part)

    def recv(self, most):
        return self._run(self.tls.read, most)

    def sendall(self, data):
        while data:
            data = data[self._run(self.tls.write, data[:1 << 14]):]

    def waits(self):
        return bool(self.come.pending or self.tls.pending() or
                    select.select([self.raw], [], [], 0.3)[0])


class Server:
    """A handler of connections; `serve` has the stream from its payload on."""

    def __init__(self, serve, tls=False):
        self.serve = serve
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.maximum_version = ssl.TLSVersion.TLSv1_2
            self.tls.load_cert_chain(os.path.join(websocks.DATA, "server.pem"),
                                     os.path.join(websocks.DATA, "server.key"))

    def __call__(self, raw):
        s = Tls(raw, self.tls) if self.tls else Plain(raw)
        head = websocks.read_head(s).decode().lower()
        if "upgrade: websocket" not in head:
            return  # a look whether we are there
        s.sendall(b"HTTP/1.1 101 Switching Protocols\r\nServer: vproxy/1.0.0-BETA-11\r\n"
                  b"Date: Sun Nov 22 11:27:25 UTC 2026\r\nUpgrade: websocket\r\n"
                  b"Connection: Upgrade\r\nSec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                  b"Sec-WebSocket-Protocol: socks5\r\n\r\n")
        targets.read_exactly(s, 10 + 3 + 10)  # to an address of IPv4
        if s.waits():
            s.sendall(b"\x05\x01\x00\x01" + bytes(6))  # glued payload: general failure
            return
        s.sendall(websocks.FRAME)
        s.sendall(b"\x05\x00")
        s.sendall(b"\x05\x00\x00\x01" + bytes(6))
        self.serve(s)


class VproxyTest(agents.Test):
    def through(self, serve, tls, early=b""):
        """A stream of the agent's SOCKS port to `serve`, through a server of vproxy's kind."""
        server = self.target(Server(serve, tls))
        a = self.agent(self.url("websockss" if tls else "websocks", server.port), pool=0)
        s, rep = self.socks5(a, "127.0.0.1", 7, early=early)
        self.assertEqual(rep, OK)
        return s

    def test_nothing_is_glued_to_the_request(self):
        for tls in (False, True):
            s = self.through(targets.echo, tls, early=b"hello")
            self.assertEqual(targets.read_exactly(s, 5), b"hello")

    def test_tls_ends_without_a_word_both_ways(self):
        ends = queue.Queue()

        def serve(s):
            targets.read_exactly(s, 5)
            ends.put((s.recv(1), s.told))
            s.sendall(ANSWER)

        s = self.through(serve, True)
        s.sendall(b"hello")
        s.shutdown(socket.SHUT_WR)
        self.assertEqual(targets.read_end(s), (ANSWER, "EOF"))
        self.assertEqual(ends.get(timeout=fog.PATIENCE), (b"", False))


if __name__ == "__main__":
    fog.main()

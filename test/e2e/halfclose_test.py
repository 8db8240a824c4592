# SPDX-License-Identifier: MIT
"""How connections end: twenty ways, each looked at from both ends, which makes forty cells.

Each row of the table ends one connection; `first` is the socket that closes first, `second` the
other one. Once they are the local side of the client and the target side of the server, and once
the reverse. A row says what both sockets see: the bytes, exactly one end, the error. Afterwards
both processes have given back the connection's descriptors and streams.
"""
import errno
import signal
import socket
import subprocess
import time

import fog
import relay
import targets

MIB = 1 << 20
GONE = ("ECONNRESET", "EPIPE")  # both mean: the other end has let go; which, is a matter of moments


class Ends:
    """Both ends of one connection through the tunnel, and the checks on what they see."""

    def __init__(self, test, first, second):
        self.test, self.first, self.second = test, first, second

    def sees(self, s, data, end):
        """Everything s can read is `data`, and then comes `end`, once."""
        got, how = targets.read_end(s)
        self.test.assertEqual(len(got), len(data), f"bytes before {how}")
        self.test.assertEqual(got, data)
        self.test.assertEqual(how, end)
        if end == "EOF":
            self.test.assertEqual(s.recv(1), b"", "an end, and then something else")
            self.test.assertEqual(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)

    def is_reset(self, s, prefix_of=b""):
        """s loses the connection by a reset; what it read before is a prefix of what was sent."""
        got, how = targets.read_end(s)
        self.test.assertEqual(how, "ECONNRESET")
        self.test.assertEqual(got, prefix_of[: len(got)])

    def cannot_write(self, s):
        """Who goes on writing to s learns that nobody reads any more."""
        self.test.assertIn(targets.write_until_error(s, fog.PATIENCE), GONE)

    def greet(self):
        """Some bytes each way, so that the connection stands and nothing is under way."""
        for a, b in ((self.first, self.second), (self.second, self.first)):
            a.sendall(b"hello")
            self.test.assertEqual(targets.read_exactly(b, 5), b"hello")


# ------------------------------------------------------------------------------------ the ten rows


def empty_fin(e):
    e.first.shutdown(socket.SHUT_WR)
    e.sees(e.second, b"", "EOF")
    e.second.sendall(b"answer")
    e.second.shutdown(socket.SHUT_WR)
    e.sees(e.first, b"answer", "EOF")


def push_fin(e):
    e.first.sendall(b"q" * 100)
    e.first.shutdown(socket.SHUT_WR)
    e.sees(e.second, b"q" * 100, "EOF")
    e.second.shutdown(socket.SHUT_WR)
    e.sees(e.first, b"", "EOF")


def fin_then_a_mebibyte_back(e):
    answer = targets.content(1, MIB)
    e.first.sendall(b"question")
    e.first.shutdown(socket.SHUT_WR)
    e.sees(e.second, b"question", "EOF")
    sender = targets.Sender(e.second, answer)
    e.sees(e.first, answer, "EOF")
    sender.join()


def fin_from_both_at_once(e):
    for s in (e.first, e.second):
        s.sendall(b"b" * 100)
    for s in (e.first, e.second):
        s.shutdown(socket.SHUT_WR)
    for s in (e.second, e.first):
        e.sees(s, b"b" * 100, "EOF")


def rst(e):
    e.greet()
    targets.reset(e.first)
    e.sees(e.second, b"", "ECONNRESET")


def rst_after_fin(e):
    e.greet()
    e.first.sendall(b"last words")
    e.first.shutdown(socket.SHUT_WR)
    e.sees(e.second, b"last words", "EOF")
    targets.reset(e.first)
    e.cannot_write(e.second)


def fin_after_rst(e):
    e.greet()
    targets.reset(e.first)
    try:
        e.second.shutdown(socket.SHUT_WR)  # crosses the reset, or comes after it
    except OSError as error:
        e.test.assertEqual(error.errno, errno.ENOTCONN, "only ENOTCONN: the reset was here before")
    # A socket that has sent its end before the reset came tells so; none reads an orderly end.
    e.sees(e.second, b"", "ECONNRESET")


def close_with_unread_data(e):
    e.greet()
    e.second.sendall(b"u" * 100)
    targets.wait_readable(e.first, 100)
    e.first.close()  # the system makes this a reset
    e.sees(e.second, b"", "ECONNRESET")


def linger_0_behind_data(e):
    e.greet()
    e.first.sendall(b"d" * 1000)
    targets.reset(e.first)
    e.is_reset(e.second, prefix_of=b"d" * 1000)


def process_exit(e):
    """A process that holds the socket is killed: the system closes it in order."""
    e.greet()
    e.first.sendall(b"bye")
    holder = subprocess.Popen(
        ["sleep", "60"], pass_fds=[e.first.fileno()], stdin=subprocess.DEVNULL
    )
    e.first.close()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    e.sees(e.second, b"bye", "EOF")
    e.cannot_write(e.second)


ROWS = (
    empty_fin,
    push_fin,
    fin_then_a_mebibyte_back,
    fin_from_both_at_once,
    rst,
    rst_after_fin,
    fin_after_rst,
    close_with_unread_data,
    linger_0_behind_data,
    process_exit,
)


class HalfCloseTable(fog.Test):
    def table(self, via, loss=0.0):
        target = self.target(targets.Hand())
        server = self.server(target.port, via=via)
        remote = server.port
        if loss:
            remote = self.keep(relay.Relay(server.port, loss=loss, delay=0.01)).port
        client = self.client(remote, via=via)
        self.one(client, target, empty_fin, "local")  # the tunnel stands, all is loaded
        time.sleep(0.3)
        baseline = {p: p.fds() for p in (server, client)}
        for row in ROWS:
            for first in ("local", "target"):
                with self.subTest(row=row.__name__, first=first, via=via):
                    self.one(client, target, row, first)
                    for p, fds in baseline.items():
                        self.assert_fds(p, fds)
        self.assert_no_streams(server, client)

    def one(self, client, target, row, first):
        local = self.connect(client)
        far = target.handler.take()
        far.settimeout(fog.PATIENCE)
        order = (local, far) if first == "local" else (far, local)
        try:
            row(Ends(self, *order))
        finally:
            local.close()
            far.close()

    def test_forty_cells_kcp(self):
        self.table("kcp")

    def test_forty_cells_tcp(self):
        self.table("tcp")

    def test_forty_cells_over_a_lossy_link(self):
        self.table("kcp", loss=0.15)


class Endings(fog.Test):
    """Endings that do not fit the table: with much data, and with nobody at home."""

    def test_hash_computed_after_the_end(self):
        """A client sends, half-closes, and then reads what the target made of it."""
        data = targets.content(2, 3 * MIB)
        for via in ("kcp", "tcp"):
            with self.subTest(via=via):
                target = self.target(targets.digest_after_end)
                _, client = self.pair(target.port, via=via)
                with self.connect(client) as s:
                    sender = targets.Sender(s, data)
                    answer, end = targets.read_end(s)
                    sender.join()
                self.assertEqual((answer.decode(), end), (targets.digest(data), "EOF"))

    def test_the_end_gives_a_vproxy_time(self):
        """Toward a peer that may be vproxy the end follows the last byte by a gap that grows with
        what came lately, as vproxy forgets what its own reader has not taken by then."""
        for size, least in ((1000, 0.05), (900 * 1000, 0.5)):
            with self.subTest(size=size):
                target = self.target(targets.answer_after_end(6, size))
                server = self.server(target.port)
                link = self.keep(relay.Relay(server.port))
                link.rewrite = relay.without_hello
                client = self.client(link.port)
                with self.connect(client) as s:
                    s.sendall(b"request")
                    s.shutdown(socket.SHUT_WR)
                    self.assertEqual(targets.read_exactly(s, size), targets.content(6, size))
                    begin = time.monotonic()
                    self.assertEqual(s.recv(1), b"")
                    self.assertGreater(time.monotonic() - begin, 0.9 * least)

    def test_target_ends_while_client_still_sends(self):
        """The target's end arrives; the client's bytes still arrive behind it."""
        target = self.target(targets.Hand())
        _, client = self.pair(target.port)
        data = targets.content(3, 2 * MIB)
        local = self.connect(client)
        far = target.handler.take()
        far.sendall(b"that is all from me")
        far.shutdown(socket.SHUT_WR)
        self.assertEqual(targets.read_end(local), (b"that is all from me", "EOF"))
        sender = targets.Sender(local, data)
        self.assertEqual(targets.read_end(far), (data, "EOF"))
        sender.join()
        far.close()

    def test_reset_under_full_load(self):
        """Either side resets in the middle of a transfer: the other one learns it, soon."""
        target = self.target(targets.Hand())
        server, client = self.pair(target.port)
        self.assert_reset_under_load(client, target, lambda local, far: (local, far))
        self.assert_reset_under_load(client, target, lambda local, far: (far, local))
        self.assert_no_streams(server, client)

    def assert_reset_under_load(self, client, target, order):
        local = self.connect(client)
        far = target.handler.take()
        closer, other = order(local, far)
        sender = targets.Sender(other, targets.content(4, 64 * MIB), finish=False)
        targets.read_exactly(closer, MIB)
        targets.reset(closer)
        with self.assertRaises(OSError):
            sender.join(fog.PATIENCE)
        other.close()

    def test_refused_target(self):
        """Nobody listens behind the server: the local connection is reset, at once."""
        nobody = fog.free_port()
        for via in ("kcp", "tcp"):
            with self.subTest(via=via):
                server, client = self.pair(nobody, via=via)
                for early in (b"", b"words sent before the answer"):
                    self.assertLess(self.assert_refused(client, early), 5)
                self.assert_no_streams(server, client)

    def test_reset_while_half_closed_is_noticed(self):
        """After its own end a connection that breaks is noticed without anybody writing."""
        target = self.target(targets.Hand())
        server, client = self.pair(target.port)
        for first in ("local", "target"):
            with self.subTest(first=first):
                local = self.connect(client)
                far = target.handler.take()
                closer, other = (local, far) if first == "local" else (far, local)
                closer.shutdown(socket.SHUT_WR)
                self.assertEqual(other.recv(1), b"")
                targets.reset(closer)
                self.assertTrue(targets.has_error(other, fog.PATIENCE), "nobody said it broke")
                other.close()


if __name__ == "__main__":
    fog.main()

# SPDX-License-Identifier: MIT
"""websocks.py - a WebSocks client by hand, for the end-to-end tests of the gateway.

Written from the description of the wire alone. Decides nothing: each step is a call, so that a test
can stop between any two, or send what no agent would.
"""
import base64
import hashlib
import os
import socket
import ssl
import time

import targets

FRAME = bytes.fromhex("827f7fffffffffffffff")
PONG = b"\x8a\x00"
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "tls")


def pass_hash(password, minute):
    inner = base64.b64encode(hashlib.sha256(password.encode()).digest()).decode()
    return base64.b64encode(hashlib.sha256(f"{inner}{minute}".encode()).digest()).decode()


def authorization(user, password, minutes=0):
    """The value for now, or for so many minutes from now."""
    minute = (int(time.time() * 1000) // 60000 + minutes) * 60000
    plain = f"{user}:{pass_hash(password, minute)}"
    return "Basic " + base64.b64encode(plain.encode()).decode()


def upgrade(value, path="/", foggara=False, host="null"):
    """The request as a vproxy agent sends it."""
    fields = [
        f"GET {path} HTTP/1.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Host: {host}",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: socks5",
        f"Authorization: {value}",
    ]
    if foggara:
        fields.append("Sec-WebSocket-Extensions: foggara")
    return ("\r\n".join(fields) + "\r\n\r\n").encode()


def socks_request(host, port):
    try:
        where = b"\x01" + socket.inet_pton(socket.AF_INET, host)
    except OSError:
        try:
            where = b"\x04" + socket.inet_pton(socket.AF_INET6, host)
        except OSError:
            where = b"\x03" + bytes([len(host)]) + host.encode()
    return b"\x05\x01\x00" + where + port.to_bytes(2, "big")


def read_head(s):
    """A head up to its empty line, and not a byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        part = s.recv(1)
        if not part:
            break
        head += part
    return head


def tls(s, name="gateway.example", ca="ca.pem", alpn=("http/1.1",), most=None):
    """TLS over a socket, as a client."""
    context = ssl.create_default_context(cafile=os.path.join(DATA, ca))
    context.check_hostname = name is not None
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if most:
        context.maximum_version = most
    return context.wrap_socket(s, server_hostname=name)


class Agent:
    """One stream of an agent."""

    def __init__(self, s, user="alice", password="pasSw0rD", foggara=False):
        self.s, self.foggara = s, foggara
        s.sendall(upgrade(authorization(user, password), foggara=foggara))
        self.head = read_head(s)

    @property
    def status(self):
        return int(self.head.split()[1]) if self.head else 0

    def ask(self, host, port, early=b"", strict=False):
        """Sends the frame and SOCKS; gives the REP."""
        if strict:
            self.s.sendall(FRAME)
            assert targets.read_exactly(self.s, 10) == FRAME
            self.s.sendall(b"\x05\x01\x00")
            assert targets.read_exactly(self.s, 2) == b"\x05\x00"
            self.s.sendall(socks_request(host, port))
        else:
            self.s.sendall(FRAME + b"\x05\x01\x00" + socks_request(host, port) + early)
            assert targets.read_exactly(self.s, 10) == FRAME
            assert targets.read_exactly(self.s, 2) == b"\x05\x00"
        reply = targets.read_exactly(self.s, 10)
        assert reply[:1] == b"\x05" and reply[2:8] == b"\x00\x01\x00\x00\x00\x00", reply
        assert int.from_bytes(reply[8:], "big") == port, reply
        return reply[1]

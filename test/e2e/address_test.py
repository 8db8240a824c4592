# SPDX-License-Identifier: MIT
"""No spelling of a refused address reaches it, whichever way it is asked for."""
import contextlib
import socket

import agents
import fog
import targets
from agents import DENIED, HOST_UNREACHABLE, OK

# What somebody, somewhere, reads as an address of the gateway's machine or of its network. No port.
SPELLINGS = """
127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0x7f.1 0177.0.0.1 017700000001 127.0.0.01
127.000.000.001 127.0.0.1. 127.0.0.256 +127.0.0.1 127.255.255.255 127.0.0.2 0.0.0.0 0 localhost LOCALHOST
localhost. LocalHost [::1] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::] [0::0]
[::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:FFFF:7F00:1] [::FFFF:127.0.0.1] [::127.0.0.1] [::7f00:1]
[64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::1] [2002:7f00:1::] [2002:7f00:0001::1] [::1%lo] [::1%25lo]
[fe80::1%25eth0] [fe80::1] [fec0::1] [fc00::1] [fd12:3456::1] [ff02::1] [100::1] [2001:db8::1] [2001::1]
127.0.0.1@example.com example.com@127.0.0.1 user:pw@127.0.0.1 127.0.0.1%00.example.com 127.0.0.1%2f
10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 169.254.169.254 169.254.0.1 172.16.0.0 172.31.255.255
192.0.0.1 192.0.2.255 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.7
203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 4294967295 0xffffffff 0xA9FEA9FE
2852039166 0251.0376.0251.0376 169.254.43518 [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [::169.254.169.254]
[64:ff9b::a9fe:a9fe] [2002:a9fe:a9fe::] [::ffff:10.0.0.1] [::ffff:192.168.0.1]
""".split()


def is_address(family, text):
    try:
        return bool(socket.inet_pton(family, text))
    except OSError:
        return False


class AddressTest(agents.Test):
    def ask_name(self, a, host, port):
        """SOCKS5 with the spelling as a name, brackets and all."""
        s = self.keep(fog.connect(a.socks))
        s.sendall(b"\x05\x01\x00\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() +
                  port.to_bytes(2, "big"))
        reply = targets.read_exactly(s, 12)
        return reply[3] if len(reply) == 12 else None

    def ask_number(self, a, host, port):
        """SOCKS5 with the bytes of the address, where it is one."""
        plain = host.strip("[]")
        if not is_address(socket.AF_INET, plain) and not is_address(socket.AF_INET6, plain):
            return None
        return self.socks5(a, plain, port)[1]

    def ask_connect(self, a, host, port):
        s, status = agents.connect(a.http, host, port)
        s.close()
        return {200: OK, 403: DENIED, 502: HOST_UNREACHABLE}.get(status)

    def ask_absolute(self, a, host, port):
        with fog.connect(a.http) as s:
            s.sendall(f"GET http://{host}:{port}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            status = int(targets.read_end(s)[0].split()[1])
        return {200: OK, 403: DENIED, 502: HOST_UNREACHABLE}.get(status)

    def ways(self):
        return self.ask_name, self.ask_number, self.ask_connect, self.ask_absolute

    def setUp(self):
        super().setUp()
        self.at = self.target(agents.Origin())
        with contextlib.suppress(OSError):  # there may be no IPv6 here
            self.target(self.at.handler, host="::1", port=self.at.port)

    def test_nothing_of_this_machine_is_reached(self):
        self.assertGreaterEqual(len(SPELLINGS), 80)
        g = self.gateway(allow=[])
        for kind in ("websocks", "websocks:kcp"):
            a = self.agent(self.url(kind, g))
            for ask in self.ways():
                denied = 0
                for host in SPELLINGS:
                    with self.subTest(kind=kind, way=ask.__name__, host=host):
                        rep = ask(a, host, self.at.port)
                        self.assertNotEqual(rep, OK)
                        denied += rep == DENIED
                self.assertGreater(denied, 40)  # refused by the policy, not for another reason
        self.assertEqual(self.at.handler.seen, [])
        self.assertEqual(g.counters()["gateway.streams"], 0)

    def test_what_is_allowed_is_reached_by_its_own_spellings(self):
        a = self.agent(self.url("websocks:kcp", self.gateway(allow=["127.0.0.1"])))
        for ask in self.ways():
            good = {host for host in SPELLINGS if ask(a, host, self.at.port) == OK}
            want = {"127.0.0.1"} if ask == self.ask_number else {
                "127.0.0.1", "localhost", "LOCALHOST", "localhost.", "LocalHost"}
            mapped = {h for h in SPELLINGS if "ffff" in h.lower() and
                      ("127.0.0.1" in h or "7f00:1" in h.lower())}
            self.assertEqual(good, want | mapped, ask.__name__)


if __name__ == "__main__":
    fog.main()

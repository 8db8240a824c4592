# SPDX-License-Identifier: MIT
"""agents.py - what the tests of the agent share: gateways of all kinds, an agent in front of them,
an origin that speaks HTTP, and programs that use a proxy.

Decides how each of them is started. Refuses to know what is tested. Invariant: an agent that this
starts for a test has its pool full, unless the test wants it otherwise.
"""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import unittest

import fog
import targets
import websocks

AUTH = "alice:pasSw0rD"
KINDS = ("websocks", "websockss", "websocks:kcp", "websockss:kcp")
POOL = 4

OK, GENERAL, DENIED, HOST_UNREACHABLE, REFUSED = 0, 1, 2, 4, 5


# ------------------------------------------------------------------------------------------ origin


class Origin:
    """A handler that is a small HTTP/1.1 server. pages: path -> bytes. `seen` has each request as
    (head, body)."""

    def __init__(self, **pages):
        self.pages = {"/": b"<p>home</p>\n"}
        self.pages.update({"/" + name: page for name, page in pages.items()})
        self.seen = []

    def __call__(self, s):
        with contextlib.suppress(OSError):
            while self._one(s):
                pass

    def _one(self, s):
        head = websocks.read_head(s).decode("latin-1")
        if not head:
            return False
        method, path, _ = head.split("\r\n", 1)[0].split(" ", 2)
        fields = dict(
            (name.lower(), value.strip())
            for name, value in (line.split(":", 1) for line in head.split("\r\n")[1:] if line)
        )
        body = targets.read_exactly(s, int(fields.get("content-length", 0)))
        if "chunked" in fields.get("transfer-encoding", ""):
            body = self._chunks(s)
        self.seen.append((head, body))
        close = fields.get("connection", "").lower() == "close"
        page = self.pages.get(path.split("?")[0])
        if method in ("POST", "PUT"):
            page = targets.digest(body).encode()
        answer = f"HTTP/1.1 {'404 Not Found' if page is None else '200 OK'}\r\n"
        answer += f"Content-Length: {len(page or b'')}\r\n"
        kind = {"html": "text/html", "svg": "image/svg+xml"}.get(path.rsplit(".", 1)[-1])
        if kind:
            answer += f"Content-Type: {kind}\r\n"
        answer += f"Connection: {'close' if close else 'keep-alive'}\r\n\r\n"
        s.sendall(answer.encode() + (page or b"" if method != "HEAD" else b""))
        return not close

    @staticmethod
    def _chunks(s):
        body = b""
        while True:
            line = b""
            while not line.endswith(b"\r\n"):
                line += targets.read_exactly(s, 1)
            length = int(line.split(b";")[0], 16)
            if not length:
                while line not in (b"\r\n", b""):
                    line = b""
                    while not line.endswith(b"\r\n"):
                        line += targets.read_exactly(s, 1)
                return body
            body += targets.read_exactly(s, length)
            targets.read_exactly(s, 2)


# ----------------------------------------------------------------------------------------- clients


def socks5(port, host, to, login=None, early=b""):
    """A connection through SOCKS5: (socket, REP); REP None when the login was refused."""
    s = fog.connect(port)
    s.sendall(b"\x05\x01\x02" if login else b"\x05\x01\x00")
    method = targets.read_exactly(s, 2)
    if method == b"\x05\xff":
        return s, None
    if method[1:] == b"\x02":
        name, password = (x.encode() for x in login)
        s.sendall(bytes([1, len(name)]) + name + bytes([len(password)]) + password)
        if targets.read_exactly(s, 2) != b"\x01\x00":
            return s, None
    s.sendall(websocks.socks_request(host, to) + early)
    reply = targets.read_exactly(s, 10)
    return s, reply[1] if len(reply) == 10 else None


def connect(port, host, to, login=None):
    """A connection through HTTP CONNECT: (socket, status)."""
    s = fog.connect(port)
    s.sendall(f"CONNECT {host}:{to} HTTP/1.1\r\nHost: {host}:{to}\r\n{login or ''}\r\n".encode())
    head = websocks.read_head(s)
    return s, int(head.split()[1]) if head else 0


CURL = shutil.which("curl")


def curl(*args, seconds=60):
    """(exit code, standard output) of a curl that knows no configuration and no proxy of ours."""
    if not CURL:
        raise unittest.SkipTest("no curl here")
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    r = subprocess.run([CURL, "-q", "-sS", "-m", str(seconds), *map(str, args)], env=env,
                       capture_output=True, timeout=seconds + 5, check=False)
    return r.returncode, r.stdout


# -------------------------------------------------------------------------------------------- tests


class Test(fog.Test):
    def json(self, name, conf):
        return self.file(name, json.dumps(conf))

    def tls_file(self, name):
        path = os.path.join(self.dir, name)
        if not os.path.exists(path):
            shutil.copy(os.path.join(websocks.DATA, name), path)
        return path

    def gateway(self, tls=False, port=None, host="127.0.0.1", **more):
        """A gateway on TCP and KCP, with or without TLS."""
        port = port or fog.free_port()
        conf = {"listen": f"{host}:{port}", "auth": [AUTH], "allow": ["127.0.0.1/32"],
                "kcp": True, "log": "debug"}
        if tls:
            conf.update(ssl=True, certpem=self.tls_file("server.pem"),
                        keypem=self.tls_file("server.key"))
        else:
            conf["insecure"] = True
        conf.update(more)
        path = self.json(f"gateway{port}.json", conf)
        return self._listening(self.start("gateway", "-c", path, name="gateway"), port, "tcp")

    def url(self, kind, gateway, host="127.0.0.1"):
        port = gateway if isinstance(gateway, int) else gateway.port
        return f"{kind}://{host}:{port}"

    def conf(self, *urls, pool=POOL, **more):
        """A configuration of an agent, all its listeners in it; more: keys with _ for the dots and
        the group's own."""
        ports = [fog.free_port() for _ in range(4)]
        group = {"name": "DEFAULT", "servers": list(urls), "domains": ["/.*/"]}
        for key in ("domains", "no_proxy"):
            if key in more:
                group[key.replace("_", "-")] = more.pop(key)
        conf = {
            "agent": {
                "socks5": {"listen": ports[0]}, "httpconnect": {"listen": ports[1]},
                "mixed": {"listen": ports[2]}, "gateway.pac.listen": ports[3],
                "pool": pool, "log": "debug", "cert": {"verify": False},
            },
            "proxy": {"auth": AUTH, "groups": more.pop("groups", [group])},
        }
        conf["proxy"].update(more.pop("proxy", {}))
        conf["agent"].update(more)
        return conf

    def agent(self, *urls, ready=True, nofile=None, **more):
        """An agent with ports .socks, .http, .mixed and .pac; its pool is full, where it has one."""
        conf = self.conf(*urls, **more)
        path = self.json(f"agent{len(self.programs)}.json", conf)
        a = self.start("agent", "-c", path, name="agent", nofile=nofile)
        a.conf, a.conf_path = conf, path
        listen = conf["agent"]
        a.socks, a.http = listen["socks5"]["listen"], listen["httpconnect"]["listen"]
        a.mixed, a.pac = listen["mixed"]["listen"], listen["gateway.pac.listen"]
        self._listening(a, a.pac, "tcp")
        if ready and listen["pool"]:
            self.wait_pool(a, listen["pool"])
        return a

    def wait_pool(self, a, n):
        fog.wait_until(lambda: a.ready() >= n, f"{a}: no {n} connections are ready")

    def start(self, *args, **how):
        p = super().start(*args, **how)
        p.ready = lambda: p.counters().get("group.DEFAULT.ready", 0)
        return p

    def origin(self, **pages):
        """An HTTP server: its port, and its handler as .handler."""
        return self.target(Origin(**pages))

    def socks5(self, a, host, to, **how):
        s, rep = socks5(a.socks, host, to, **how)
        return self.keep(s), rep

# SPDX-License-Identifier: MIT
"""foggara status: the counters of a running process, through a socket of its own."""
import os
import re
import signal
import socket
import stat

import fog
import targets

LOGIN = "alice:correct-horse-7battery"


def counters(path):
    """As Program.counters(), asked through the socket."""
    code, out, err = fog.run("status", path)
    assert code == 0, err
    return {name: int(value) for name, value in re.findall(r"^([a-z]\S*) +(\d+)$", out, re.M)}


class Status(fog.Test):
    def path(self, name="status"):
        return os.path.join(self.dir, name)

    def test_each_role_tells(self):
        port, local = fog.free_port(), fog.free_port()
        gateway = self._listening(
            self.start("gateway", "-l", f"127.0.0.1:{port}", "-a", LOGIN, "--insecure",
                       "--status", self.path("gateway"), name="gateway"), port, "tcp")
        agent = self._listening(
            self.start("agent", "-l", f"127.0.0.1:{local}", "-a", LOGIN, "-s",
                       f"websocks://127.0.0.1:{port}", "--status", self.path("agent"),
                       name="agent"), local, "tcp")
        target = self.target(targets.echo)
        server = self.server(target.port, "--status", self.path("server"))
        client = self.client(server.port, "--status", self.path("client"))
        self.assert_echoes(client)
        for p, wanted in ((gateway, "gateway.settled"), (agent, "group.DEFAULT.ready"),
                          (server, "endpoint.sessions"), (client, "held")):
            path = self.path(os.path.basename(p.log_path)[2:-4])
            fog.wait_until(lambda path=path: os.path.exists(path), f"no {path}")
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            told = counters(path)
            self.assertIn(wanted, told, str(p))
            self.assertEqual(set(told), set(p.counters()) - {"streams"}, str(p))
            p.signal(signal.SIGTERM)
            self.assertEqual(p.wait(), 0)
            self.assertFalse(os.path.exists(path), f"{p} left its socket")
            code, out, err = fog.run("status", path)
            self.assertEqual((code, out), (fog.EXIT_UNAVAILABLE, ""))
            self.assertIn("nobody listens there", err)

    def test_a_crashed_one_is_replaced_and_a_running_one_is_not(self):
        target = self.target(targets.echo)
        first = self.server(target.port, "--status", self.path())
        code, _, err = fog.run("server", "-l", f"127.0.0.1:{fog.free_port()}", "-t", "127.0.0.1:9",
                               "--status", self.path())
        self.assertEqual(code, fog.EXIT_UNAVAILABLE)
        self.assertIn("another process answers there", err)
        self.assertIn("uptime_s", counters(self.path()))
        first.kill()
        code, _, err = fog.run("status", self.path())
        self.assertEqual(code, fog.EXIT_UNAVAILABLE)
        self.assertIn("nobody listens there", err)
        self.server(target.port, "--status", self.path())
        self.assertIn("uptime_s", counters(self.path()))

    def test_those_who_connect_and_wait_hold_up_nothing(self):
        target = self.target(targets.echo)
        server = self.server(target.port, "--status", self.path())
        client = self.client(server.port)
        self.assert_echoes(client)
        fds = server.fds()
        for _ in range(200):
            s = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            s.connect(self.path())
            s.settimeout(fog.PATIENCE)
        self.assert_echoes(client)
        self.assertIn("uptime_s", counters(self.path()))
        self.assert_fds(server, fds + 1)

    def test_the_path_stays_until_a_restart(self):
        target = self.target(targets.echo)
        port = fog.free_port()
        text = f"listen = 127.0.0.1:{port}\ntarget = 127.0.0.1:{target.port}\nstatus = "
        path = self.file("server.conf", text + self.path("one") + "\n")
        server = self._listening(self.start("server", "-c", path, name="server"), port, "udp")
        self.file("server.conf", text + self.path("two") + "\n")
        server.signal(signal.SIGHUP)
        server.wait_log("status stays .*one: .*two needs a restart")
        self.assertIn("uptime_s", counters(self.path("one")))
        self.assertFalse(os.path.exists(self.path("two")))


if __name__ == "__main__":
    fog.main()

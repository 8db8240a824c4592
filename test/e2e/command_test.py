# SPDX-License-Identifier: MIT
"""The command line and the files: what is wrong is said in one line, with its place, and an exit code."""
import os
import re
import socket
import subprocess

import fog

PAIR = ("-l", ":29900", "-t", "127.0.0.1:80")


class Usage(fog.Test):
    def wrong(self, code, *args, says=(), stdin=""):
        """The command ends at once with this code; its message holds all these words."""
        got, out, err = fog.run(*args, stdin=stdin)
        line = f"foggara {' '.join(map(str, args))}\n{out}{err}"
        self.assertEqual(got, code, line)
        for word in says:
            self.assertRegex(err, word, line)
        self.assertLessEqual(len(err.splitlines()), 4, line)
        return err

    def test_flags(self):
        rows = (
            # arguments                                            what is said
            (("client", "--lisen", ":1"),                          ("--lisen", "--listen")),
            (("server", *PAIR, "--tunels", "2"),                   ("--tunels",)),
            (("server", "-l", ":99999", "-t", "127.0.0.1:80"),     ("99999", "65535")),
            (("server", "-l", ":0", "-t", "127.0.0.1:80"),         ("0",)),
            (("server", "-l", ":eighty", "-t", "127.0.0.1:80"),    ("eighty",)),
            (("server", "-l", ":29900", "-t", "127.0.0.1"),        ("127.0.0.1", "port|PORT")),
            (("server", "-l", ":29900"),                           ("-t",)),
            (("client", "-l", ":29900"),                           ("-r",)),
            (("client", "-r", "127.0.0.1:29900"),                  ("listen",)),
            (("client", "-l"),                                     ("-l",)),
            (("server", *PAIR, "--fast", "5"),                     ("5", "4")),
            (("server", *PAIR, "--mtu", "1"),                      ("mtu",)),
            (("server", *PAIR, "--mtu", "-1"),                     ("mtu",)),
            (("server", *PAIR, "--sndwnd", "0"),                   ("sndwnd",)),
            (("server", *PAIR, "--sndwnd", "65536"),               ("65536",)),
            (("server", *PAIR, "--via", "icmp"),                   ("icmp", "kcp")),
            (("server", *PAIR, "--log", "loud"),                   ("loud",)),
            (("server", *PAIR, "left", "over"),                    ("left",)),
            (("serve", *PAIR),                                     ("serve", "server")),
            (("mode", "client", "bind", "1", "targt", "h:1"),      ("targt", "target")),
            (("mode", "clint", "bind", "1", "target", "h:1"),      ("client",)),
            (("mode", "client", "bind", "1", "target"),            ("target",)),
        )
        for args, says in rows:
            with self.subTest(args=args):
                self.wrong(fog.EXIT_USAGE, *args, says=says)

    def test_nothing_at_all(self):
        code, out, err = fog.run()
        self.assertEqual(code, fog.EXIT_USAGE)
        self.assertRegex(out + err, "usage|Usage")

    def test_help_fits_a_screen(self):
        for args in (("-h",), ("--help",), ("client", "-h"), ("server", "--help"), ("demo", "-h")):
            with self.subTest(args=args):
                code, out, err = fog.run(*args)
                self.assertEqual((code, err), (fog.EXIT_OK, ""))
                lines = out.splitlines()
                self.assertGreater(len(lines), 3)
                self.assertLessEqual(len(lines), 24)
                self.assertLessEqual(max(map(len, lines)), 80)

    def test_version(self):
        for args in (("-v",), ("--version",), ("version",), ("client", "-v")):
            with self.subTest(args=args):
                code, out, _ = fog.run(*args)
                self.assertEqual(code, fog.EXIT_OK)
                self.assertRegex(out, r"^foggara \d+\.\d+\.\d+")

    def test_output_that_cannot_be_written(self):
        """A full disk behind --help is not success."""
        with open("/dev/full", "w") as full:
            code = self.start_with_output(full, "-h")
        self.assertNotEqual(code, fog.EXIT_OK)

    def start_with_output(self, out, *args):
        return subprocess.run(
            [fog.program(), *args], stdout=out, stderr=subprocess.DEVNULL,
            timeout=fog.PATIENCE, check=False,
        ).returncode


class File(fog.Test):
    def reject(self, text, place, says, code=fog.EXIT_CONFIG, command="server"):
        path = self.file("bad.json", text)
        got, out, err = fog.run(command, "-c", path)
        self.assertEqual(got, code, f"{text}\n{out}{err}")
        if place:
            self.assertIn(f"{path}:{place}: ", err)
        for word in says:
            self.assertRegex(err, word)

    def test_places(self):
        good = '"listen": ":29900", "target": "127.0.0.1:80"'
        rows = (
            # text                                              line:col  what is said
            ('{%s, "tunels": 2}' % good,                        "1:48",  ('tunels',)),
            ('{%s,\n  "sndwmd": 2}' % good,                     "2:3",   ('sndwmd', 'sndwnd')),
            ('{%s,\n\n "mtu": "big"}' % good,                   "3:9",   ('mtu',)),
            ('{%s,\n "mtu": 99999}' % good,                     "2:9",   ('99999',)),
            ('{"listen": ":29900",\n "target": "nowhere"}',     "2:12",  ('nowhere',)),
            ('{%s' % good,                                      None,    ()),
            ('{%s}}' % good,                                    None,    ()),
            ('{%s, "mtu": }' % good,                            None,    ()),
            ('{"listen": ":29900"}',                            None,    ('target',)),
            ('"just a string"',                                 None,    ()),
        )
        for text, place, says in rows:
            with self.subTest(text=text):
                self.reject(text, place, says)

    def test_bytes_that_are_no_text(self):
        path = os.path.join(self.dir, "noise.json")
        with open(path, "wb") as f:
            f.write(bytes(range(256)) * 16)
        code, _, err = fog.run("server", "-c", path)
        self.assertEqual(code, fog.EXIT_CONFIG)
        self.assertTrue(all(c == "\n" or c.isprintable() for c in err), repr(err))

    def test_no_file(self):
        for path in (os.path.join(self.dir, "missing.json"), self.dir):
            with self.subTest(path=path):
                code, _, err = fog.run("client", "-c", path)
                self.assertEqual(code, fog.EXIT_NOINPUT)
                self.assertIn(path, err)

    def test_standard_input(self):
        code, _, err = fog.run("client", "-c", "-", stdin='{"listn": 1}')
        self.assertEqual(code, fog.EXIT_CONFIG)
        self.assertRegex(err, r":1:2: .*listn.*listen")

    def test_flags_win(self):
        """--print-config shows what would be used, without starting anything."""
        path = self.file("a.json", '{"listen": ":1000", "remote": "h:1", "mtu": 1000, "fast": 2}')
        code, out, err = fog.run("client", "-c", path, "--mtu", "1100", "--print-config")
        self.assertEqual(code, fog.EXIT_OK, err)
        self.assertRegex(out, r"mtu\W+1100")
        self.assertRegex(out, r"fast\W+2")

    def test_check(self):
        good = self.file("good.json", '{"listen": ":1000", "target": "127.0.0.1:1"}')
        bad = self.file("bad.json", '{"listen": ":1000", "target": "127.0.0.1:1", "x": 1}')
        self.assertEqual(fog.run("check", "-c", good)[0], fog.EXIT_OK)
        self.assertEqual(fog.run("check", "-c", bad)[0], fog.EXIT_CONFIG)


class Bind(fog.Test):
    def test_port_in_use(self):
        port = fog.free_port()
        for kind, args in (
            (socket.SOCK_DGRAM, ("server", "-l", f"127.0.0.1:{port}", "-t", "127.0.0.1:1")),
            (socket.SOCK_STREAM, ("client", "-l", f"127.0.0.1:{port}", "-r", "127.0.0.1:1")),
        ):
            with self.subTest(args=args), socket.socket(socket.AF_INET, kind) as s:
                s.bind(("127.0.0.1", port))
                if kind == socket.SOCK_STREAM:
                    s.listen(1)
                code, _, err = fog.run(*args)
                self.assertEqual(code, fog.EXIT_UNAVAILABLE, err)
                self.assertIn(str(port), err)

    def test_address_of_somebody_else(self):
        code, _, err = fog.run("client", "-l", "192.0.2.1:4000", "-r", "127.0.0.1:1")
        self.assertEqual(code, fog.EXIT_UNAVAILABLE, err)
        self.assertIn("192.0.2.1", err)

    def test_warning_when_open_to_the_world(self):
        public = self.server("127.0.0.1:1", host="")
        public.wait_log(r"(?i)warn")
        self.assertTrue(re.search(r"(?i)neither|protect|authent|encrypt|open", public.log()))
        private = self.server("127.0.0.1:1")
        self.assertFalse(re.search(r"(?i)warn", private.log()), private.log())


if __name__ == "__main__":
    fog.main()

# SPDX-License-Identifier: MIT
"""A real browser that loads a page of a hundred small files through the agent, and how long it takes
(FOG_E2E_SHOW=1 prints that)."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import agents
import fog
import targets

BROWSER = shutil.which("chromium")
FILES = 100


def pages():
    """A page that says of itself how long it took, and its pictures."""
    files = {f"{i}.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><!--' +
             targets.content(i, 1500).hex().encode() + b"--></svg>" for i in range(FILES)}
    body = "".join(f'<img src="{name}">' for name in files)
    script = """onload = () => {
        const good = [...document.images].filter(i => i.naturalWidth > 0).length;
        document.body.innerHTML = `LOADED ${good} IN ${Math.round(performance.now())}`;
    }"""
    files["page.html"] = f"<html><body>{body}<script>{script}</script></body></html>".encode()
    return files


@unittest.skipUnless(BROWSER, "chromium is not installed")
class BrowserTest(agents.Test):
    def load(self, proxy, url):
        """(pictures that came, milliseconds) of the page, in a browser that has never run."""
        home = tempfile.mkdtemp(dir=self.dir)
        args = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--timeout=60000", f"--user-data-dir={home}",
                f"--proxy-server={proxy}", "--proxy-bypass-list=<-loopback>", "--dump-dom", url]
        out = subprocess.run(args, capture_output=True, text=True, timeout=90, check=False,
                             env=dict(os.environ, HOME=home)).stdout
        found = re.search(r"LOADED (\d+) IN (\d+)", out)
        self.assertTrue(found, out[-300:])
        return int(found[1]), int(found[2])

    def test_a_page_of_a_hundred_files(self):
        origin = self.origin(**pages())
        gates = {tls: self.gateway(tls) for tls in (False, True)}
        for kind in agents.KINDS:
            a = self.agent(self.url(kind, gates["websockss" in kind]), pool=10)
            for proxy in (f"socks5://127.0.0.1:{a.socks}", f"http://127.0.0.1:{a.mixed}"):
                with self.subTest(kind=kind, proxy=proxy):
                    good, ms = self.load(proxy, f"http://localhost:{origin.port}/page.html")
                    self.assertEqual(good, FILES)
                    if os.environ.get("FOG_E2E_SHOW"):
                        print(kind, proxy.split(":")[0], ms, "ms")


if __name__ == "__main__":
    fog.main()

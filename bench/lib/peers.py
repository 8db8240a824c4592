# SPDX-License-Identifier: MIT
"""peers.py - what is measured side by side: two command lines each.

{listen} the client's TCP address, {remote} the server's UDP address as the client reaches it,
{bind} the same as the server binds it, {target} where the server connects streams to.
"""
import shutil
from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    name: str
    server: str = ""
    client: str = ""
    cc: str = ""      # no tunnel: TCP itself with this congestion control
    program: str = ""  # must be there
    many: str = ""    # added to both lines where many streams are opened
    tunnels: tuple = ()  # (client's option, tunnels it makes, their number in what the server
    #                       writes at SIGUSR1)

    @property
    def direct(self):
        return not self.server

    def missing(self):
        """Why it cannot run here, or ""."""
        if self.cc:
            with open("/proc/sys/net/ipv4/tcp_available_congestion_control") as f:
                return "" if self.cc in f.read().split() else f"this kernel has no TCP {self.cc}"
        if self.program and not shutil.which(self.program):
            return f"{self.program} is not installed"
        return ""


def kcptun(name, options, client, server):
    """xtaci's kcptun as Debian packages it; options are given to both ends."""
    return Peer(name, f"{server} -t {{target}} -l {{bind}} --key bench --quiet {options}",
                f"{client} -r {{remote}} -l {{listen}} --key bench --quiet {options}",
                program=server)


def known(foggara, kcptun_client, kcptun_server):
    return [
        Peer("tcp-cubic", cc="cubic"),
        Peer("tcp-bbr", cc="bbr"),
        # Its default of 128 segments up would bound it at 27 Mbit/s on a round trip of 50 ms.
        kcptun("kcptun-fast3", "--mode fast3 --acknodelay --sndwnd 1024 --rcvwnd 1024",
               kcptun_client, kcptun_server),
        kcptun("kcptun", "", kcptun_client, kcptun_server),
        Peer("foggara", f"{foggara} server -l {{bind}} -t {{target}} --log error",
             f"{foggara} client -l {{listen}} -r {{remote}} --log error", program=foggara,
             many="--max-streams 16384", tunnels=("--tunnels 8", 8, r"endpoint\.sessions +(\d+)")),
    ]

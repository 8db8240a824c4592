# SPDX-License-Identifier: MIT
"""links.py - the links that are measured. Both directions have the same conditions."""
from dataclasses import dataclass

# Of each byte offered to the line at most so much is payload: 1226 of a 1278-byte packet.
PAYLOAD_SHARE = 0.959


@dataclass(frozen=True)
class Link:
    """rate in Mbit/s, times in ms, loss and reorder as shares; dark: (every, for, first) in s."""
    name: str
    rate: float
    rtt: float
    loss: float = 0
    queue: float = 100
    burst: float = 1
    jitter: float = 0
    reorder: float = 0
    dark: tuple = ()
    figure: float = 0.9  # share of the limit that is to be reached

    @property
    def limit(self):
        """Goodput that the link allows, in Mbit/s."""
        lit = 1 - self.dark[1] / self.dark[0] if self.dark else 1
        return self.rate * (1 - self.loss) * PAYLOAD_SHARE * lit

    def arguments(self, seed):
        given = {"rate-mbit": self.rate, "queue-ms": self.queue, "loss": self.loss,
                 "burst": self.burst, "reorder": self.reorder, "seed": seed,
                 # The jitter is spread evenly round the middle of the delay, half of it per way.
                 "delay-ms": (self.rtt - self.jitter) / 2, "jitter-ms": self.jitter}
        if self.dark:
            given["dark-every-s"], given["dark-for-s"], given["dark-first-s"] = self.dark
        return [f"--{name}={value:g}" for name, value in given.items()]

    def describe(self):
        text = f"{self.rate:g} Mbit/s, RTT {self.rtt:g}"
        text += f" +-{self.jitter:g} ms" if self.jitter else " ms"
        text += f", queue {self.queue:g} ms"
        text += f", {self.loss * 100:g} % lost" if self.loss else ""
        text += f" in runs of about {self.burst:g}" if self.burst > 1 else ""
        text += f", {self.reorder * 100:g} % early" if self.reorder else ""
        text += ", dark {1:g} s in {0:g}".format(*self.dark) if self.dark else ""
        return text


LINKS = [
    Link("clean100", 100, 50, figure=0.95),
    Link("loss1", 100, 50, loss=0.01, figure=0.95),
    Link("loss5", 100, 50, loss=0.05, figure=0.95),
    Link("loss10", 100, 100, loss=0.10, figure=0.92),
    Link("loss20", 50, 200, loss=0.20, figure=0.88),
    Link("loss30", 50, 200, loss=0.30, figure=0.80),
    Link("burst", 100, 100, loss=0.024, burst=5, figure=0.92),
    Link("jitter", 100, 50, loss=0.01, jitter=10, reorder=0.01, figure=0.90),
    Link("thin", 5, 80, loss=0.01, queue=200, figure=0.92),
    Link("far", 200, 300, loss=0.02, figure=0.90),
    Link("shallow", 50, 50, queue=15, figure=0.90),
    Link("black", 50, 50, loss=0.01, dark=(5, 1, 2)),
]

BY_NAME = {link.name: link for link in LINKS}

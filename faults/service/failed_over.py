"""Redis fails over: the replica becomes the master, without what the old master had still taken and not passed on.

Two servers behind one address. The replica is cut off, the old master goes on answering for a while, then it is killed and the address
leads to the other; the dead one comes back as the replica of that one.
"""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from typing import Any

from contract.link import Link
from embedded import EmbeddedValkey
from faults.episode import Scene, play, scene
from faults.relay import Relay

NAME = "failed-over"

_UP_S = (2.0, 5.0)
_APART_S = (0.2, 1.0)
_SYNCED_S = 20.0
_POLL_S = 0.02


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The verdict after failing over again and again for about `seconds`, with `replicated`."""
    return fail_over_for(seconds, seed=seed)


def fail_over_for(seconds: float, *, seed: int, **chosen: Any) -> dict[str, Any]:
    """The verdict after `seconds` of it, two failovers at least. `chosen`: settings, and what `scene` takes."""
    with ExitStack() as exits:
        pair = Pair(*(exits.enter_context(EmbeddedValkey(extra=("repl-diskless-sync-delay 0",))) for _ in range(2)))
        relay = exits.enter_context(Relay(pair.master.port))
        pair.link_up()

        def breaking(place: Scene) -> None:
            rng = random.Random(seed)  # noqa: S311  # moments, no secret
            until, times = time.monotonic() + seconds, 0
            while times < 2 or time.monotonic() < until:
                place.pause(rng.uniform(*_UP_S))
                pair.part()
                place.pause(rng.uniform(*_APART_S))
                pair.swap()
                relay.turn_to(pair.master.port)
                place.pause(rng.uniform(*_APART_S))
                pair.link_up()
                times += 1
            place.notes["failovers"] = times

        url = f"redis://:{pair.password}@127.0.0.1:{relay.port}/0"
        place = exits.enter_context(scene(seed=seed, **({"delivery": "replicated", "redis_url": url} | chosen)))
        return play(NAME, place, breaking, seed=seed)


class Pair:
    """Two running servers with one password. `master` is the one that clients are meant to use."""

    def __init__(self, master: EmbeddedValkey, replica: EmbeddedValkey) -> None:
        self.master, self._replica = master, replica
        self.password = master.password
        self._call(replica, replica.password, "CONFIG", "SET", "requirepass", self.password, "masterauth", self.password)
        self._call(master, self.password, "CONFIG", "SET", "masterauth", self.password)

    def link_up(self) -> None:
        """The replica follows the master, and has all of it when this returns. Raises TimeoutError."""
        if not self._replica.running:
            self._replica.restart()
            self._call(self._replica, self._replica.password, "CONFIG", "SET", "requirepass", self.password, "masterauth", self.password)
        self._call(self._replica, self.password, "REPLICAOF", "127.0.0.1", self.master.port)
        deadline = time.monotonic() + _SYNCED_S
        while b"master_link_status:up" not in self._call(self._replica, self.password, "INFO", "replication"):
            if time.monotonic() > deadline:
                raise TimeoutError("the replica did not follow the master")
            time.sleep(_POLL_S)

    def part(self) -> None:
        """The replica hears nothing more from the master, which goes on."""
        self._call(self._replica, self.password, "REPLICAOF", "NO", "ONE")

    def swap(self) -> None:
        """The master dies, and the other is the master."""
        self.master.kill()
        self.master, self._replica = self._replica, self.master

    @staticmethod
    def _call(server: EmbeddedValkey, password: str, *command: str | int) -> Any:
        link = Link(f"redis://:{password}@127.0.0.1:{server.port}/0", name="runtally-faults")
        link.open()
        try:
            return link.call(*command)
        finally:
            link.close()

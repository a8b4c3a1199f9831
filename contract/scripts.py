"""Lua scripts: sent once a server as text, from then on by their digest."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any

from contract.errors import StoreRefused
from contract.link import Command, Link

Argument = str | bytes | int | float


class Script:
    """One verb, in a file of its own. Its header says keys, arguments, result and retry safety.

    Holds no connection and no state: one instance serves all links and threads. Raises FileNotFoundError where there is
    no such file.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._text = path.read_bytes()
        self._digest = sha1(self._text, usedforsecurity=False).hexdigest()

    def run(self, link: Link, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """What the script returns. Raises StoreRefused (nothing was written, if the script checks first) and
        StoreUnavailable (it may have run)."""
        result = self.run_many(link, [(keys, args)])[0]
        if isinstance(result, StoreRefused):
            raise result
        return result

    def run_many(self, link: Link, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        """The results of several runs, in order, in one round trip (two when the server has forgotten the script).

        Not atomic: each call is. A refused one has its StoreRefused in its place. Raises StoreUnavailable: any may have run.
        """
        if not calls:
            return []
        results = link.pipeline([self._command("EVALSHA", self._digest, keys, args) for keys, args in calls])
        # NOSCRIPT is answered before anything runs, so those calls, and only those, are sent again.
        forgotten = [n for n, result in enumerate(results) if isinstance(result, StoreRefused) and result.code == "NOSCRIPT"]
        if forgotten:
            again = link.pipeline([self._command("EVAL", self._text, *calls[n]) for n in forgotten])
            for n, result in zip(forgotten, again, strict=True):
                results[n] = result
        return results

    @staticmethod
    def _command(verb: str, script: str | bytes, keys: Sequence[str], args: Sequence[Argument]) -> Command:
        return [verb, script, len(keys), *keys, *args]

"""Which dead letters somebody wants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contract.run_id import RunId
from worker.dead.letter import DeadLetter

KINDS = ("event", "value", "status", "field", "row", "webhook")


@dataclass(frozen=True)
class Wanted:
    """All that is not None must be so. `kind`: one of KINDS. `run`: a run, with its clients, or one client run. `client`: a client ID.
    `reason`: a part of the reason, in any case. `since`: set aside at that time or later."""

    kind: str | None = None
    run: RunId | None = None
    client: str | None = None
    reason: str | None = None
    since: datetime | None = None

    @property
    def everything(self) -> bool:
        """Whether no letter is excluded."""
        return self == Wanted()

    def holds(self, letter: DeadLetter) -> bool:
        """Whether this letter is wanted."""
        if self.kind is not None and letter.kind != self.kind:
            return False
        if self.reason is not None and self.reason.casefold() not in letter.reason.casefold():
            return False
        if self.since is not None and letter.at < self.since:
            return False
        if self.run is None and self.client is None:
            return True
        about = letter.about
        if self.run is not None and (about.base != self.run.base or self.run.client not in (None, about.client)):
            return False
        return self.client is None or letter.client == self.client

"""Dead letters as people may see them: whatever was sent may hold a secret, and none is shown."""

from __future__ import annotations

import re
from typing import Any

from contract.logs import redactor
from contract.settings import Settings
from worker.dead.letter import DeadLetter

# The ends of names: "Profile Scoring Tokens" is a metric, whose bad value has to be seen.
_SECRET_NAME = re.compile(r"(token|secret|passw(or)?d|passwd|authorization|api[_ -]?key|credentials?|dsn)$", re.IGNORECASE).search
_SECRET_TEXT = re.compile(r"\bpat[A-Za-z0-9]{14}\.[A-Fa-f0-9]{20,}|\b(?:Bearer|Basic) +[A-Za-z0-9+/=_.~-]{8,}")
_HIDDEN = "***"


class Hiding:
    """Hides known secrets, logins in URLs, what looks like a token, and texts under names that promise a secret."""

    def __init__(self, settings: Settings) -> None:
        self._redact = redactor(settings)

    def text(self, text: str) -> str:
        """The text without secrets."""
        return _SECRET_TEXT.sub(_HIDDEN, self._redact.text(text))

    def value(self, value: Any) -> Any:
        """A value as JSON knows them, without secrets at any depth."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return {
                self.text(name): _HIDDEN if _SECRET_NAME(name) and isinstance(one, str) else self.value(one) for name, one in value.items()
            }
        return value

    def letter(self, letter: DeadLetter) -> dict[str, Any]:
        """A letter as one JSON object: `letter` (its ID), `kind`, `reason`, `time`, `run`, `client`, `origin`, `content`."""
        about = letter.about
        return {
            "letter": str(letter.id),
            "kind": letter.kind,
            "reason": self.text(letter.reason),
            "time": letter.at.isoformat(timespec="milliseconds"),
            "run": about.base,
            "client": self.text(letter.client or "") or None,
            "origin": self.value(letter.origin),
            "content": self.value(letter.content),
        }

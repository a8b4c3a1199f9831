"""A tally: what a piece of scoring came to, gathered while it is done and told as one event. Shared by all scorers."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any, NamedTuple

from producers.runs import told

_TEXTS = 5
_TEXT_CHARS = 400
"""How many errors of one tally are told in words, and most characters of each. All of them are counted."""


class Skip(Exception):
    """Raised by scoring code for what gives no score and is no error, such as an invalid answer of the model. Never a crash.

    `reason`: NO_CONTENT, NO_POSTS_PARSED, INVALID_AI_RESPONSE, SAFETY_BLOCK, QUOTA, TIMEOUT, AUTH, MODEL_CONFIG or any other text; skips
    are counted by it. `examined`: False for what was never put to the model.
    """

    def __init__(self, reason: str, *, examined: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.examined = examined


class Names(NamedTuple):
    """The metrics that a tally counts in. `skipped`: None where only the reasons of skips are counted."""

    processed: str
    examined: str
    scored: str
    tokens: str
    skipped: str | None


LEADS = Names("leads_processed", "profiles_examined_for_scoring", "profiles_successfully_scored", "profile_scoring_tokens", "leads_skipped")
POSTS = Names("posts_processed", "posts_examined_for_scoring", "posts_successfully_scored", "post_scoring_tokens", None)


class Tally:
    """Counts of one lead, post or chunk. Its verbs may be called from any thread; nothing is told before the work is done."""

    def __init__(self, names: Names, number: int = 0) -> None:
        """`number` leads or posts are processed and examined from the start."""
        self._names = names
        self._lock = threading.Lock()
        self._numbers: Counter[str] = Counter({names.processed: 0, names.examined: 0, names.scored: 0})
        self._skips: Counter[str] = Counter()
        self._texts: list[str] = []
        self.examined(number)

    @property
    def metrics(self) -> dict[str, int]:
        """The counts so far, by metric."""
        with self._lock:
            return dict(self._numbers)

    @property
    def skips(self) -> dict[str, int]:
        """The skips so far, by reason."""
        with self._lock:
            return dict(self._skips)

    def examined(self, number: int = 1) -> None:
        """More of them are processed and put to the model than were known at the start."""
        self.count(**{self._names.processed: number, self._names.examined: number})

    def scored(self, number: int = 1) -> None:
        """So many got a score."""
        self.count(**{self._names.scored: number})

    def skip(self, reason: str, number: int = 1, *, examined: bool = True) -> None:
        """So many gave no score, for this reason. `examined`: False if they were never put to the model."""
        with self._lock:
            self._skips[reason] += number
            if self._names.skipped is not None:
                self._numbers[self._names.skipped] += number
            if not examined:
                self._numbers[self._names.examined] -= number

    def error(self, error: BaseException | str, number: int = 1) -> None:
        """So many errors; the text goes to the error details. The work goes on."""
        text = error if isinstance(error, str) else told(error)
        with self._lock:
            self._numbers["errors"] += number
            if len(self._texts) < _TEXTS:
                self._texts.append(text[:_TEXT_CHARS])

    def tokens(self, prompt: int | None = 0, completion: int | None = 0, total: int | None = None) -> None:
        """Tokens that the model took and gave; None, as some models say it, is none. `total`: prompt and completion if left out."""
        both = (prompt or 0) + (completion or 0)
        self.count(prompt_tokens=prompt or 0, completion_tokens=completion or 0, **{self._names.tokens: both if total is None else total})

    def count(self, **numbers: int) -> None:
        """Add to any other metric that is a whole number."""
        with self._lock:
            self._numbers.update(numbers)

    def judge(self, score: object) -> None:
        """One was worked on, and this is its score: None and False are none."""
        if score is not None and score is not False and not self.metrics[self._names.scored]:
            self.scored()

    def fail(self, error: BaseException) -> None:
        """The work raised: a Skip counts all that are not accounted for, at least one; another exception is an error."""
        if not isinstance(error, Skip):
            self.error(error)
            return
        counts = self.metrics
        left = counts[self._names.processed] - counts[self._names.scored] - sum(self.skips.values()) - counts.get("errors", 0)
        self.skip(error.reason, max(1, left), examined=error.examined)

    def add(self, other: Tally) -> None:
        """Take another's counts too."""
        numbers, skips = other.metrics, other.skips
        with self._lock:
            self._numbers.update(numbers)
            self._skips.update(skips)
            self._texts += other._texts[: _TEXTS - len(self._texts)]

    def told(self) -> dict[str, Any]:
        """What its event says."""
        with self._lock:
            said: dict[str, Any] = {"metrics": dict(self._numbers)}
            if skips := {reason: number for reason, number in self._skips.items() if number}:
                said["skips"] = skips
            if self._texts:
                more = self._numbers["errors"] - len(self._texts)
                said["error"] = "; ".join(self._texts) + (f"; and {more} more" if more > 0 else "")
            return said

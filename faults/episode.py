"""One fault at full size: producers and workers on a Valkey of their own, something breaks, and in the end the books are compared."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cli.up.environment import settings_environment
from contract.errors import RuntallyError
from contract.link import Link
from contract.registry import load_registry
from contract.settings import Settings, load_settings
from embedded import EmbeddedValkey
from faults.crew import Crew
from faults.ledger import Reckoning, reckon, together
from faults.load import Load
from faults.producing import Answer
from faults.progress import Progress
from faults.verdict import RECOVER_S
from worker.store.reader import Reader

_TEND_S = 0.05
_REACHED_S = 15.0
_PATIENCE_S = 110.0
"""How long the system may take to be at rest before it is reckoned all the same: longer than it should, to see by how much."""


@dataclass
class Scene:
    """What a fault may break. `notes` go to the verdict's details. `whole_log` False: the log is trimmed meanwhile."""

    server: EmbeddedValkey
    settings: Settings
    crew: Crew
    load: Load
    progress: Progress
    notes: dict[str, Any] = field(default_factory=dict)
    whole_log: bool = True

    def pause(self, seconds: float) -> None:
        """Let it go on for so long; workers that have ended are started again."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.crew.tend()
            time.sleep(min(_TEND_S, left))

    def pause_until(self, reached: Callable[[], bool]) -> None:
        """Let it go on until something holds, for a few seconds at most."""
        until = time.monotonic() + _REACHED_S
        while not reached() and time.monotonic() < until:
            self.pause(_TEND_S)

    def at_rest(self, link: Link) -> bool:
        """Whether all producers have delivered everything, and all of it is folded."""
        self.crew.tend()
        if self.load.delivering:
            return False
        with suppress(RuntallyError):
            link.open()
            return Reader(link, self.settings.partitions, load_registry()).backlog() == 0
        return False


@contextmanager
def scene(
    *,
    seed: int,
    workers: int = 1,
    producers: int = 2,
    rate: float = 300,
    extra: Sequence[str] = (),
    through: Callable[[EmbeddedValkey], str] | None = None,
    **chosen: Any,
) -> Iterator[Scene]:
    """`producers` processes that emit `rate` events a second each, `workers` Celery workers.

    `chosen`: settings of all of them. `extra`: lines of the server's configuration. `through`: makes the URL that the producers use,
    instead of the server's own."""
    with ExitStack() as exits:
        folder = Path(exits.enter_context(TemporaryDirectory(prefix="runtally-fault-")))
        server = exits.enter_context(EmbeddedValkey(extra=extra))
        settings = load_settings(**({"_env_file": None, "redis_url": server.url, "spool_dir": folder / "spool"} | chosen))
        environment = settings_environment(settings)
        if through is not None:
            environment["RUNTALLY_REDIS_URL"] = through(server)
        crew = exits.enter_context(Crew(settings, folder, workers))
        load = exits.enter_context(Load(environment, seed=seed, producers=producers, rate=rate))
        yield Scene(server, settings, crew, load, exits.enter_context(Progress(settings)))


def play(name: str, place: Scene, breaking: Callable[[Scene], None], *, seed: int) -> dict[str, Any]:
    """Break it, end the load, wait until all is at rest; the verdict."""
    breaking(place)
    ended = time.monotonic()
    place.load.end()
    link = Link(place.settings.redis_url.get_secret_value(), name="runtally-faults")
    while not place.at_rest(link) and time.monotonic() - ended < _PATIENCE_S:
        time.sleep(_TEND_S)
    recovered_s = time.monotonic() - ended
    place.progress.stop()
    link.close()
    answers = place.load.answers()
    found = reckon(place.settings, together(answers), whole_log=place.whole_log)
    return _verdict(name, place, found, answers, recovered_s) | {"seed": seed}


def _verdict(name: str, place: Scene, found: Reckoning, answers: list[Answer], recovered_s: float) -> dict[str, Any]:
    raised = [text for answer in answers for text in answer.raised]
    pending = sum(answer.pending for answer in answers)
    details = place.notes | _details(place, found, answers)
    if not found.clean:
        details["differences"] = found.told
    if raised or pending:
        details |= {"emit_raised": raised, "not_delivered": pending}
    return {
        "fault": name,
        "level": place.settings.delivery,
        "lost": found.lost,
        "doubled": found.doubled,
        "corrupt": found.corrupt,
        "stale": found.stale,
        "longest_gap_s": round(place.progress.longest_gap_s, 2),
        "recovered_s": round(recovered_s, 2),
        "ok": found.clean and not raised and not pending and recovered_s <= RECOVER_S,
        "details": details,
    }


def _details(place: Scene, found: Reckoning, answers: list[Answer]) -> dict[str, Any]:
    counters: Counter[str] = Counter()
    for answer in answers:
        counters.update(answer.counters)
    details: dict[str, Any] = {"events": sum(sum(answer.counts.values()) for answer in answers)}
    told = [name for name in sorted(counters) if name in ("resent", "spooled", "failed_rounds") or name.startswith("dropped")]
    details |= {name: counters[name] for name in told if counters[name]}
    details |= {"repeats_dropped": found.repeats} if found.repeats else {}
    details |= _emit_us(answers)
    if place.crew.deaths:
        details["worker_deaths"] = place.crew.deaths
    if refused := place.crew.log().count("commit refused"):
        details["commits_refused"] = refused
    return details


def _emit_us(answers: list[Answer]) -> dict[str, Any]:
    """What a call of emit cost while Redis was away, and before, at the slower producer; nothing where it was not away."""
    before, away = (
        max((answer.emit_us[phase]["p99"] for answer in answers if phase in answer.emit_us), default=0) for phase in ("before", "away")
    )
    if not before or not away:
        return {}
    return {"emit_p99_before_us": round(before, 1), "emit_p99_away_us": round(away, 1), "emit_p99_ratio": round(away / before, 2)}

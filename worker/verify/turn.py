"""One check by itself, as beat asks for it: told, never repaired."""

from __future__ import annotations

from collections.abc import Callable

from contract.link import Link
from contract.registry import Registry
from contract.settings import Settings
from worker.maintain import now_ms
from worker.verify.check import Options, verify
from worker.verify.patrol import Patrol
from worker.verify.told import Told


def look(settings: Settings, link: Link, registry: Registry, stop: Callable[[], bool] = lambda: False) -> None:
    """A part of the runs inside Redis; with `verify_airtable`, and a base, everything in both.

    Raises what `verify` raises. A crash has it done again.
    """
    if settings.verify_airtable and settings.has_airtable:
        report = verify(settings, link, registry, Options())
        Told(link).tell(report.findings, None, now_ms(link))
    else:
        Patrol(link, settings, registry).turn(stop)

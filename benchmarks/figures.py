"""What a measurement hands back: figures, one value a round; claims about them; and faults, which make the run fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One line of the report. `values`: one a round, in `unit`, in the order of the rounds."""

    name: str
    unit: str
    values: list[float]

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.values)


@dataclass(frozen=True)
class Claim:
    """What ought to hold, what was found, and whether it held here. A claim missed is told; it does not fail the run."""

    text: str
    found: str
    held: bool


@dataclass
class Report:
    """What one measurement found. `faults`: a ledger that does not balance; the run then ends with exit code 1."""

    name: str
    subject: str
    figures: list[Figure] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    took_s: float = 0.0

    def add(self, name: str, unit: str, values: Sequence[float]) -> Figure:
        """Add a figure; returns it."""
        figure = Figure(name, unit, list(values))
        self.figures.append(figure)
        return figure

    def at_least(self, text: str, figure: Figure, bound: float) -> None:
        """Claim that the figure's median is `bound` or more."""
        self.claims.append(Claim(text, f"{figure.median:,.1f} {figure.unit}", figure.median >= bound))

    def at_most(self, text: str, figure: Figure, bound: float) -> None:
        """Claim that the figure's median is `bound` or less."""
        self.claims.append(Claim(text, f"{figure.median:,.1f} {figure.unit}", figure.median <= bound))

    def as_dict(self) -> dict[str, Any]:
        """For `--json`: the fields, with the median and the range of each figure."""
        figures = [asdict(one) | {"median": one.median, "min": min(one.values), "max": max(one.values)} for one in self.figures]
        return asdict(self) | {"figures": figures}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round, ours over theirs: both sides of a round ran within seconds of each other."""
    return [own / other for own, other in zip(ours, theirs, strict=True)]


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of values in ascending order, at least one: p99 is the value that 99 % do not exceed."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]

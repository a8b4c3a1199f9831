"""`python -m benchmarks [NAME …] [--only NAME] [--quick] [--json] [--seed N]`.

Exit code 0; 1 when a ledger does not balance or a child failed; 2 for wrong arguments; 130 on Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import signal
import sys
import time
from datetime import UTC, datetime
from importlib import import_module

from benchmarks import screen
from benchmarks.children import ChildFailed
from benchmarks.figures import Report

NAMES = ("fold", "emit", "latency", "publish", "kills", "gateway")
"""The measurements, in the order they run: each a module with `measure(told, *, quick, seed) -> Report`."""


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen measurements and show what they found; the exit code."""
    chosen = _arguments().parse_args(arguments)
    names = [name for name in NAMES if name in (chosen.names or []) + (chosen.only or [])] or list(NAMES)
    # The developer's own settings must not lead a measurement to another server.
    for name in [name for name in os.environ if name.startswith("RUNTALLY_")]:
        del os.environ[name]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seed = secrets.randbelow(1_000_000) if chosen.seed is None else chosen.seed
    try:
        reports = _run(names, quick=chosen.quick, seed=seed)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; every child process has been ended\n")
        return 130
    except ChildFailed as error:
        sys.stderr.write(f"a child process failed: {error}\n")
        return 1
    about = {"seed": seed, "quick": chosen.quick, "date": f"{datetime.now(UTC):%Y-%m-%d}", "cores": os.cpu_count()}
    about |= {"python": platform.python_version(), "machine": platform.machine()}
    if chosen.json:
        print(json.dumps(about | {"reports": [report.as_dict() for report in reports]}, indent=2))
    else:
        screen.show(reports)
        print(" · ".join(f"{name} {value}" for name, value in about.items()))
    return 1 if any(report.faults for report in reports) else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=f"Measurements: {', '.join(NAMES)}; all of them by default.")
    parser.add_argument("names", nargs="*", type=_name, metavar="NAME", help="measure these only")
    parser.add_argument("--only", action="append", type=_name, metavar="NAME", help="the same; may be repeated")
    parser.add_argument("--quick", action="store_true", help="smaller counts: about a minute, rougher figures")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on stdout")
    parser.add_argument("--seed", type=int, help="of the events and of the kills' moments; printed at the end, random by default")
    return parser


def _name(text: str) -> str:
    if text not in NAMES:
        raise argparse.ArgumentTypeError(f"no measurement is called {text!r}; there are {', '.join(NAMES)}")
    return text


def _run(names: list[str], *, quick: bool, seed: int) -> list[Report]:
    reports = []
    with screen.progress(names) as told:
        for name in names:
            begin = time.monotonic()
            report: Report = import_module(f"benchmarks.{name}").measure(told[name], quick=quick, seed=seed)
            report.took_s = time.monotonic() - begin
            told[name](f"done in {report.took_s:.0f} s")
            reports.append(report)
    return reports


if __name__ == "__main__":
    sys.exit(main())

"""`python -m faults [--only NAME …] [--seed N] [--seconds T] [--quick] [--json] [--list]`.

Exit code 0 when every promise held; 1 when one did not; 2 for wrong arguments; 130 on Ctrl-C. No process is left behind.
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
from typing import Any

from faults import screen
from faults.discovery import Fault, discover
from faults.leftovers import adopt_orphans
from faults.running import run

SECONDS = 60.0
QUICK_S = 8.0


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen faults, one after the other, and show what came of them; the exit code."""
    there = discover()
    parser = _arguments()
    chosen = parser.parse_args(arguments)
    wanted = [word for words in chosen.only or [] for word in words]
    for word in wanted:
        if not any(fault.answers_to(word) for fault in there):
            parser.error(f"no fault is called {word!r}: --list says which there are")
    faults = [fault for fault in there if not wanted or any(fault.answers_to(word) for word in wanted)]
    if chosen.list:
        sys.stdout.write("".join(f"{fault.module.removeprefix('faults.')}: {fault.name}\n" for fault in faults))
        return 0
    # The developer's own settings must not lead a fault to another server.
    for name in [name for name in os.environ if name.startswith("RUNTALLY_")]:
        del os.environ[name]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    adopt_orphans()
    seed = secrets.randbelow(1_000_000) if chosen.seed is None else chosen.seed
    seconds = chosen.seconds or (QUICK_S if chosen.quick else SECONDS)
    try:
        verdicts = _run(faults, seed, seconds)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; every process has been ended\n")
        return 130
    _show(verdicts, seed, seconds, as_json=chosen.json)
    return 0 if all(verdict["ok"] for verdict in verdicts) else 1


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m faults", description="Break it, and count what is lost and doubled.")
    parser.add_argument("--only", action="append", nargs="+", metavar="NAME", help="these only: a fault, its file, or an area")
    parser.add_argument("--seed", type=int, help="of the events and of the faults' moments; printed with any failure, random by default")
    parser.add_argument("--seconds", type=float, metavar="T", help=f"how long each fault goes on, about (default: {SECONDS:.0f})")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_S:.0f} s a fault")
    parser.add_argument("--json", action="store_true", help="the verdicts as JSON on stdout")
    parser.add_argument("--list", action="store_true", help="say which faults there are")
    return parser


def _run(faults: list[Fault], seed: int, seconds: float) -> list[dict[str, Any]]:
    verdicts = []
    for number, fault in enumerate(faults, 1):
        screen.told(f"{number} of {len(faults)}: {fault.name}, seed {seed}, about {seconds:.0f} s")
        begin = time.monotonic()
        verdict = run(fault, seed, seconds)
        screen.told(f"    {'held' if verdict['ok'] else 'FAILED'} after {time.monotonic() - begin:.0f} s")
        verdicts.append(verdict)
    return verdicts


def _show(verdicts: list[dict[str, Any]], seed: int, seconds: float, *, as_json: bool) -> None:
    about: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "seed": seed, "seconds": seconds}
    about |= {"cores": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()}
    if as_json:
        sys.stdout.write(json.dumps(about | {"verdicts": verdicts}, indent=2) + "\n")
    else:
        screen.show(verdicts, " · ".join(f"{name} {value}" for name, value in about.items()))


if __name__ == "__main__":
    sys.exit(main())

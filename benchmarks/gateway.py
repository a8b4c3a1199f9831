"""gateway: requests and events a second over HTTP on one core; the peer is a bare echo by the same framework and server."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.children import answer_of, await_line, wait_until
from benchmarks.cpu import cpu_s
from benchmarks.figures import Report, percentile, ratios
from benchmarks.screen import Told
from benchmarks.stage import Stage, stage
from contract import keys
from producers.gateway.access import shelf
from producers.gateway.access.token import Scope, make_token

ROUNDS = 3
BATCH = 100
CONNECTIONS = 32
_SERVER_CORE = 0
_DEFAULT_PACE = 200
_GENTLE_RATE = 20
_FIRST = "first-"
_SIDES = {"echo": 1, "single": 1, "batch": BATCH}


class _Identified(msgspec.Struct):
    """As much of an event as is counted."""

    id: str


def measure(told: Told, *, quick: bool, seed: int) -> Report:
    """The sides in turn, in each of three rounds; then one token floods while another goes on at its pace."""
    del seed  # nothing here is random
    seconds = 2 if quick else 6
    report = Report("gateway", f"POST /v1/events, one core for the server, {CONNECTIONS} connections, {ROUNDS} × {seconds} s a side")
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in _SIDES}
    with stage(RUNTALLY_GATEWAY_REQUESTS_PER_S="1000000") as place:
        token = _token(place, "bench")
        for number in range(1, ROUNDS + 1):
            for side, batch in _SIDES.items():
                told(f"round {number} of {ROUNDS}: {side}, {batch} event(s) a request")
                found[side].append(_loaded(place, side, token, batch, seconds, f"{side}{number}"))
        _balance(place, report, sum(one["taken"] for side in ("single", "batch") for one in found[side]))
    _tell(report, found)
    told("one token floods, another goes on")
    _flood(report, seconds)
    return report


def _tell(report: Report, found: dict[str, list[dict[str, Any]]]) -> None:
    rates = {side: [one["requests"] / one["took_s"] for one in rounds] for side, rounds in found.items()}
    names = {"echo": "bare echo", "single": "gateway, one event a request", "batch": f"gateway, {BATCH} events a request"}
    cpu: dict[str, list[float]] = {}
    for side, name in names.items():
        report.add(name, "requests/s", rates[side])
        cpu[side] = report.add("  CPU of server", "µs/request", [one["cpu_s"] * 1e6 / one["requests"] for one in found[side]]).values
        report.add("  the load's own CPU", "% of a core", [100 * one["busy"] for one in found[side]])
    half = report.add("single events, times bare echo", "×", ratios(rates["single"], rates["echo"]))
    report.at_least("single events at no less than half the rate of a bare echo", half, 0.5)
    report.add("  by CPU time of the server", "×", ratios(cpu["echo"], cpu["single"]))
    events = report.add(f"events a second in batches of {BATCH}, times single", "×", [b * BATCH / s for b, s in _pairs(rates)])
    report.at_least("at least 20 times as many events a second in batches of 100", events, 20)
    report.notes.append("202 is answered when the log has the events. The load and the log's server run on the other core.")


def _pairs(rates: dict[str, list[float]]) -> list[tuple[float, float]]:
    return list(zip(rates["batch"], rates["single"], strict=True))


def _loaded(place: Stage, side: str, token: str, batch: int, seconds: float, name: str) -> dict[str, Any]:
    server, port = _serve(place, "echo" if side == "echo" else "gateway")
    # The first requests pay for what is made once.
    place.children.answer(*_load(port, token, f"{_FIRST}{name}", batch, CONNECTIONS, 0.3))
    begin = cpu_s(server.pid)
    answer: dict[str, Any] = place.children.answer(*_load(port, token, name, batch, CONNECTIONS, seconds))
    answer["cpu_s"] = cpu_s(server.pid) - begin
    place.children.end(server)
    if set(answer["statuses"]) != {"202"}:
        raise AssertionError(f"{side}: answered {answer['statuses']}")
    return answer


def _flood(report: Report, seconds: float) -> None:
    """With the default pace: what one token sends too much of is refused, and another's requests are served meanwhile."""
    with stage() as place:
        greedy, gentle = _token(place, "greedy"), _token(place, "gentle")
        server, port = _serve(place, "gateway")
        alone = place.children.answer(*_load(port, gentle, "alone", 1, 2, seconds, _GENTLE_RATE))
        before = _resident_mb(server.pid)
        calm = _entries(place)
        flood = place.children.start(*_load(port, greedy, "flood", BATCH, 64, seconds + 2))
        wait_until("the flood", 30, flood, lambda: _entries(place) > calm)
        beside = place.children.answer(*_load(port, gentle, "beside", 1, 2, seconds, _GENTLE_RATE))
        flooding = answer_of(flood)
        report.add("another token's request while one floods, p99", "ms", [percentile(beside["ms"], 99)])
        report.add("  without the flood, p99", "ms", [percentile(alone["ms"], 99)])
        report.add("  the flood", "requests/s", [flooding["requests"] / flooding["took_s"]])
        report.add("  refused of the flood", "%", [100 * flooding["statuses"].get("429", 0) / flooding["requests"]])
        report.add("  memory added by the flood", "MB", [_resident_mb(server.pid) - before])
        if set(beside["statuses"]) != {"202"}:
            report.faults.append(f"while another flooded, a gentle token was answered {beside['statuses']}")
        if set(flooding["statuses"]) - {"202", "429"}:
            report.faults.append(f"the flood was answered {flooding['statuses']}")


def _entries(place: Stage) -> int:
    """How many entries the log has."""
    return sum(place.link.call("XLEN", keys.log(partition)) for partition in range(place.settings().partitions))


def _balance(place: Stage, report: Report, taken: int) -> None:
    """Each event that was answered 202 stands in the log, once."""
    held: list[str] = []
    for partition in range(place.settings().partitions):
        for _, fields in place.link.call("XRANGE", keys.log(partition), "-", "+"):
            held += [event.id for event in msgspec.json.decode(fields[1], type=list[_Identified])]
    measured = [event_id for event_id in held if not event_id.startswith(_FIRST)]
    if not len(measured) == len(set(measured)) == taken:
        report.faults.append(f"{taken:,} events were answered 202, the log holds {len(measured):,}, {len(set(measured)):,} different ones")


def _serve(place: Stage, side: str) -> tuple[subprocess.Popen[bytes], int]:
    server = place.children.start("-m", "benchmarks.serving", side, str(_SERVER_CORE))
    return server, int(await_line(server))


def _load(  # the arguments of the child
    port: int, token: str, name: str, batch: int, connections: int, seconds: float, rate: float = 0
) -> list[str]:
    return ["-m", "benchmarks.requesting", *map(str, (port, token, name, batch, connections, seconds, rate))]


def _token(place: Stage, name: str) -> str:
    made = make_token(name, [Scope.INGEST], clients=[], sources=[], created_ms=time.time_ns() // 1_000_000)
    shelf.add(place.link, made.token)
    return made.text


def _resident_mb(pid: int) -> float:
    """Memory a process has in use. Source: proc(5), statm, in pages."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

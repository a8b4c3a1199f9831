"""One event a flight, each with an identity of its own, so that emitting all of them again changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from producers.publisher import Publisher

_ROOM = 20_000
"""Events between two waits for delivery: well below the buffer, so that none is dropped."""


def emit(publisher: Publisher, table: pd.DataFrame, told: Callable[[int], object]) -> int:
    """Emit every flight, and the start and end of every job and client run; the number of events. `told` gets flights emitted."""
    events = 0

    def put(kind: str, identity: str, time: pd.Timestamp, **data: Any) -> None:
        nonlocal events
        publisher.emit(kind, data, id=identity, time=time.to_pydatetime())
        events += 1
        if events % _ROOM == 0:
            publisher.flush(timeout_s=60)

    for run, flights in table.groupby("run", sort=True):
        first, last = flights["scheduled"].min(), flights["scheduled"].max()
        put("job.started", f"{run}/started", first, run_id=run, job_type="flights")
        spans = flights.groupby("carrier")["scheduled"].agg(["min", "max"])
        for carrier, span in spans.iterrows():
            put("client.run.started", f"{run}/{carrier}/started", span["min"], run_id=run, client_id=carrier)
        for flight in flights.itertuples():
            put(
                "client.metrics.updated",
                f"flight-{flight.Index}",
                flight.scheduled,
                run_id=run,
                client_id=flight.carrier,
                metrics=_of(flight),
            )
        for carrier, span in spans.iterrows():
            put("client.run.completed", f"{run}/{carrier}/completed", span["max"], run_id=run, client_id=carrier, success=True)
        put("job.completed", f"{run}/completed", last, run_id=run, success=True)
        told(len(flights))
    return events


def _of(flight: Any) -> dict[str, Any]:
    """A flight's metrics. What the table does not say is left out: a missing value is no value."""
    metrics = {
        "flights_processed": 1,
        "flights_cancelled": flight.cancelled,
        "flights_delayed": flight.delayed,
        "distance": flight.distance,
    }
    if flight.air_time == flight.air_time:  # not NaN
        metrics["air_time"] = int(flight.air_time)
    if flight.departed is not pd.NaT:
        metrics["first_departure"] = metrics["last_departure"] = flight.departed.isoformat()
    return metrics

"""What a log line is about: the keys that all lines about a row share (spec §8)."""

from __future__ import annotations

from contract.run_id import parse


def about(row_id: str | None) -> dict[str, str | None]:
    """The keys of a line about a row, or an event's subject: `scope`, `run_id`, `client_id` (None for a job).

    What is no row ID in the standard form also stands there as `subject`, as it was told. Empty for None. Never raises.
    """
    if row_id is None:
        return {}
    told = parse(row_id)
    as_told = {} if row_id == told.standard else {"subject": row_id}
    return {"scope": "CLIENT" if told.client else "SYSTEM", "run_id": told.base, "client_id": told.client, **as_told}

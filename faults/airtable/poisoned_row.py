"""One row in ten has a value that Airtable does not take."""

from __future__ import annotations

import json
from typing import Any

from faults.airtable.person import Person
from faults.airtable.place import place
from faults.airtable.play import outcome, play
from faults.airtable.rows import Rows

NAME = "a poisoned row in a batch of ten"

_TABLE = "Client Run Results"
_COLUMN = "Client Name"
_RIGHT = f"{_COLUMN} (right)"


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The column of the names has become a number, and one client in ten has a name. In the end somebody puts the column right."""
    with place(seconds) as scene:
        rows = Rows(scene.link, scene.settings.partitions, seed, jobs=2, clients=10)
        person = Person(scene.remote)
        person.rename_field(_TABLE, _COLUMN, _RIGHT)
        person.table(_TABLE).create_field(_COLUMN, "number", options={"precision": 0})

        origins: list[dict[str, Any]] = []

        def mend() -> None:
            # Between the two changes the base lacks the column, and that is set aside as well.
            origins.extend(json.loads(letter["origin"]) for letter in scene.letters())
            person.rename_field(_TABLE, _COLUMN, f"{_COLUMN} (wrong)")
            person.rename_field(_TABLE, _RIGHT, _COLUMN)

        poisoned = {rows.clients[3].row_id, rows.clients[15].row_id}
        for row in rows.clients:
            row.name = "Seven" if row.row_id in poisoned else None
        scene.start_senders("flush")
        played = play(scene, rows, seconds, lambda _: None, mend)
        others = [origin for origin in origins if origin["row"] not in poisoned or origin["field"] != _COLUMN]
        wrong = [f"set aside without reason: {others}"] if others else []
        # The third refusal of a flush leaves the column out of all rows, so not each poisoned row need have a letter of its own.
        if not origins:
            wrong.append("no poisoned row was set aside")
        return outcome(NAME, seed, scene, rows, played, *wrong, letters=len(origins))

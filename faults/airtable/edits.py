"""People edit the base while it is written: fields renamed, a select option gone, rows deleted and doubled."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from contract.status import Status
from faults.airtable.person import Person
from faults.airtable.place import Place, place
from faults.airtable.play import outcome, play
from faults.airtable.rows import Rows

NAME = "people edit the base"

_CLIENTS = "Client Run Results"


class _Edits:
    """One edit after the other, each once its time has come."""

    def __init__(self, scene: Place, rows: Rows) -> None:
        self._person = Person(scene.remote)
        self._rows = rows
        self._left = [self._rename, self._delete_row, self._remove_option]

    def __call__(self, gone: float) -> None:
        if self._left and gone > 0.25 * (4 - len(self._left)):
            self._left.pop(0)()

    def double(self) -> None:
        """Two records with the key of a row that Airtable does not have yet."""
        for _ in range(2):
            self._person.table("Job Tracking").create({"Run ID": self._rows.jobs[0].row_id})

    def mend(self) -> None:
        """The person puts things right."""
        self._person.rename_field(_CLIENTS, "Fehler", "Errors")
        self._person.add_option("Job Tracking", "Status", "Completed")

    def _rename(self) -> None:
        self._person.rename_field(_CLIENTS, "Errors", "Fehler")

    def _delete_row(self) -> None:
        for table in ("Job Tracking", _CLIENTS):
            there = self._person.table(table)
            there.delete(there.all()[0]["id"])

    def _remove_option(self) -> None:
        self._person.remove_option("Job Tracking", "Status", "Completed")
        self._rows.change(self._rows.jobs[1], status=Status.COMPLETED)


def run(seed: int, seconds: float) -> dict[str, Any]:
    """Everything that was not edited flows; each edit is reported once; after the mending every row is right by itself."""
    with place(seconds) as scene:
        rows = Rows(scene.link, scene.settings.partitions, seed, jobs=4, clients=5)
        edits = _Edits(scene, rows)
        edits.double()
        scene.start_senders("flush", "flush")
        played = play(scene, rows, seconds, edits, edits.mend)
        fields = Counter(json.loads(letter["origin"]).get("field") for letter in scene.letters())
        wrong = [] if fields["Status"] >= 1 else ["the lacking option was not reported"]
        wrong += [] if fields["Errors"] == 1 else [f"the renamed field was reported {fields['Errors']} times"]
        if scene.flushed("duplicates_merged") != 1:
            wrong.append(f"{scene.flushed('duplicates_merged')} duplicates merged")
        return outcome(NAME, seed, scene, rows, played, *wrong, letters={str(name): count for name, count in fields.items()})

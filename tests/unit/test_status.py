"""What arrives as a status becomes one of four, or is refused (spec §2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import StatusUnknown
from contract.status import Status, map_status

SILENT = {
    Status.RUNNING: ["Running", "In Progress", "Started", "Processing", "Pending"],
    Status.COMPLETED: ["Completed", "Success", "Succeeded", "Done", "Completed successfully"],
    Status.FAILED: ["Failed", "Failed:"],
    Status.NO_LEADS: ["No Leads To Score", "No leads to process", "Skipped"],
}
NOTED = {
    Status.COMPLETED: ["Completed with errors", "Partial"],
    Status.FAILED: [
        "Error", "Timed out", "Aborted", "Canceled", "Cancelled", "Client timeout killed", "Job timeout killed",
        "Client/Job timeout killed",
    ],
}  # fmt: skip


def spellings(word: str) -> list[str]:
    """The spellings that the table does not tell apart."""
    return [
        word,
        word.upper(),
        word.lower(),
        f"  {word}\n",
        word.replace(" ", "_"),
        word.replace(" ", "-"),
        word.replace(" ", ""),
        word.replace(" ", "  "),
    ]


@pytest.mark.parametrize(
    ("text", "status"), [(text, status) for status, words in SILENT.items() for word in words for text in spellings(word)]
)
def test_word_of_the_table_maps_without_a_note(text: str, status: Status) -> None:
    assert map_status(text) == (status, None)


@pytest.mark.parametrize(
    ("text", "status"), [(text, status) for status, words in NOTED.items() for word in words for text in spellings(word)]
)
def test_word_that_says_more_than_its_status_is_kept_as_note(text: str, status: Status) -> None:
    assert map_status(text) == (status, text.strip())


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("Failed: quota used up", "quota used up"),
        ("FAILED:quota: used up", "quota: used up"),
        ("  f-a_iled :  line one\nline two ", "line one\nline two"),
        ("Failed: Completed", "Completed"),
    ],
)
def test_failed_with_text_keeps_the_text(text: str, note: str) -> None:
    assert map_status(text) == (Status.FAILED, note)


@pytest.mark.parametrize("status", Status)
def test_each_status_maps_to_itself(status: Status) -> None:
    assert map_status(status) == (status, None)
    assert map_status(status.value) == (status, None)


@pytest.mark.parametrize(
    "value",
    ["", " ", "-", "Unknown", "complete", "Fail", "Completed: with text", "Running: yes", "Timeout", "OK", "failedx: y",
     "Running Completed",
     "Ｒunning", "Completed.",  "x" * 100_000, None, True, False, 0, 1, 1.5, float("nan"), b"Running", ["Running"],
     {"status": "Running"}, ...],
    ids=lambda value: ascii(value)[:30],
)  # fmt: skip
def test_anything_else_is_refused_with_a_helpful_message(value: object) -> None:
    with pytest.raises(StatusUnknown, match="send Running, Completed, Failed, No Leads To Score") as caught:
        map_status(value)
    assert len(str(caught.value)) < 250


@given(st.one_of(st.text(), st.sampled_from(["Failed:", "Running"]).flatmap(lambda head: st.text().map(lambda tail: head + tail))))
def test_there_is_never_a_fifth_value(text: str) -> None:
    try:
        status, note = map_status(text)
    except StatusUnknown:
        return
    assert status in list(Status)
    assert note is None or note == note.strip() != ""

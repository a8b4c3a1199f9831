"""Reading run IDs never raises, whatever it is given, and agrees with the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import RunIdInvalid
from contract.run_id import Format, is_valid, parse, require, with_client


class Hostile:
    """An object that raises wherever it is looked at."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not equal")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise RuntimeError("no class")


class HostileText(str):
    """A text whose own methods raise."""

    __slots__ = ()

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def strip(self, chars: str | None = None, /) -> str:
        raise RuntimeError("no strip")


class HostileZone(tzinfo):
    """A zone that raises."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        raise KeyError("no offset")


NAIVE = datetime(2025, 9, 30, 14, 15, 22)  # noqa: DTZ001  # naive on purpose
NOT_TEXT = [
    None, True, 0, 250930141522, -1, 250930141522.0, float("nan"), float("inf"), 10**5000, b"250930-141522", bytearray(b"x"), [], {}, (),
    object(), Mock(), Mock(spec=str), ["250930-141522"], {"base": "250930-141522"}, str, date(2025, 9, 30),
    NAIVE, datetime(2025, 9, 30, tzinfo=HostileZone()), datetime(1999, 1, 1, tzinfo=UTC),
]  # fmt: skip


@pytest.mark.parametrize("value", NOT_TEXT, ids=lambda value: type(value).__name__)
def test_what_is_no_text_is_invalid_whatever_it_does(value: object) -> None:
    run = parse(value)
    assert run.format is Format.INVALID
    assert run.reason
    assert len(run.original) < 200
    with pytest.raises(RunIdInvalid):
        require(value)


def test_an_object_that_raises_wherever_it_is_looked_at_is_invalid() -> None:
    assert parse(Hostile()).format is Format.INVALID
    with pytest.raises(RunIdInvalid):
        with_client("250930-141522", Hostile())  # type: ignore[arg-type]


def test_text_subclass_is_read_as_the_text_it_holds() -> None:
    assert parse(HostileText("250930-141522-Jane")).client == "Jane"


def test_aware_datetime_is_read_as_its_iso_form() -> None:
    run = parse(datetime(2025, 9, 30, 16, 15, 22, 999, tzinfo=timezone(timedelta(hours=2))))
    assert (run.format, run.standard) == (Format.ISO, "250930-141522")


@given(
    st.one_of(st.text(), st.binary(), st.floats(), st.integers(), st.datetimes(timezones=st.timezones()), st.none(), st.lists(st.text()))
)
def test_parse_never_raises(value: object) -> None:
    run = parse(value)
    assert run.valid == (run.standard is not None) == (run.reason == "")


@given(st.from_regex(r"\A(job_|SR-|apify-|20|25)?[-_0-9a-zA-Z.:TZ+ ]{0,40}\Z"))
def test_what_looks_like_a_run_id_never_raises_and_converts_to_itself(text: str) -> None:
    run = parse(text)
    if run.standard is not None:
        again = parse(run.standard)
        assert (again.format, again.standard, again.client) == (Format.STANDARD, run.standard, run.client)


@given(st.integers(0, 36525 * 86_400 - 1))
def test_every_second_of_the_century_has_a_standard_form(second: int) -> None:
    moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    base = f"{moment:%y%m%d-%H%M%S}"
    assert parse(base).started_at == moment
    assert parse(moment.isoformat()).standard == base


@given(st.from_regex(r"\A[0-9]{6}-[0-9]{6}\Z"))
def test_validity_is_that_of_the_calendar(text: str) -> None:
    try:
        datetime.strptime("20" + text, "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
        exists = text[11:13] <= "59"  # strptime lets seconds be 60 and 61
    except ValueError:
        exists = False
    assert is_valid(text) is exists

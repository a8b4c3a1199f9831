"""Reading run IDs: every format of spec §3, and everything that is none."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from contract.errors import RunIdInvalid
from contract.run_id import MAX_CHARS, Format, RunId, convert, is_valid, parse, require

STANDARD = [
    ("250930-141522", "250930-141522", None),
    ("240229-000000", "240229-000000", None),
    ("000229-235959", "000229-235959", None),
    ("000101-000000", "000101-000000", None),
    ("991231-235959", "991231-235959", None),
    ("250930-141522-Jane-Doe", "250930-141522", "Jane-Doe"),
    ("250930-141522-Jane-Doe-Jane-Doe", "250930-141522", "Jane-Doe-Jane-Doe"),
    ("250930-141522-250930-141522", "250930-141522", "250930-141522"),
    ("250930-141522--Jane-", "250930-141522", "-Jane-"),
    ("250930-141522-338", "250930-141522", "338"),
    ("250930-141522-{a}:*/?[b]", "250930-141522", "{a}:*/?[b]"),
    ("250930-141522-Zoë 王 🙂", "250930-141522", "Zoë 王 🙂"),
    ("250930-141522-recABC123", "250930-141522", "recABC123"),
    ("250930-141522-v1.0", "250930-141522", "v1.0"),
    ("250930-141522-apify-short", "250930-141522", "apify-short"),
    ("250930-141522-apify-aB3dE5fG7hJ9kL1mNo", "250930-141522", "apify-aB3dE5fG7hJ9kL1mNo"),
    ("250930-141522-UNKNOWN", "250930-141522", "UNKNOWN"),
    ("250930-141522-" + "x" * 200, "250930-141522", "x" * 200),
    ("  250930-141522\n", "250930-141522", None),
    ("\u00a0250930-141522-Jane Doe\t", "250930-141522", "Jane Doe"),
    ("250930-141522.0", "250930-141522", None),
    (" 250930-141522.0 ", "250930-141522", None),
]


@pytest.mark.parametrize(("text", "base", "client"), STANDARD)
def test_standard_form_is_read_with_its_client_verbatim(text: str, base: str, client: str | None) -> None:
    run = parse(text)
    assert run == RunId(Format.STANDARD, text, base, client)
    assert run.valid
    assert run.standard == (f"{base}-{client}" if client else base)


LEGACY = [
    (
        "job_post_scoring_stream1_20250929094802",
        Format.STREAM_TIMESTAMP,
        {"base": "250929-094802", "stream": 1, "operation": "post_scoring"},
    ),
    (
        "job_lead_scoring_stream12_20240229235959",
        Format.STREAM_TIMESTAMP,
        {"base": "240229-235959", "stream": 12, "operation": "lead_scoring"},
    ),
    (
        "JOB_post_scoring_STREAM1_20250929094802",
        Format.STREAM_TIMESTAMP,
        {"base": "250929-094802", "stream": 1, "operation": "post_scoring"},
    ),
    ("job_post_scoring_20250929094802", Format.STREAM_TIMESTAMP, {"base": "250929-094802", "operation": "post_scoring"}),
    ("job_post_scoring_bypass_1717146242405", Format.EPOCH_MS, {"base": "240531-090402", "operation": "post_scoring_bypass"}),
    ("job_post_scoring_1717146242405", Format.EPOCH_MS, {"base": "240531-090402", "operation": "post_scoring"}),
    ("job_post_scoring_1717146242999", Format.EPOCH_MS, {"base": "240531-090402", "operation": "post_scoring"}),
    ("job_post_scoring_1717146242405.0", Format.EPOCH_MS, {"base": "240531-090402", "operation": "post_scoring"}),
    ("job_post_scoring_stream2_1717146242405", Format.EPOCH_MS, {"base": "240531-090402", "operation": "post_scoring", "stream": 2}),
    ("250930-141522-apify-aB3dE5fG7hJ9kL1mN", Format.APIFY_SUFFIXED, {"base": "250930-141522", "external_id": "aB3dE5fG7hJ9kL1mN"}),
    ("250930-141522-APIFY-aB3dE5fG7hJ9kL1mN", Format.APIFY_SUFFIXED, {"base": "250930-141522", "external_id": "aB3dE5fG7hJ9kL1mN"}),
    ("250930-141522-apify-aB3dE5fG7hJ9kL1mN.0", Format.APIFY_SUFFIXED, {"base": "250930-141522", "external_id": "aB3dE5fG7hJ9kL1mN"}),
    ("20250923-040841-338", Format.LOG_SESSION, {"base": "250923-040841", "sequence": 338}),
    ("20250923-040841-338.0", Format.LOG_SESSION, {"base": "250923-040841", "sequence": 338}),
    ("20250923-040841", Format.LOG_SESSION, {"base": "250923-040841"}),
    ("2025-09-30T14:15:22Z", Format.ISO, {"base": "250930-141522"}),
    ("2025-09-30t14:15:22z", Format.ISO, {"base": "250930-141522"}),
    ("2025-09-30 14:15:22+00:00", Format.ISO, {"base": "250930-141522"}),
    ("2025-09-30T14:15:22.999999Z", Format.ISO, {"base": "250930-141522"}),
    ("2025-09-30T14:15:22.405Z", Format.ISO, {"base": "250930-141522"}),
    ("2025-10-01T01:15:22+11:00", Format.ISO, {"base": "250930-141522"}),
    ("2025-09-30T09:15:22-0500", Format.ISO, {"base": "250930-141522"}),
    ("20250930T141522Z", Format.ISO, {"base": "250930-141522"}),
    ("2000-01-01T00:00:00Z", Format.ISO, {"base": "000101-000000"}),
]


@pytest.mark.parametrize(("text", "form", "says"), LEGACY)
def test_legacy_format_is_converted_and_nothing_invented(text: str, form: Format, says: dict[str, object]) -> None:
    run = parse(text)
    assert run == RunId(form, text, **says)  # type: ignore[arg-type]  # every other field is None
    assert run.standard == says["base"] == convert(text)
    assert run.client is None


WITHOUT_STANDARD_FORM = [
    ("SR-250923-001-S1-CJane-Doe", Format.LEGACY_SR, {"date": date(2025, 9, 23), "sequence": 1, "stream": 1, "client": "Jane-Doe"}),
    (
        "SR-250924-001-T1899-S1-C123-456",
        Format.LEGACY_SR,
        {"date": date(2025, 9, 24), "sequence": 1, "task": 1899, "stream": 1, "client": "123-456"},
    ),
    ("SR-250922-002", Format.LEGACY_SR, {"date": date(2025, 9, 22), "sequence": 2}),
    ("sr-250922-002.0", Format.LEGACY_SR, {"date": date(2025, 9, 22), "sequence": 2}),
    ("SR-250922-002-Cv1.0", Format.LEGACY_SR, {"date": date(2025, 9, 22), "sequence": 2, "client": "v1.0"}),
    ("SR-250922-002-S3", Format.LEGACY_SR, {"date": date(2025, 9, 22), "sequence": 2, "stream": 3}),
    ("aB3dE5fG7hJ9kL1mN", Format.EXTERNAL, {"external_id": "aB3dE5fG7hJ9kL1mN"}),
    ("12345678901234567", Format.EXTERNAL, {"external_id": "12345678901234567"}),
    ("apify-aB3dE5fG7hJ9kL1mN", Format.EXTERNAL, {"external_id": "aB3dE5fG7hJ9kL1mN"}),
    ("Apify-x1", Format.EXTERNAL, {"external_id": "x1"}),
]


@pytest.mark.parametrize(("text", "form", "says"), WITHOUT_STANDARD_FORM)
def test_format_without_time_of_day_has_no_standard_form(text: str, form: Format, says: dict[str, object]) -> None:
    run = parse(text)
    assert run == RunId(form, text, reason=run.reason, **says)  # type: ignore[arg-type]
    assert run.reason
    assert run.standard is None
    assert not run.valid
    with pytest.raises(RunIdInvalid):
        convert(text)


INVALID = [
    "", " ", "\x00", "-", "250930", "250930-", "250930141522", "250930_141522", "250930-14152", "250930-1415222", "2509300-141522",
    "259999-999999", "250229-120000", "251301-120000", "250001-120000", "250100-120000", "250431-120000", "250930-240000",
    "250930-146000", "250930-141560", "250930-141522-", "250930-141522- ", "250930 -141522", "2509 30-141522", "250930-141522Jane",
    "250930-141522.00", "250930-141522.5", ".0", "250930-141522-a\x00b", "250930-141522-a\nb", "250930-141522-a\x85b",
    "250930-141522-\ud800", "250930-141522-" + "x" * 201, "٢٥٠٩٣٠-١٤١٥٢٢", "２５０９３０-１４１５２２", "²50930-141522", "25093O-141522",
    "x250930-141522", "run-250930-141522", "250930–141522", "+50930-141522",
    "job_post_scoring_streamX_20250929094802", "job_post_scoring_stream_20250929094802", "job_post_scoring_stream²_20250929094802",
    "job_post_scoring_stream٣_20250929094802", "job_post_scoring_stream_x_20250929094802", "job_post_scoring_stream-1_20250929094802",
    "job_post_scoring_stream1_20251329094802", "job_post_scoring_stream1_20250229094802", "job_post_scoring_stream1_19990929094802",
    "job_post_scoring_stream9999999999_20250929094802", "job__20250929094802", "job_20250929094802", "job_post_scoring_stream1",
    "job_post_scoring_9999999999999", "job_post_scoring_0000000000000", "job_post_scoring_171714624240", "job_post-scoring_1717146242405",
    "20250923-040841-338-1", "20250923-040841-Jane-Doe", "20251323-040841-338", "19990923-040841-338", "20250923-240841-338",
    "SR-259999-001", "SR-250923", "SR-250923-", "SR-250923-001-S1-C", "SR-250923-001-SX", "SR-250923-001-S1-T1", "SR-250923-001-Ca\nb",
    "2025-09-30T14:15:22", "2025-09-30", "2025-09-30Z", "2025-13-30T14:15:22Z", "2025-09-30T25:15:22Z", "2025-09-30T14:15:60Z",
    "1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "2099-12-31T23:59:59-01:00", "0001-01-01T00:00:00+23:00", "2025-09-30T14:15:22Z-Jane",
    "2025-09-30T14:15:22+25:00", "2025-W40-2T14:15:22Z",
    "smart_resume_1758600000000_ab1cd", "SMART_RESUME_x", "UNKNOWN", "unknown", "SYSTEM", "System", "[object Object]", "[OBJECT OBJECT]",
    "null", "None", "NaN", "undefined", "N/A", "apify-", "apify-a b", "apify-" + "x" * 65, "aB3dE5fG7hJ9kL1m", "aB3dE5fG7hJ9kL1mé",
    "aB3dE5fG7hJ9kL1m-", "1717146242405", "x" * (MAX_CHARS + 1), "250930-141522" + " " * MAX_CHARS, "250930-141522-" + "x" * 10**6,
]  # fmt: skip


@pytest.mark.parametrize("text", INVALID, ids=lambda text: ascii(text[:40]))
def test_what_is_no_run_id_is_invalid_with_a_reason(text: str) -> None:
    run = parse(text)
    assert (run.format, run.base, run.client, run.standard) == (Format.INVALID, None, None, None)
    assert run.reason
    assert run.original == text[:MAX_CHARS]
    assert not is_valid(text)


def test_a_read_run_id_is_returned_as_it_is() -> None:
    run = parse("SR-250922-002")
    assert parse(run) is run


def test_a_run_id_is_immutable() -> None:
    with pytest.raises(AttributeError):
        parse("250930-141522").base = "250930-141523"  # type: ignore[misc]


def test_started_at_is_the_aware_time_of_the_base() -> None:
    assert parse("240229-235959-Jane").started_at == datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
    assert parse("SR-250922-002").started_at is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("SR-250922-002", "no time of day"),
        ("259999-999999", "no date and time"),
        ("UNKNOWN", "placeholder"),
        ("smart_resume_1_a", "request token"),
        ("apify-abc", "Apify"),
        ("2025-09-30T14:15:22", "zone"),
        (None, "NoneType, not text"),
        ("", "empty"),
        ("job_a_streamX_20250929094802", "stream"),
    ],
)
def test_require_says_what_is_wrong_and_what_to_do(value: object, words: str) -> None:
    with pytest.raises(RunIdInvalid, match=words) as caught:
        require(value)
    assert "use YYMMDD-HHMMSS" in str(caught.value)


def test_hostile_text_is_quoted_and_shortened_in_messages() -> None:
    with pytest.raises(RunIdInvalid) as caught:
        require("\x1b[31m\r\n\ud800" + "x" * 900)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 300


def test_the_table_on_the_page_of_run_ids_is_true() -> None:
    page = Path(__file__).parents[2].joinpath("docs/run-ids.md").read_text()
    rows = re.findall(r"^\| `([^`]+)`.*?\| `(\w+)` \| ([^|]+?) \|", page, re.MULTILINE)
    assert {row[1] for row in rows} == set(Format)
    for text, form, standard in rows:
        expected = {"itself": text}.get(standard, None if standard.startswith("none") else standard.strip("`"))
        assert (parse(text).format, parse(text).standard) == (form, expected)

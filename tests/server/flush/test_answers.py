"""Every shape in which Airtable, or what stands in front of it, has been seen to refuse."""

from __future__ import annotations

import pytest
import requests

from contract.errors import AirtableBusy, AirtableRejected, AirtableUnclear, RuntallyError, SettingsInvalid
from worker.flush.answers import RateExceeded, Unanswered, understood

LIMIT = b'{"errors": [{"error": "RATE_LIMIT_REACHED", "message": "Rate limit exceeded. Please try again later"}]}'
MONTH = b'{"errors": [{"error": "PUBLIC_API_BILLING_LIMIT_EXCEEDED", "message": "spent"}]}'


def refused(status: int, body: bytes, **headers: str) -> RuntallyError:
    """What an answer becomes."""
    response = requests.Response()
    response.status_code = status
    response._content = body
    response.headers.update(headers)
    with pytest.raises(RuntallyError) as caught, understood("pat-secret", 30.0):
        raise requests.HTTPError(response=response)
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (422, b'{"error": {"type": "UNKNOWN_FIELD_NAME", "message": "Unknown field name: \\"X\\""}}', "UNKNOWN_FIELD_NAME"),
        (404, b'{"error": "NOT_FOUND"}', "NOT_FOUND"),
        (403, b'{"error": {"type": "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"}}', "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"),
        (422, b"[]", "NO_OBJECT"),
        (400, b"<html>", "NO_JSON"),
        (402, b"{}", "UNKNOWN"),
        (429, MONTH, "PUBLIC_API_BILLING_LIMIT_EXCEEDED"),
    ],
)
def test_refused_for_good(status: int, body: bytes, kind: str) -> None:
    error = refused(status, body)
    assert isinstance(error, AirtableRejected)
    assert (error.status, error.kind) == (status, kind)


@pytest.mark.parametrize("status", [500, 502, 504, 408, 520])
def test_of_unknown_outcome(status: int) -> None:
    assert isinstance(refused(status, b"<html>Bad Gateway</html>"), AirtableUnclear)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({}, 30, 30),
        ({"Retry-After": "45"}, 45, 45),
        ({"Retry-After": "5"}, 30, 30),
        ({"Retry-After": "soon"}, 30, 30),
        ({"Retry-After": "99999"}, 3600, 3600),
    ],
)
def test_a_429_waits_for_thirty_seconds_or_longer_when_told(headers: dict[str, str], least: float, most: float) -> None:
    error = refused(429, LIMIT, **headers)
    assert isinstance(error, RateExceeded)
    assert least <= error.retry_after_s <= most


def test_a_503_waits_as_long_as_told() -> None:
    error = refused(503, b'{"error": {"type": "RETRIABLE_ERROR"}}', **{"Retry-After": "7"})
    assert isinstance(error, AirtableBusy)
    assert error.retry_after_s == 7
    assert not isinstance(error, RateExceeded)


def test_the_token_is_in_no_error() -> None:
    assert "pat-secret" not in str(refused(422, b'{"error": {"type": "X", "message": "bad token pat-secret"}}'))


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (requests.ReadTimeout(), Unanswered),
        (requests.ConnectionError("reset"), Unanswered),
        (requests.exceptions.ChunkedEncodingError(), Unanswered),
        (KeyError("records"), AirtableUnclear),
        (requests.exceptions.InvalidURL("x"), SettingsInvalid),
    ],
)
def test_no_answer(raised: Exception, becomes: type[Exception]) -> None:
    with pytest.raises(becomes), understood("pat-secret", 30.0):
        raise raised


def test_an_address_where_nobody_listens_was_never_sent() -> None:
    with pytest.raises(AirtableBusy), understood("pat-secret", 30.0):
        requests.get("http://127.0.0.1:9", timeout=1)

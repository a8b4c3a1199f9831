"""What an answer of Airtable, or none, means for the caller: refused for now, refused for good, or unknown.

Shapes and texts: airtable.com/developers/web/api/errors, and what others have recorded of the 429s.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from contract.errors import AirtableBusy, AirtableRejected, AirtableUnclear, RuntallyError, SettingsInvalid

LOCKOUT_S = 30.0
"""How long a base refuses everybody after a 429. Source: airtable.com/developers/web/api/rate-limits."""

RETRY_S = 1.0
"""How long to wait at least where Airtable does not say."""

_MONTH_SPENT = "PUBLIC_API_BILLING_LIMIT_EXCEEDED"
_MAX_MESSAGE = 500


class Unreachable(AirtableBusy):
    """Nothing was sent: no connection came about."""


class MonthSpent(AirtableRejected):
    """429: the workspace's calls of the month are spent."""


class RateExceeded(AirtableBusy):
    """429: the base takes no request of anybody for `retry_after_s`. The limiter owns that wait."""


class Unanswered(AirtableUnclear):
    """Sent, and no answer was seen (timeout, reset): the request may still arrive at Airtable."""


@contextmanager
def understood(secret: str, lockout_s: float) -> Iterator[None]:
    """Turns what pyairtable and requests raise into AirtableBusy, AirtableUnclear or AirtableRejected.

    `secret` is in none of their texts. `lockout_s` is the wait after a 429 that does not say a longer one.
    """
    try:
        yield
    except requests.HTTPError as error:
        raise _refusal(error.response, secret, lockout_s) from error
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema) as error:
        raise SettingsInvalid(f"RUNTALLY_AIRTABLE_URL is no address: {error}") from error
    except requests.ConnectionError as error:
        if _never_sent(error):
            raise Unreachable("Airtable cannot be reached", RETRY_S) from error
        raise Unanswered(f"connection to Airtable lost: {type(error).__name__}") from error
    except requests.JSONDecodeError as error:
        raise AirtableUnclear("Airtable's answer is no JSON") from error
    except requests.RequestException as error:
        raise Unanswered(f"no whole answer from Airtable: {type(error).__name__}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # Where pyairtable, or we, looked for something in an answer that is not there.
        raise AirtableUnclear(f"Airtable's answer has not the promised form: {type(error).__name__}") from error


def _never_sent(error: requests.ConnectionError) -> bool:
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def _refusal(response: requests.Response, secret: str, lockout_s: float) -> RuntallyError:
    status = response.status_code
    kind, message = _said(response)
    text = f"Airtable answered {status} {kind}: {message}".replace(secret, "***")[:_MAX_MESSAGE]
    if status == requests.codes.too_many_requests:
        if kind == _MONTH_SPENT:
            return MonthSpent(f"{text}. The workspace's calls of this month are spent: wait, or choose a larger plan", status, kind)
        return RateExceeded(text, _retry_after_s(response, lockout_s))
    if status == requests.codes.service_unavailable:
        return AirtableBusy(text, _retry_after_s(response, RETRY_S))
    if status >= 500 or status == requests.codes.request_timeout:
        return AirtableUnclear(text)
    return AirtableRejected(text, status, kind)


def _said(response: requests.Response) -> tuple[str, str]:
    """Type and message, from any of the shapes `{"error": {...}}`, `{"error": "TYPE"}`, `{"errors": [{...}]}`, or no JSON."""
    try:
        body: Any = response.json()
    except ValueError:
        return "NO_JSON", response.text[:200]
    if not isinstance(body, dict):
        return "NO_OBJECT", str(body)[:200]
    listed = body.get("errors")
    said = listed[0] if isinstance(listed, list) and listed else body.get("error", "")
    if isinstance(said, dict):
        return str(said.get("type") or said.get("error") or "UNKNOWN"), str(said.get("message") or "")
    return str(said or "UNKNOWN"), ""


def _retry_after_s(response: requests.Response, default_s: float) -> float:
    """The header `Retry-After`, seconds or a date, but at least the default and at most an hour."""
    text = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(text) if text.isdigit() else (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return default_s
    return min(max(seconds, default_s), 3600.0)

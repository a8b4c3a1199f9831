"""A client's run over HTTP without CloudEvents: what adds up counts once under its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx2 as httpx
import pytest

RUN = "250930-141522"
Folded = Callable[[str], dict[str, Any] | None]


def count(http: httpx.Client, key: str | None = None, client: str = "a", **asked: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return http.post(f"/v1/jobs/{RUN}/clients/{quote(client, safe='')}/metrics", json=asked, headers=headers)


def complete(http: httpx.Client, client: str = "a", **asked: Any) -> httpx.Response:
    return http.post(f"/v1/jobs/{RUN}/clients/{quote(client, safe='')}/complete", json=asked)


def only(job: dict[str, Any] | None) -> dict[str, Any]:
    assert job is not None
    (client,) = job["clients"]
    return dict(client)


def test_observations_add_up_once_a_key_and_totals_replace(http: httpx.Client, folded: Folded) -> None:
    for key in ("1", "1", "2", "2"):
        assert count(http, key, metrics={"leads_processed": 5, "Leads Skipped": 1}, skips={"NO_CONTENT": 1}).status_code == 202
    row = only(folded(RUN))
    assert (row["metrics"], row["skips"]) == ({"Leads Processed": 10, "Leads Skipped": 2}, {"NO_CONTENT": 2})

    for _ in range(2):
        assert count(http, totals={"leads_processed": 7}, client_name="A Ltd").status_code == 202
    row = only(folded(RUN))
    assert (row["metrics"], row["client_name"]) == ({"Leads Processed": 7, "Leads Skipped": 2}, "A Ltd")


def test_what_adds_up_needs_a_key(http: httpx.Client, folded: Folded) -> None:
    for asked in ({"metrics": {"errors": 1}}, {"skips": {"TIMEOUT": 1}}, {"error": "x"}, {"notes": "x"}):
        assert count(http, **asked).json()["code"] == "key-missing"

    assert folded(RUN) is None


def test_an_outcome_with_final_totals(http: httpx.Client, folded: Folded) -> None:
    count(http, "1", metrics={"leads_processed": 5})
    for _ in range(3):
        assert complete(http, success=False, error="quota spent").json() == {"run_id": f"{RUN}-a"}
    row = only(folded(RUN))
    assert (row["status"], row["events"]) == ("Failed", 2)
    assert "quota spent" in row["errors"]

    assert complete(http, success=True, totals={"leads_processed": 8}).status_code == 202
    row = only(folded(RUN))
    assert (row["status"], row["metrics"]) == ("Completed", {"Leads Processed": 8})


@pytest.mark.parametrize("client", ["Jane Doe", "a/b/metrics", "100%", "ü", "x?y#z"])
def test_any_client_id_can_stand_in_the_path(http: httpx.Client, folded: Folded, client: str) -> None:
    assert count(http, "1", client, metrics={"leads_processed": 1}).status_code == 202
    assert complete(http, client, success=True).status_code == 202

    row = only(folded(RUN))
    assert (row["client_id"], row["status"]) == (client, "Completed")


def test_what_is_no_run_or_client_is_refused(http: httpx.Client) -> None:
    assert complete(http, " ", success=True).json()["errors"][0]["where"] == "client"
    assert complete(http, "a", success="yes").json()["errors"][0]["where"] == "success"
    assert http.post(f"/v1/jobs/{RUN}-b/clients/a/complete", json={"success": True}).status_code == 422


def test_a_limited_token_tells_of_its_own_clients(served: Any, new_token: Callable[..., str], folded: Folded) -> None:
    headers = {"Authorization": f"Bearer {new_token('ingest', clients=['a'])}"}
    with httpx.Client(base_url=served.url, headers=headers) as own:
        assert count(own, "1", metrics={"leads_processed": 1}).status_code == 202
        assert complete(own, "b", success=True).status_code == 403

    assert only(folded(RUN))["client_id"] == "a"

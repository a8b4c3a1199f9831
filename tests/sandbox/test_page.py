"""The page for people: what it shows, how it escapes, who may see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import httpx2
import pytest
from pyairtable.api.table import Table

from airtable_sandbox import Sandbox

HOSTILE = """<script>alert("x")</script>'"&amp;<img src=x onerror=alert(1)>"""


@pytest.fixture
def browser(sandbox: Sandbox) -> Iterator[httpx2.Client]:
    """Asks without a token."""
    with httpx2.Client(base_url=sandbox.url) as client:
        yield client


def address(table: Table) -> str:
    return f"/bases/{table.base.id}/{table.id}"


def firsts(page: str) -> list[str]:
    """The primary values shown, from top to bottom."""
    return [unescape(text) for text in re.findall(r"<th scope=row><div>(.*?)</div></th>", page, re.DOTALL)]


def test_the_overview_leads_to_every_table(browser: httpx2.Client, jobs: Table) -> None:
    jobs.batch_create([{"Run ID": str(number)} for number in range(3)])
    page = browser.get("/").text
    assert f'<a href="{address(jobs)}"><bdi>Job Tracking</bdi></a><span class=soft>3</span>' in page
    assert browser.get(address(jobs)).status_code == 200


def test_cells_read_as_people_expect(browser: httpx2.Client, jobs: Table, clients: Table, sandbox: Sandbox) -> None:
    sandbox.add_formula_field(jobs.id, "Bad", "'a'+1", jobs.base.id)
    job = jobs.create({"Run ID": "250930-141522", "Leads": 1234, "Rate": 0.875, "Cost": 1.5, "Done": True, "Status": "Running",
                       "Start Time": "2025-09-30T14:15:22Z", "Day": "2025-09-30", "Tags": ["red", "blue"]})  # fmt: skip
    clients.create({"Run ID": "a", "Job": [job["id"]]})
    page = browser.get(address(jobs)).text
    for shown in ("1,234", "87.5 %", "$1.5000", "✓", "<span>Running</span>", "2025-09-30 14:15:22", "red, blue", "#ERROR!", "1 record,"):
        assert shown in page
    assert "250930-141522" in browser.get(address(clients)).text


def test_newest_first_in_pages(browser: httpx2.Client, jobs: Table) -> None:
    jobs.batch_create([{"Run ID": f"run {number}"} for number in range(120)])
    first = browser.get(address(jobs)).text
    assert firsts(first) == [f"run {number}" for number in range(119, 69, -1)]
    assert "Newer" not in first
    last = browser.get(address(jobs), params={"page": 3}).text
    assert firsts(last)[-1] == "run 0"
    assert "Older" not in last
    for odd in ("0", "-1", "99", "x", "²", "9" * 5000):
        assert browser.get(address(jobs), params={"page": odd}).status_code == 200


def test_it_reloads_only_when_asked(browser: httpx2.Client, jobs: Table) -> None:
    assert "http-equiv" not in browser.get(address(jobs)).text
    assert '<meta http-equiv=refresh content="5">' in browser.get(address(jobs), params={"refresh": 1}).text


def test_hostile_text_stays_text(browser: httpx2.Client, jobs: Table, sandbox: Sandbox) -> None:
    table = jobs.base.create_table(HOSTILE, [{"name": HOSTILE, "type": "singleLineText"}])
    table.create({HOSTILE: HOSTILE})
    for page in (browser.get(address(table)).text, browser.get("/").text):
        assert "<script" not in page
        assert "<img" not in page
    assert firsts(browser.get(address(table)).text) == [HOSTILE]


def test_a_huge_cell_is_cut(browser: httpx2.Client, jobs: Table) -> None:
    jobs.create({"Run ID": "a", "Notes": "n" * 100_000})
    assert len(browser.get(address(jobs)).content) < 20_000


def test_strict_headers(browser: httpx2.Client, jobs: Table) -> None:
    for path in ("/", "/style.css", address(jobs), "/nope"):
        headers = browser.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
    assert "style=" not in browser.get(address(jobs)).text


@pytest.mark.parametrize("path", ["/nope", "/bases", "/bases/app00000000000000/x", "/style.css/x", "/server.py"])
def test_no_such_page(browser: httpx2.Client, path: str) -> None:
    assert browser.get(path).status_code == 404


def test_the_page_only_reads(browser: httpx2.Client, jobs: Table) -> None:
    assert browser.post("/").status_code == 405
    assert browser.delete(address(jobs)).status_code == 405


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[", ""])
def test_other_names_for_this_machine_are_refused(browser: httpx2.Client, host: str) -> None:
    assert browser.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1", "[::1]:80"])
def test_own_names_are_fine(browser: httpx2.Client, host: str) -> None:
    assert browser.get("/", headers={"host": host}).status_code == 200


def test_nobody_can_claim_to_be_local_or_remote(browser: httpx2.Client) -> None:
    assert browser.get("/", headers={"x-forwarded-for": "8.8.8.8"}).status_code == 200

"""The pages of `runtally sandbox`, looked at with a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect
from pyairtable.api.table import Table

from tests.sandbox.conftest import FIELDS
from tests.web.conftest import Visitor
from tests.web.sandbox_process import SandboxProcess
from tests.web.visiting import ARABIC, DESKTOP, HOSTILE, LONG, PHONE, Visit

ANSWER_MS = 20_000
"""The page looks again every 5 s."""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    process = SandboxProcess(tmp_path_factory.mktemp("sandbox"))
    yield process
    assert process.end() == 0


@pytest.fixture(scope="module")
def jobs(sandbox: SandboxProcess) -> Table:
    """Three runs as people have them, the last with all that is hostile."""
    table = sandbox.base.create_table("Job Tracking", FIELDS)
    for number in range(3):
        table.create({"Run ID": f"250930-14152{number}", "Leads": 1234, "Status": "Completed", "Start Time": "2025-09-30T14:15:22.000Z"})
    table.create({"Run ID": f"{HOSTILE} {ARABIC}", "Notes": f"{ARABIC}\n{LONG}", "Mail": HOSTILE, "Link": LONG})
    return table


@pytest.fixture(scope="module")
def hostile(sandbox: SandboxProcess) -> Table:
    """A table whose names are hostile too."""
    name = f"{HOSTILE} {ARABIC}"
    fields = [{"name": f"{HOSTILE} {number}", "type": "singleLineText"} for number in range(8)]
    table = sandbox.base.create_table(name, fields)
    table.create({fields[0]["name"]: LONG, fields[1]["name"]: HOSTILE})
    return table


def address(sandbox: SandboxProcess, table: Table) -> str:
    return f"{sandbox.url}/bases/{table.base.id}/{table.id}"


def row(visit: Visit, run_id: str) -> Locator:
    return visit.page.get_by_role("row").filter(has=visit.page.get_by_role("rowheader", name=run_id, exact=True))


def test_a_record_appears_while_it_is_looked_at(visit: Visitor, sandbox: SandboxProcess) -> None:
    table = sandbox.base.create_table("Live", FIELDS)
    begun = visit(address(sandbox, table))
    expect(begun.page.get_by_text("No records yet.")).to_be_visible()
    begun.page.get_by_role("link", name="Refresh every 5 s").click()
    record = table.create({"Run ID": "250930-141522", "Status": "Running", "Leads": 1})
    expect(row(begun, "250930-141522")).to_contain_text("Running", timeout=ANSWER_MS)
    table.update(record["id"], {"Status": "Completed", "Leads": 1234})
    expect(row(begun, "250930-141522")).to_contain_text("Completed", timeout=ANSWER_MS)
    expect(row(begun, "250930-141522").get_by_role("cell").nth(2)).to_have_text("1,234")
    begun.page.get_by_role("link", name="Stop refreshing").click()
    expect(begun.page.get_by_role("link", name="Refresh every 5 s")).to_be_visible()
    assert begun.page.locator("meta[http-equiv=refresh]").count() == 0


def test_what_is_short_stands_in_one_line(visit: Visitor, sandbox: SandboxProcess, jobs: Table) -> None:
    begun = visit(address(sandbox, jobs), viewport=PHONE)
    for text in ("250930-141520", "2025-09-30 14:15:22"):
        shown = begun.page.get_by_text(text, exact=True).first
        assert shown.evaluate("it => it.getClientRects().length === 1 && it.clientHeight < 1.9 * parseFloat(getComputedStyle(it).fontSize)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_they_can_be_read_on_any_screen(
    visit: Visitor, sandbox: SandboxProcess, jobs: Table, hostile: Table, viewport: dict[str, int], scheme: str
) -> None:
    for url in (sandbox.url, address(sandbox, jobs), address(sandbox, hostile)):
        begun = visit(url, viewport=viewport, scheme=scheme)
        assert begun.too_wide_by() == 0
        assert begun.faint_texts() == []


def test_a_wide_table_moves_in_its_own_box_also_by_the_keyboard(visit: Visitor, sandbox: SandboxProcess, jobs: Table) -> None:
    page = visit(address(sandbox, jobs), viewport=PHONE).page
    box = page.get_by_role("region", name="Records of Job Tracking")
    assert box.evaluate("it => it.scrollWidth > it.clientWidth")
    box.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.getElementById('records').scrollLeft > 0")
    first = row(Visit(page), "250930-141520").get_by_role("rowheader")
    assert first.bounding_box()["x"] >= box.bounding_box()["x"], "the run ID stays in sight"  # type: ignore[index]


def test_hostile_texts_are_texts(visit: Visitor, sandbox: SandboxProcess, jobs: Table, hostile: Table) -> None:
    overview = visit(sandbox.url)
    expect(overview.page.get_by_role("link", name=HOSTILE)).to_have_text(f"{HOSTILE} {ARABIC}")
    table = visit(address(sandbox, jobs), viewport=PHONE)
    expect(table.page.get_by_role("rowheader").first).to_have_text(f"{HOSTILE} {ARABIC}")
    expect(table.page.get_by_text(LONG).first).to_be_attached()
    named = visit(address(sandbox, hostile), viewport=PHONE)
    expect(named.page.get_by_role("columnheader").nth(1)).to_have_text(f"{HOSTILE} 1")
    for begun in (overview, table, named):
        assert begun.page.title() != "taken"
        assert begun.page.locator("img, script").count() == 0


def test_the_keyboard_is_enough(visit: Visitor, sandbox: SandboxProcess, jobs: Table) -> None:
    begun = visit(sandbox.url)
    stops = begun.tab_stops()
    assert stops[0]["name"] == "Skip to the content"
    assert "Job Tracking" in [stop["name"] for stop in stops]
    assert all(stop["ring"] and stop["visible"] for stop in stops)
    begun.page.get_by_role("link", name="Job Tracking").focus()
    begun.page.keyboard.press("Enter")
    begun.page.wait_for_url(f"**/{jobs.id}")
    stops = begun.tab_stops()
    names = [stop["name"] for stop in stops]
    assert names[:4] == ["Skip to the content", "All tables", "Refresh every 5 s", "Records of Job Tracking"]
    assert all(stop["ring"] and stop["visible"] for stop in stops)


def test_many_records_are_turned_by_the_page(visit: Visitor, sandbox: SandboxProcess) -> None:
    table = sandbox.base.create_table("Many", FIELDS)
    table.batch_create([{"Run ID": f"250930-{number:06}"} for number in range(120)])
    begun = visit(address(sandbox, table))
    expect(begun.page.get_by_role("rowheader").first).to_have_text("250930-000119")
    for last in ("250930-000020", "250930-000000"):
        begun.page.get_by_role("link", name="Older").click()
        expect(begun.page.get_by_role("rowheader").last).to_have_text(last)
    assert begun.page.get_by_role("link", name="Older").count() == 0
    begun.page.get_by_role("link", name="Newer").click()
    expect(begun.page.get_by_text("page 2 of 3")).to_be_visible()


def test_the_policy_stops_what_should_ever_get_in(visit: Visitor, sandbox: SandboxProcess, jobs: Table) -> None:
    begun = visit(address(sandbox, jobs))
    title = begun.page.title()
    assert begun.what_injected_markup_does() == {"title": title, "colour": "unstyled"}
    assert len(begun.complaints) >= 2
    assert all("Content Security Policy" in said or said.startswith("failed: ") for said in begun.complaints)
    begun.complaints.clear()

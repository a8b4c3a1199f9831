"""What a newcomer sees: `runtally up --demo`, and its pages in a browser meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.server.test_up import running_up
from tests.web.conftest import Visitor
from tests.web.test_health_page import fact, told

pytestmark = pytest.mark.timeout(300)  # everything is started: on a busy machine that alone takes a minute
MOVING_MS = 60_000


def test_both_pages_follow_the_demo_and_agree_with_it(visit: Visitor, tmp_path: Path) -> None:
    with running_up(tmp_path, "--demo", RUNTALLY_FLUSH_INTERVAL_S="1") as up:
        ready = up.wait_for("ready")
        dashboard, sandbox = visit(ready["web"]).page, visit(ready["sandbox"]).page
        expect(fact(dashboard, "Runs")).to_have_text("1", timeout=MOVING_MS)
        assert up.wait_for("demo")["ok"] is True
        told(dashboard, Runs="1", Jobs_and_client_runs_under_way="0", Waiting_to_be_counted="nothing", Rows_waiting_for_Airtable="0")
        told(dashboard, Dead_letters="0", Findings_of_verify="0")
        assert int(fact(dashboard, "Events counted").inner_text()) > 400

        sandbox.reload()
        sandbox.get_by_role("link", name="Client Run Results").click()
        expect(sandbox.get_by_text("5 records")).to_be_visible()
        statuses = sandbox.locator("td.pill").all_inner_texts()
        assert sorted(statuses) == ["Completed", "Completed", "Completed", "Failed", "No Leads To Score"]
        sandbox.get_by_role("link", name="All tables").click()
        sandbox.get_by_role("link", name="Job Tracking").click()
        assert sandbox.locator("td.pill").all_inner_texts() == ["batch_scoring", "Completed"]

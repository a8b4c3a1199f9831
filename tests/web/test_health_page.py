"""The page of `runtally web`, looked at with a browser."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from contract.settings import Settings
from embedded import EmbeddedValkey
from producers.publisher import Publisher
from tests.server.folding import fold_everything
from tests.server.gateway.web_process import WebProcess
from tests.web.conftest import Visitor
from tests.web.visiting import DESKTOP, PHONE

RUN = "250930-141522"
ANSWER_MS = 20_000
"""The page looks again every 5 s."""


def fact(page: Page, name: str) -> Locator:
    """What the page tells beside `name`."""
    return page.locator(f'xpath=//dt[.="{name}"]/following-sibling::dd')


def told(page: Page, **facts: str) -> None:
    """Wait until the page, which reloads itself, tells all these; underscores are spaces."""
    for name, text in facts.items():
        expect(fact(page, name.replace("_", " "))).to_have_text(text, timeout=ANSWER_MS)


def test_it_tells_what_is_true_while_events_come_in(visit: Visitor, web: WebProcess, settings: Settings) -> None:
    publisher = Publisher(settings)
    page = visit(web.url).page
    told(page, Redis="answers", Runs="0", Events_counted="0", Waiting_to_be_counted="nothing")

    publisher.emit("job.started", {"run_id": RUN, "job_type": "scoring"})
    publisher.emit("client.run.started", {"run_id": RUN, "client_id": "a"})
    assert publisher.flush(timeout_s=10) == 0
    expect(fact(page, "Waiting to be counted")).to_contain_text("1 of 8 partitions", timeout=ANSWER_MS)
    fold_everything(settings)
    told(page, Runs="1", Jobs_and_client_runs_under_way="2", Events_counted="2", Waiting_to_be_counted="nothing")
    told(page, Rows_waiting_for_Airtable="2", Dead_letters="0")

    publisher.emit("client.run.completed", {"run_id": RUN, "client_id": "a", "success": True, "metrics": {"leads_processed": "no number"}})
    publisher.emit("job.completed", {"run_id": RUN, "success": True})
    assert publisher.close() == 0
    fold_everything(settings)
    told(page, Runs="1", Jobs_and_client_runs_under_way="0", Events_counted="4", Dead_letters="1")


def test_it_tells_that_redis_is_away_and_that_it_is_back(
    visit: Visitor, durable_valkey: EmbeddedValkey, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    web = WebProcess(make_settings(redis_url=durable_valkey.url), tmp_path / "web.log")
    web.start()
    try:
        begun = visit(web.url)
        page = begun.page
        state = page.get_by_role("status")
        expect(state).to_have_text("All is well")
        durable_valkey.kill()
        expect(state).to_have_text("Something is wrong", timeout=ANSWER_MS)
        expect(page.get_by_text("Redis cannot be reached")).to_be_visible()
        told(page, Redis="does not answer")
        assert page.locator("dd").count() == 1, "what is not known is not told"
        durable_valkey.restart()
        expect(state).to_have_text("All is well", timeout=ANSWER_MS)
        # The browser itself notes each page that was a 503; nothing else may have been said.
        begun.complaints = [said for said in begun.complaints if "status of 503" not in said]
    finally:
        web.end()


class Spiteful(socketserver.StreamRequestHandler):
    """A server that greets as Redis does and then answers everything with an error made of markup."""

    answer = b"-" + b"<script>document.title='taken'</script>" + "\u202eمرحبا".encode() + b"W" * 600 + b" refused\r\n"

    def handle(self) -> None:
        greeted = 0
        while line := self.rfile.readline():
            if line.startswith(b"*"):
                greeted += 1
                # redis-py names itself with the first three commands of a connection.
                self.wfile.write(b"+OK\r\n" if greeted <= 3 else self.answer)


@pytest.fixture
def spiteful_url() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Spiteful) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="spiteful", daemon=True).start()
        yield f"redis://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_what_a_server_answers_is_shown_as_text(
    visit: Visitor, spiteful_url: str, make_settings: Callable[..., Settings], tmp_path: Path, viewport: dict[str, int]
) -> None:
    web = WebProcess(make_settings(redis_url=spiteful_url), tmp_path / "web.log")
    web.start(answers=503)
    try:
        begun = visit(web.url, viewport=viewport)
        reason = begun.page.locator("p.reason")
        expect(reason).to_contain_text("Redis refused: <script>document.title='taken'</script>\u202eمرحباWWW")
        assert begun.page.title() == "Something is wrong · Runtally"
        assert begun.too_wide_by() == 0
        begun.complaints = [said for said in begun.complaints if "status of 503" not in said]
    finally:
        web.end()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_can_be_read_on_any_screen(visit: Visitor, web: WebProcess, viewport: dict[str, int], scheme: str, redis_url: str) -> None:
    begun = visit(web.url, viewport=viewport, scheme=scheme)
    assert begun.too_wide_by() == 0
    assert begun.faint_texts() == []
    ground = begun.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (min(map(int, ground.removeprefix("rgb(").removesuffix(")").split(","))) > 128) is (scheme == "light")


def test_the_keyboard_is_enough(visit: Visitor, web: WebProcess, redis_url: str) -> None:
    begun = visit(web.url)
    page = begun.page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?refresh=0")
    assert page.locator("meta[http-equiv=refresh]").count() == 0, "it would take the focus away"
    stops = begun.tab_stops()
    assert [stop["name"] for stop in stops] == ["Refresh every 5 s", "As JSON"]
    assert all(stop["ring"] and stop["visible"] for stop in stops)
    page.get_by_role("link", name="As JSON").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/healthz")
    page.go_back()
    page.get_by_role("link", name="Refresh every 5 s").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Stop refreshing")).to_be_visible()
    assert page.locator("meta[http-equiv=refresh]").count() == 1


def test_the_policy_stops_what_should_ever_get_in(visit: Visitor, web: WebProcess, redis_url: str) -> None:
    begun = visit(web.url)
    assert begun.what_injected_markup_does() == {"title": "All is well · Runtally", "colour": "unstyled"}
    assert len(begun.complaints) >= 2
    assert all("Content Security Policy" in said or said.startswith("failed: ") for said in begun.complaints)
    begun.complaints.clear()

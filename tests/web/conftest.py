"""A real browser and the real pages, served by the commands that users type."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from contract.settings import load_settings
from embedded import EmbeddedValkey
from tests.server.gateway.web_process import WebProcess
from tests.web.visiting import DESKTOP, Visit, launch, why_not

Visitor = Callable[..., Visit]


# For one module, not for the session: Playwright keeps an event loop running, in which other tests could start none of theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if reason := why_not():
        pytest.skip(f"THE PAGES ARE NOT TESTED HERE: {reason}")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visitor]:
    """`visit(url, viewport=…, scheme=…)`: the loaded page. In the end no console may have said a word, no other host been asked."""
    visits: list[tuple[str, Visit]] = []

    def go(url: str, *, viewport: dict[str, int] = DESKTOP, scheme: str = "light") -> Visit:
        begun = Visit.begin(browser, viewport, scheme)
        visits.append((url, begun))
        begun.page.goto(url)
        return begun

    yield go
    for _, begun in visits:
        begun.end()
    for url, begun in visits:
        assert begun.complaints == []
        assert begun.hosts == {url.split("/")[2]}


@pytest.fixture(scope="module")
def web(valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """`runtally web` on the session's server."""
    process = WebProcess(load_settings(_env_file=None, redis_url=valkey.url), tmp_path_factory.mktemp("web") / "web.log")
    process.start()
    yield process
    process.end()

"""The bar of a batch: drawn on a terminal where rich is installed, else a log line for each client where logging is set up."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from producers.scoring.progress_bar import progress_bar

RUN = "250930-141522"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    structlog.configure(processors=[lines := structlog.testing.LogCapture()])
    yield lines.entries
    structlog.reset_defaults()


def drawn(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, *, shown: bool = True) -> str:
    monkeypatch.setattr(sys, "stderr", stderr)
    with progress_bar("batch_scoring", RUN, 2, shown=shown) as bar:
        bar.chunk("[a]", 50)
        bar.client("[a]", "done")
        bar.chunk("b", 1_234)
        bar.client("b", "failed")
    return stderr.getvalue()


def test_it_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch, logged: list[Any]) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    text = drawn(monkeypatch, Terminal())
    assert "batch_scoring 250930-141522" in text
    assert "2/2" in text
    assert "1,284 done, b failed" in text
    assert logged == []


@pytest.mark.parametrize(("stderr", "shown"), [(io.StringIO(), True), (Terminal(), False)])
def test_elsewhere_it_is_a_log_line_for_each_client(
    monkeypatch: pytest.MonkeyPatch, logged: list[Any], stderr: io.StringIO, shown: bool
) -> None:
    assert drawn(monkeypatch, stderr, shown=shown) == ""
    about = {"event": "client done", "log_level": "info", "scope": "CLIENT", "operation": "batch_scoring", "run_id": RUN}
    assert logged == [about | {"client_id": "[a]", "outcome": "done"}, about | {"client_id": "b", "outcome": "failed"}]


def test_without_rich_and_without_logging_it_says_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert drawn(monkeypatch, Terminal()) == ""
    assert capsys.readouterr().out == ""

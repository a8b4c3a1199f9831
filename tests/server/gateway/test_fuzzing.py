"""The OpenAPI document promises nothing that the gateway does not keep: generated requests, by the document alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contract.settings import Settings
from tests.server.gateway.conftest import ServedGateway
from tests.server.gateway.fuzzing import SETTINGS, SMALL, fuzz


@pytest.fixture
def settings(make_settings: Callable[..., Settings], redis_url: str) -> Settings:
    return make_settings(redis_url=redis_url, **SETTINGS)


@pytest.mark.timeout(300)
def test_every_operation_answers_as_its_document_says(served: ServedGateway, token: str, tmp_path: Path) -> None:
    fuzzed = fuzz(served.url, token, tmp_path, phases=SMALL, most_examples=25, seed=1)
    assert fuzzed.passed, fuzzed.told
    assert fuzzed.requests >= 25 * fuzzed.operations > 0
    assert served.counters["events_taken"] > 0
    assert "refused_unexpected" not in served.counters

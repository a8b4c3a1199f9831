"""The process's publisher, for the session's server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import producers
from contract.settings import Settings
from producers import default
from producers.publisher import Publisher


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    publisher = Publisher(settings)
    default.use(publisher)
    yield publisher
    default.use(None)
    assert publisher.close() == 0


@pytest.fixture
def run_id(publisher: Publisher) -> str:
    return producers.generate_run_id()

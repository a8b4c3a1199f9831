"""Clients in run IDs: one tenant's numbers must never land on another's row."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contract.errors import RunIdConflict, RunIdInvalid
from contract.run_id import MAX_CLIENT_CHARS, client_matches, parse, with_client

BASE = "250930-141522"

client_texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=MAX_CLIENT_CHARS).filter(
    lambda text: text.strip()
)


@pytest.mark.parametrize(
    ("run_id", "client", "row_id"),
    [
        (BASE, "Jane-Doe", f"{BASE}-Jane-Doe"),
        (f" {BASE}.0 ", "Jane-Doe", f"{BASE}-Jane-Doe"),
        (f"{BASE}-Jane-Doe", "Jane-Doe", f"{BASE}-Jane-Doe"),
        (f"{BASE}-Jane-Doe", " Jane-Doe ", f"{BASE}-Jane-Doe"),
        (parse(BASE), "Jane", f"{BASE}-Jane"),
        ("job_post_scoring_1717146242405", "Jane", "240531-090402-Jane"),
        (f"{BASE}-apify-aB3dE5fG7hJ9kL1mN", "Jane", f"{BASE}-Jane"),
        ("20250923-040841-338", "338", "250923-040841-338"),
        (BASE, "v1.0", f"{BASE}-v1.0"),
        (BASE, "{p001}:row:*?", f"{BASE}-" + "{p001}:row:*?"),
        (BASE, "250930-141522", f"{BASE}-250930-141522"),
        (BASE, "SYSTEM", f"{BASE}-SYSTEM"),
    ],
)
def test_adding_a_client_gives_the_row_id(run_id: object, client: str, row_id: str) -> None:
    assert with_client(run_id, client) == row_id


@pytest.mark.parametrize("other", ["Doe", "Jane", "jane-doe", "Jane-Doe-Jane-Doe", "-Doe", "Jane-", "Jane-Doe.0", "ane-Doe"])
def test_adding_another_client_is_refused(other: str) -> None:
    with pytest.raises(RunIdConflict, match="belongs to client 'Jane-Doe'"):
        with_client(f"{BASE}-Jane-Doe", other)
    assert not client_matches(f"{BASE}-Jane-Doe", other)


@pytest.mark.parametrize(
    "client",
    ["", " ", "\t", "\u3000", "a\x00b", "Jane\n", "\rJane", "a\x1bb", "a\x7fb", "a\x85b", "\ud800", "a\udfffb", "x" * 201,
     "apify-aB3dE5fG7hJ9kL1mN", " apify-aB3dE5fG7hJ9kL1mN ", None, 42, 4.0, b"Jane", ["Jane"]],
    ids=ascii,
)  # fmt: skip
def test_client_that_could_not_be_read_back_is_refused(client: str) -> None:
    with pytest.raises(RunIdInvalid, match="client ID") as caught:
        with_client(BASE, client)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("run_id", [None, "", "UNKNOWN", "SR-250923-001-S1-CJane", "aB3dE5fG7hJ9kL1mN", "259999-999999"])
def test_an_id_without_standard_form_takes_no_client(run_id: object) -> None:
    with pytest.raises(RunIdInvalid, match="cannot be used as a run ID"):
        with_client(run_id, "Jane")


@pytest.mark.parametrize(
    ("run_id", "client", "matches"),
    [
        (f"{BASE}-Jane-Doe", "Jane-Doe", True),
        (f"{BASE}-Jane-Doe", " Jane-Doe ", True),
        (f"{BASE}-Jane-Doe", "Doe", False),
        (BASE, "", False),
        (BASE, "141522", False),
        ("SR-250923-001-S1-CJane-Doe", "Jane-Doe", True),
        (f"{BASE}-apify-aB3dE5fG7hJ9kL1mN", "apify-aB3dE5fG7hJ9kL1mN", False),
        ("20250923-040841-338", "338", False),
        (None, "Jane", False),
        (f"{BASE}-None", None, False),
    ],
)
def test_client_matches_whole_client_only(run_id: object, client: str, matches: bool) -> None:
    assert client_matches(run_id, client) is matches


@given(client_texts)
def test_base_and_client_survive_the_round_trip(client: str) -> None:
    assume(not parse(f"{BASE}-{client}").external_id)
    row_id = with_client(BASE, client)
    run = parse(row_id)
    assert (run.base, run.client, run.standard) == (BASE, client.strip(), row_id)
    assert with_client(row_id, client) == row_id
    assert client_matches(row_id, client)


@given(client_texts, client_texts)
def test_two_clients_never_share_a_row(one: str, other: str) -> None:
    assume(one.strip() != other.strip())
    try:
        row_id = with_client(BASE, one)
        assert row_id != with_client(BASE, other)
    except RunIdInvalid:
        return
    with pytest.raises(RunIdConflict):
        with_client(row_id, other)


@given(st.text())
def test_with_client_raises_nothing_else(client: str) -> None:
    try:
        row_id = with_client(BASE, client)
    except RunIdInvalid:
        return
    assert parse(row_id).client == client.strip()

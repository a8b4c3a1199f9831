"""Client IDs of OpenLineage's jobs: legal, and one for each job of a run."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from contract.run_id import parse, with_client
from producers.gateway.lineage.client_ids import child_client, own_client

RUN = "250930-141522"
NAMES = st.one_of(st.text(min_size=1, max_size=250), st.text("a@#~ \n-0", min_size=1, max_size=8))
JOBS = st.tuples(NAMES, NAMES)


def test_usual_names_stay_as_they_are() -> None:
    assert child_client(["nightly.load"], "airflow", "airflow") == "nightly.load"
    assert child_client(["stage"], "spark", "airflow") == "stage@spark"
    assert own_client("food_delivery") == "food_delivery"


@given(NAMES, NAMES, NAMES)
@example("apify-aB3dE5fG7hJ9kL1mN", "ns", "ns")
@example("x" * 250, "ns", "ns")
@example("\x00", "ns", "ns")
def test_every_name_gives_a_client_id_that_is_read_back(name: str, namespace: str, home: str) -> None:
    for client in (child_client([name], namespace, home), own_client(namespace)):
        assert parse(with_client(RUN, client)).client == client


@given(JOBS, JOBS, NAMES)
@example(("a", "b@c"), ("a@b", "c"), "ns")
@example(("a@b", "ns"), ("a", "b"), "ns")
@example((" a", "ns"), ("a", "ns"), "ns")
def test_two_jobs_of_a_run_never_share_a_client_id(one: tuple[str, str], other: tuple[str, str], home: str) -> None:
    same = child_client([one[0]], one[1], home) == child_client([other[0]], other[1], home)

    assert same is (one == other)


@given(JOBS, NAMES)
@example(("ns", "ns"), "ns")
def test_no_child_shares_the_client_id_of_its_root(child: tuple[str, str], home: str) -> None:
    assert child_client([child[0]], child[1], home) != own_client(home)


def test_parts_are_told_apart() -> None:
    assert child_client(["load", "3"], "ns", "ns") == "load#3"
    assert child_client(["a#b", "c"], "ns", "ns") != child_client(["a", "b#c"], "ns", "ns")
    assert child_client(["a#b", "c"], "ns", "ns") != child_client(["a#b#c"], "ns", "ns")

"""The last lines of output: the right ones, however the output is cut into chunks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cli.tail import Tail


def fed(most: int, *chunks: bytes) -> list[str]:
    tail = Tail(most, lambda text: text)
    for chunk in chunks:
        tail.feed(1, chunk)
    return tail.lines()


@given(st.lists(st.text("ab c", max_size=6), max_size=12), st.lists(st.integers(0, 80), max_size=6), st.integers(1, 5), st.booleans())
def test_any_cut_gives_the_last_lines(lines: list[str], cuts: list[int], most: int, ended: bool) -> None:
    output = ("\n".join(lines) + ("\n" if ended else "")).encode()
    places = [0, *sorted(min(cut, len(output)) for cut in cuts), len(output)]
    chunks = [output[a:b] for a, b in pairwise(places)]
    kept = output.decode().split("\n")
    # Blank lines are dropped at the end, so they take the places of others.
    expected = [line.rstrip() for line in kept[-(most + 1) :] if line.strip()][-most:]
    assert fed(most, *chunks) == expected


def test_streams_are_not_mixed_within_a_line() -> None:
    tail = Tail(5, lambda text: text)
    tail.feed(1, b"one ")
    tail.feed(2, b"trouble\n")
    tail.feed(1, b"line\n")
    assert tail.lines() == ["trouble", "one line"]


def test_an_endless_line_is_bounded() -> None:
    tail = Tail(3, lambda text: text)
    for _ in range(1_000):
        tail.feed(1, b"x" * 10_000)
    assert tail.lines() == ["x" * 500]


def test_what_a_terminal_would_not_show_is_not_shown() -> None:
    assert fed(5, b"\x1b[1;31mred\x1b[0m\x07\n", b"10 %\r100 %\r\n", b"\xff\xfe text\n", b"\x1b]0;title\x07shown\n") == [
        "red",
        "100 %",
        "\ufffd\ufffd text",
        "shown",
    ]

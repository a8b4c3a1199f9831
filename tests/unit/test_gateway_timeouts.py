"""One timer for many blocks ends each of them as asyncio.timeout would."""

from __future__ import annotations

import asyncio

import pytest

from producers.gateway.timeouts import Timeouts

SOON_S = 0.01


async def for_ever(timeouts: Timeouts, begun: asyncio.Event | None = None) -> None:
    with timeouts.one():
        if begun is not None:
            begun.set()
        await asyncio.Event().wait()


def test_what_takes_too_long_is_ended_and_its_task_goes_on() -> None:
    async def body() -> int:
        with pytest.raises(TimeoutError):
            await for_ever(Timeouts(SOON_S))
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert asyncio.run(body()) == 0


def test_blocks_end_one_by_one_and_later_ones_after_all_were_closed() -> None:
    async def body() -> None:
        timeouts = Timeouts(SOON_S)
        for _ in range(2):
            found = await asyncio.gather(*(for_ever(timeouts) for _ in range(20)), return_exceptions=True)
            assert [type(error) for error in found] == [TimeoutError] * 20

    asyncio.run(body())


def test_what_is_done_in_time_is_left_alone() -> None:
    async def body() -> None:
        timeouts = Timeouts(SOON_S)
        with timeouts.one():
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await for_ever(timeouts)

    asyncio.run(body())


def test_an_error_passes_as_it_is() -> None:
    async def body() -> None:
        with pytest.raises(ValueError, match="mine"), Timeouts(SOON_S).one():
            raise ValueError("mine")

    asyncio.run(body())


def test_cancelled_by_another_it_is_cancelled_not_late() -> None:
    async def body() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(for_ever(Timeouts(60.0), begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())


def test_cancelled_in_the_moment_in_which_it_is_late_it_is_cancelled() -> None:
    async def body() -> None:
        timeouts = Timeouts(60.0)
        block = timeouts.one()

        async def wait() -> None:
            with block:
                await asyncio.Event().wait()

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        block.give_up()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())

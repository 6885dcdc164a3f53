"""Reads that come together are answered together, each with its own; none waits for others to come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from apps.crmapi.grpc.server.errors import Unavailable
from apps.crmapi.grpc.server.group_reading import GroupReader
from apps.crmapi.grpc.server.threads import DatabaseThreads


class Reading:
    """Answers numbers by their squares, one group after the other, each when it is let."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = threading.Event()

    def read(self, asked: list[int]) -> list[int]:
        self.groups.append(asked)
        assert self.gate.wait(30)
        if 13 in asked:
            raise ValueError("unlucky")
        return asked

    def answer(self, found: list[int]) -> Sequence[int]:
        if 17 in found:
            raise ValueError("unspeakable")
        return [number * number for number in found]


@pytest.fixture
def threads():
    made = DatabaseThreads(2)
    yield made
    made.stop()


def test_the_first_is_read_at_once_and_those_that_came_meanwhile_together(threads):
    reading = Reading()

    async def calls() -> list[int]:
        reader = GroupReader(threads, reading.read, reading.answer, most_s=30, most=4)
        first = reader.get(1)
        while not reading.groups:
            await asyncio.sleep(0.001)
        others = [reader.get(number) for number in range(2, 9)]
        # Nothing is read for a caller that gave up.
        others.pop(0).cancel()
        reading.gate.set()
        return await asyncio.gather(first, *others)

    assert asyncio.run(calls()) == [1, *(number * number for number in range(3, 9))]
    assert reading.groups == [[1], [3, 4, 5], [6, 7, 8]]


def test_a_second_group_is_begun_beside_the_first_once_enough_wait(threads):
    reading = Reading()

    async def calls() -> list[int]:
        reader = GroupReader(threads, reading.read, reading.answer, most_s=30, most=3)
        found = [reader.get(1)]
        while len(reading.groups) < 1:
            await asyncio.sleep(0.001)
        found += [reader.get(2), reader.get(3)]
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert reading.groups == [[1]], "two are not worth a statement of their own"
        found.append(reader.get(4))
        while len(reading.groups) < 2:
            await asyncio.sleep(0.001)
        # There is no third, however many wait.
        found += [reader.get(number) for number in range(5, 10)]
        for _ in range(20):
            await asyncio.sleep(0.001)
        reading.gate.set()
        return await asyncio.gather(*found)

    assert asyncio.run(calls()) == [number * number for number in range(1, 10)]
    assert sorted(reading.groups) == [[1], [2, 3, 4], [5, 6, 7], [8, 9]]


def test_a_group_that_fails_fails_for_its_own_and_the_next_is_read(threads):
    reading = Reading()
    reading.gate.set()

    async def calls() -> list[object]:
        reader = GroupReader(threads, reading.read, reading.answer, most_s=30)
        unread = await asyncio.gather(reader.get(13), reader.get(2), return_exceptions=True)
        unanswered = await asyncio.gather(reader.get(17), reader.get(2), return_exceptions=True)
        return [*unread, *unanswered, await reader.get(3)]

    *failed, good = asyncio.run(calls())
    assert [str(error) for error in failed] == ["unlucky", "unlucky", "unspeakable", "unspeakable"]
    assert good == 9


def test_a_group_that_takes_too_long_is_given_up(threads):
    reading = Reading()

    async def call() -> None:
        await GroupReader(threads, reading.read, reading.answer, most_s=0.05).get(1)

    with pytest.raises(Unavailable):
        asyncio.run(call())
    reading.gate.set()

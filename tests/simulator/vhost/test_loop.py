"""Files are served while they are watched, and no event of one reaches another that took its number."""

import os
import socket
from collections.abc import Iterator

import pytest

from strongroom.simulator.vhost.loop import READ, WRITE, Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def test_a_file_is_served_while_it_is_watched(loop: Loop) -> None:
    here, there = socket.socketpair()
    seen: list[int] = []
    with here, there:
        loop.watch(here.fileno(), READ, seen.append)
        loop.step(0)
        there.send(b"x")
        loop.step(1)
        loop.watch(here.fileno(), WRITE, seen.append)
        loop.step(1)
        loop.forget(here.fileno())
        loop.forget(here.fileno())
        loop.step(0)
    assert seen == [READ, WRITE]


def test_an_event_does_not_reach_the_next_file_of_that_number(loop: Loop) -> None:
    """Two files are ready; whichever is served first closes the other, whose number a third one takes."""
    pairs = [socket.socketpair() for _ in range(2)]
    fresh = socket.socketpair()
    wrong: list[int] = []
    replaced: list[int] = []

    def replace(other: int) -> None:
        replaced.append(other)
        loop.forget(other)
        os.dup2(fresh[0].fileno(), other)
        loop.watch(other, READ, wrong.append)

    first, second = (pair[0].fileno() for pair in pairs)
    loop.watch(first, READ, lambda _: replace(second))
    loop.watch(second, READ, lambda _: replace(first))
    for _, there in pairs:
        there.send(b"x")
    loop.step(1)
    for each in (*pairs, fresh):
        for end in each:
            end.close()
    assert wrong == []
    assert len(replaced) == 1

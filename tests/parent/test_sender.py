"""A client that leaves ends what is done for it, and nothing else does."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.types import Message

from parent.errors import SenderLeft
from parent.sender import Sender

LEFT = {"type": "http.disconnect"}
WHOLE = {"type": "http.request", "body": b"all of it"}
HALF = {"type": "http.request", "body": b"half of it", "more_body": True}


class Messages:
    """What a server would hand on, and then silence."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self.left = list(messages)

    async def receive(self) -> Message:
        if not self.left:
            await asyncio.get_running_loop().create_future()
        return self.left.pop(0)


async def _body(sender: Sender) -> bytes:
    return b"".join([chunk async for chunk in sender.chunks()])


async def test_half_a_body_is_none() -> None:
    with pytest.raises(SenderLeft):
        await _body(Sender(Messages([HALF, LEFT]).receive))


async def _read_and_wait(sender: Sender, timeout_s: float | None) -> None:
    async with sender.present():
        assert await _body(sender) == b"all of it"
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().create_future()


async def test_a_client_that_leaves_after_its_body_ends_the_block() -> None:
    async with asyncio.timeout(5):
        with pytest.raises(SenderLeft):
            await _read_and_wait(Sender(Messages([WHOLE, LEFT]).receive), None)


async def test_a_timeout_of_the_block_is_its_own() -> None:
    with pytest.raises(TimeoutError):
        await _read_and_wait(Sender(Messages([WHOLE]).receive), 0)


async def test_nobody_watches_for_a_client_whose_request_is_over() -> None:
    messages = Messages([WHOLE])
    sender = Sender(messages.receive)
    async with sender.present():
        await _body(sender)
        await asyncio.sleep(0)
    messages.left.append(LEFT)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}

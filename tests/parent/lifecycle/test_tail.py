"""The end of an enclave's log."""

import asyncio
from pathlib import Path

import pytest

from parent.lifecycle import tail as tail_module
from parent.lifecycle.tail import KEPT_LINES, LogTail
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.sockets import listen


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "_PAUSE_S", 0.01)


async def tailed(folder: Path, said: bytes) -> LogTail:
    """What is left of an enclave that listened late, said that, and ended."""
    address = UnixAddress(folder / "log.sock")
    tail = LogTail(address)
    running = asyncio.create_task(tail.run())
    await asyncio.sleep(0.05)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, sock=listen(address))
    await asyncio.wait_for(running, 5)
    server.close()
    return tail


async def test_the_last_lines_and_the_code(tmp_path: Path) -> None:
    lines = [b'{"event":"request","status":200}'] * 30 + [b'{"event":"ended","code":"key-policy"}']
    tail = await tailed(tmp_path, b"\n".join(lines) + b"\n")
    assert tail.lines == [line.decode() for line in lines[-KEPT_LINES:]]
    assert await tail.last_code() == "key-policy"


@pytest.mark.parametrize(
    "said", [b"", b"no JSON\n", b"[1]\n", b'{"event":"state","state":"ready"}\n', b"\xff\n"],
    ids=["nothing", "text", "list", "other", "bytes"],
)  # fmt: skip
async def test_without_a_line_that_it_ended_there_is_no_code(tmp_path: Path, said: bytes) -> None:
    assert await (await tailed(tmp_path, said)).last_code() is None


async def test_a_line_that_is_too_long_ends_the_reading(tmp_path: Path) -> None:
    tail = await tailed(tmp_path, b"short\n" + b"x" * 100_000 + b"\nmore\n")
    assert tail.lines == ["short"]

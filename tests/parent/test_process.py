"""What the process may import, how it starts, how it ends."""

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.protocol.problems import Problem
from tests.parent.support import KEY, POST, Exchange, FakeEnclave, enclave_at, holding, problem_of

FORBIDDEN = (
    "enclave",
    "onnxruntime",
    "strongroom.client",
    "strongroom.simulator",
    "strongroom.protocol.requests",
    "strongroom.protocol.responses",
    "strongroom.protocol.payloads",
    "strongroom.protocol.weights",
    "strongroom.protocol.envelopes",
    "strongroom.protocol.contents",
    "strongroom.protocol.suites",
    "strongroom.protocol.keys",
    "proxy",
)


@pytest.mark.parametrize("module", ["parent.app", "parent.__main__"])
def test_the_gateway_imports_nothing_that_names_plaintext(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {FORBIDDEN!r} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_the_gateway_names_no_protocol_module_but_the_clear_ones() -> None:
    code = "import sys, parent.app; print(sorted(n for n in sys.modules if n.startswith('strongroom.protocol.')))"
    allowed = {"audit", "constants", "errors", "framing", "messages", "problems", "ways"}
    allowed |= {"canonical", "canonical_pieces", "catalogue", "configuration", "metrics", "names", "toml"}
    imported = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert {name.rpartition(".")[2] for name in json.loads(imported.replace("'", '"'))} <= allowed


def _environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STRONGROOM_")}
    return kept | {"STRONGROOM_ENCLAVE_API": f"unix:{folder / 'api'}", "STRONGROOM_PORT": "0"} | more


async def _started(
    folder: Path, before: Callable[[], None] | None = None, **more: str
) -> tuple[asyncio.subprocess.Process, int]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parent"), env=_environment(folder, **more), stdout=subprocess.PIPE, preexec_fn=before
    )
    assert process.stdout is not None
    announced = json.loads(await process.stdout.readline())
    assert set(announced) == {"event", "port"}
    assert announced["event"] == "listening"
    return process, announced["port"]


async def test_it_says_where_it_listens_serves_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    process, port = await _started(tmp_path)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = await reader.readuntil(b'{"live":true}')
    assert b"server:" not in answer.lower()
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(5):
        assert await process.wait() == 0
    writer.close()


async def test_an_answer_that_the_drain_does_not_wait_for_is_a_problem(
    tmp_path: Path,
) -> None:
    asked = asyncio.Event()

    async def endless(exchange: Exchange) -> None:
        await exchange.body()
        asked.set()
        await exchange.disconnected()

    enclave = FakeEnclave({**holding(KEY), "POST /v1/sealed": endless})
    async with asyncio.timeout(20), enclave_at(tmp_path / "api", enclave):
        process, port = await _started(tmp_path, STRONGROOM_DRAIN_TIMEOUT_S="1")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST)
        await asked.wait()
        process.send_signal(signal.SIGTERM)
        answer = await reader.read()
        assert await process.wait() == 0
    writer.close()
    assert problem_of(answer) is Problem.BUSY
    assert b"x-content-type-options: nosniff" in answer


async def test_it_may_open_as_many_descriptors_as_its_limits_need(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = 256
    process, _ = await _started(tmp_path, before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard)))
    now = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    process.terminate()
    await process.wait()
    assert low < now[0]
    assert now[0] >= min(2 * 512 + 256, hard if hard != resource.RLIM_INFINITY else 1 << 30)


def test_uvicorns_own_settings_take_the_factory_and_the_deadlines(tmp_path: Path) -> None:
    code = (
        "import uvicorn; from parent.app import create_app_from_environment as factory;"
        "config = uvicorn.Config(factory, factory=True, http='parent.deadlines:GuardedProtocol', loop='asyncio');"
        "config.load(); print(config.http_protocol_class.limits.head_timeout_s)"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, env=_environment(tmp_path), text=True) == "5.0\n"


async def test_a_stalled_upload_does_not_hold_up_the_end(tmp_path: Path) -> None:
    process, port = await _started(tmp_path)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HT")
    await writer.drain()
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(5):
        assert await process.wait() == 0
    writer.close()


def test_a_taken_port_ends_it_with_2_and_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = _environment(tmp_path, STRONGROOM_PORT=str(port))
        ended = subprocess.run([sys.executable, "-m", "parent"], env=environment, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"strongroom gateway: expected a free port {port} on 127.0.0.1 (")


def test_unusable_settings_end_it_with_2_and_a_sentence(tmp_path: Path) -> None:
    environment = _environment(tmp_path, STRONGROOM_PORT="many")
    ended = subprocess.run([sys.executable, "-m", "parent"], env=environment, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == "strongroom gateway: STRONGROOM_PORT: expected a port from 0 to 65535, got 'many'\n"

import asyncio
import contextlib
import json
import resource
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.accepting import Places
from proxy.counters import Counters
from proxy.process import _report_until
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.egress import ACCEPTED, encode_destination
from tests.proxy.bench import KMS, LINE, destination, echo
from tests.proxy.stalled import StalledClients

FORBIDDEN = (
    *("enclave", "parent", "attestation", "strongroom.protocol", "strongroom.client", "onnxruntime", "botocore"),
    *("click", "cryptography", "msgspec", "http.server", "prometheus_client"),
)


def test_the_proxy_imports_the_transport_only() -> None:
    code = f"import sys, proxy.__main__; print([name for name in {FORBIDDEN!r} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


class Running:
    """`python -m proxy` at `egress` in a folder, with what it announced."""

    def __init__(self, process: Process, path: Path, announced: dict[str, Any]) -> None:
        self.process, self.path, self.announced = process, path, announced

    async def ask(self, data: bytes = LINE) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self.path)
        try:
            writer.write(data)
            async with asyncio.timeout(5):
                return await reader.read(3)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def end(self) -> dict[str, object]:
        """Stop it; its totals, after it ended with 0 and wrote nothing to standard error."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            out, err = await self.process.communicate()
        assert (err, self.process.returncode) == (b"", 0)
        totals: dict[str, object] = json.loads(out.splitlines()[-1])
        return totals


@contextlib.asynccontextmanager
async def running(folder: Path, *arguments: str, rule: str = f"{KMS}:443") -> AsyncIterator[Running]:
    path = folder / "egress"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", f"--listen=unix:{path}", f"--allow={rule}", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield Running(process, path, json.loads(await process.stdout.readline()))
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_it_says_where_it_listens_and_ends_cleanly_with_its_totals(tmp_path: Path) -> None:
    async with running(tmp_path, "--allow-private", "10.0.0.0/16", "--max-connections", "9") as at:
        address = f"unix:{tmp_path / 'egress'}"
        assert at.announced == {
            "event": "listening",
            "address": address,
            "max_connections": 9,
            "metrics_port": None,
        }
        assert await at.ask(encode_destination("other.example", 443)) == b""
        _, idle = await asyncio.open_unix_connection(at.path)
        totals = await at.end()
        idle.close()
    assert totals["event"] == "egress"
    assert totals["forbidden"] == 1


async def test_its_metrics_are_served_beside(tmp_path: Path) -> None:
    async with running(tmp_path, "--metrics", "127.0.0.1:0") as at:
        await at.ask(encode_destination("other.example", 443))
        reader, writer = await asyncio.open_connection("127.0.0.1", at.announced["metrics_port"])
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        answer = await reader.read()
        writer.close()
        assert b'strongroom_proxy_connections_ended_total{outcome="forbidden"} 1\n' in answer
        assert b"other.example" not in answer
        await at.end()


async def test_no_abuse_leaves_a_word_on_standard_error(tmp_path: Path) -> None:
    async with destination(echo) as port, running(tmp_path, rule=f"{KMS}:443=127.0.0.1:{port}") as at:
        with StalledClients(UnixAddress(at.path), KMS, 443) as clients:
            await asyncio.to_thread(clients.open, 90)
            for data in (b"\n", b"\xff" * 1000, LINE[:-1], b"CONNECT other.example:443\n"):
                _, writer = await asyncio.open_unix_connection(at.path)
                writer.write(data)
                writer.transport.abort()
            for _ in range(20):
                await at.ask(LINE + bytes(50_000))  # leaves while the echo is under way
        assert await at.ask() == ACCEPTED
        await at.end()


async def test_out_of_descriptors_it_waits_for_some_and_goes_on(tmp_path: Path) -> None:
    async with destination(echo) as port, running(tmp_path, rule=f"{KMS}:443=127.0.0.1:{port}") as at:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(at.process.pid, resource.RLIMIT_NOFILE, (24, hard))
        opened = [await asyncio.open_unix_connection(at.path) for _ in range(60)]
        await asyncio.sleep(0.2)
        reader, writer = opened[0]
        writer.write(LINE)
        assert await reader.read() == b""
        for _, writer in opened:
            writer.close()
        assert await at.ask() == ACCEPTED
        totals = await at.end()
    assert isinstance(totals["accept_errors"], int)
    assert 0 < totals["accept_errors"] < 1000  # it rests between its tries
    assert totals["unreachable"] == 1  # the other place that wants a descriptor


_, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)


@pytest.mark.parametrize(
    ("soft", "hard", "connections"),
    [
        (128, 128, 32),  # 64 for all else, two for each connection
        pytest.param(256, HARD, 512, marks=pytest.mark.skipif(0 <= HARD < 2048, reason="no room under the hard limit")),
    ],
)
async def test_it_serves_as_many_connections_as_it_may_have_descriptors_for(
    tmp_path: Path, soft: int, hard: int, connections: int
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", f"--listen=unix:{tmp_path / 'egress'}", "--allow=a.example:443"),
        stdout=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
    )
    assert process.stdout is not None
    announced = json.loads(await process.stdout.readline())
    limit, _ = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    process.terminate()
    await process.communicate()
    assert announced["max_connections"] == connections
    assert limit >= 2 * connections + 64


async def test_a_log_that_nobody_reads_does_not_end_it(tmp_path: Path) -> None:
    code = (
        "import sys, proxy.process; proxy.process._REPORT_S = 0.05; "
        "from proxy.__main__ import main; sys.argv[0] = 'proxy'; main()"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, f"--listen=unix:{tmp_path / 'egress'}", f"--allow={KMS}:443"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # its reader goes away
    await asyncio.sleep(0.3)
    at = Running(process, tmp_path / "egress", {})
    assert await at.ask(b"\n") == b""
    assert process.returncode is None
    process.kill()
    await process.wait()


async def test_a_cancellation_that_comes_with_the_signal_is_not_swallowed() -> None:
    stop = asyncio.Event()
    reporting = asyncio.create_task(_report_until(stop, Counters(Places(1))))
    await asyncio.sleep(0)
    stop.set()
    reporting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reporting


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--listen", "tcp:1", "--allow", "a.example:443"],
        ["--listen", "unix:x", "--allow", "127.0.0.1:443"],
        ["--listen", "unix:/nowhere/x", "--allow", "a.example:443"],
        ["--listen", "unix:/dev/null/x", "--allow", "a.example:443", "--metrics", "127.0.0.1:0"],
    ],
)
def test_unusable_arguments_end_it_with_2_and_one_line(arguments: list[str]) -> None:
    ended = subprocess.run([sys.executable, "-m", "proxy", *arguments], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith("; see python -m proxy --help")


def test_with_json_a_failure_is_json_too() -> None:
    ended = subprocess.run([sys.executable, "-m", "proxy", "--json"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert json.loads(ended.stdout)["error"]["code"] == "usage"


def test_an_address_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = (sys.executable, "-m", "proxy", f"--listen=unix:{tmp_path / 'x'}", "--allow=a.example:443")
        metrics = f"--metrics=127.0.0.1:{taken.getsockname()[1]}"
        ended = subprocess.run([*command, metrics], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "cannot listen on the metrics' address: " in ended.stderr

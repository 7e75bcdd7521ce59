import asyncio
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FORBIDDEN = ("enclave", "parent", "attestation", "strongroom.protocol", "strongroom.client", "onnxruntime", "botocore")


def test_the_proxy_imports_the_transport_only() -> None:
    code = f"import sys, proxy.__main__; print([name for name in {FORBIDDEN!r} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


async def test_it_says_where_it_listens_and_ends_cleanly_with_its_totals(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", "--listen", f"unix:{tmp_path / 'egress'}"),
        *("--allow", "kms.eu-west-1.amazonaws.com:443", "--allow-private", "10.0.0.0/16"),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    announced = json.loads(await process.stdout.readline())
    assert announced == {"event": "listening", "address": f"unix:{tmp_path / 'egress'}"}
    reader, writer = await asyncio.open_unix_connection(tmp_path / "egress")
    writer.write(b"CONNECT other.example:443\n")
    assert await reader.read() == b""
    _, idle = await asyncio.open_unix_connection(tmp_path / "egress")
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(5):
        totals = json.loads(await process.stdout.readline())
        assert await process.wait() == 0
    assert totals["event"] == "egress"
    assert totals["forbidden"] == 1
    for connection in (writer, idle):
        connection.close()


async def test_it_may_open_as_many_descriptors_as_its_connections_need(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", "--listen", f"unix:{tmp_path / 'egress'}", "--allow", "a.example:443"),
        stdout=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)),
    )
    assert process.stdout is not None
    await process.stdout.readline()
    soft, _ = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    process.terminate()
    await process.wait()
    assert soft > min(2 * 512, hard - 1 if hard != resource.RLIM_INFINITY else 2 * 512)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--listen", "unix:x"],
        ["--listen", "tcp:1", "--allow", "a.example:443"],
        ["--listen", "unix:x", "--allow", "127.0.0.1:443"],
        ["--listen", "unix:x", "--allow", "a.example:443", "--allow-private", "ten"],
    ],
)
def test_unusable_arguments_end_it_with_2(arguments: list[str]) -> None:
    ended = subprocess.run([sys.executable, "-m", "proxy", *arguments], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "usage: " in ended.stderr

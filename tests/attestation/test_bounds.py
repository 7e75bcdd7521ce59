"""Hostile input costs little: time on CBOR bombs, memory on anything at all."""

from __future__ import annotations

import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from attestation import cbor
from attestation.documents import AttestationDocument
from attestation.errors import Rejected, RejectionClass
from tests.attestation import bombs, forge

MAX_CPU_S = 0.010
MAX_HEADS = 512
RUNS = 5
MAX_GROWTH_KIB = 8 << 10
MALFORMED = {RejectionClass.MALFORMED_COSE, RejectionClass.MALFORMED_PAYLOAD}


def _cpu_s(data: bytes) -> float:
    """Of one judgement, which must be a rejection as malformed."""
    started = time.thread_time()
    with pytest.raises(Rejected) as caught:
        AttestationDocument.from_bytes(data)
    spent = time.thread_time() - started
    assert caught.value.code.rejection_class in MALFORMED
    return spent


@pytest.mark.parametrize("name", bombs.envelopes())
def test_a_bomb_is_answered_at_once(name: str) -> None:
    """The least of several runs, so that a busy machine cannot fail it; an early bound on work would be below 1 ms."""
    bomb = bombs.envelopes()[name]
    assert min(_cpu_s(bomb) for _ in range(RUNS)) < MAX_CPU_S


@pytest.mark.parametrize("name", bombs.payloads())
def test_few_heads_are_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heads = []

    def counted(data: bytes, at: int) -> tuple[int, int, int]:
        heads.append(at)
        return read_head(data, at)

    read_head = cbor.read_head
    monkeypatch.setattr(cbor, "read_head", counted)
    with pytest.raises(Rejected):
        cbor.decode(bombs.payloads()[name])
    assert len(heads) <= MAX_HEADS


PEAK = """
def peak_kib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
"""
"""Linux: the most memory that this process has had. Unlike ru_maxrss it begins anew at exec."""

IN_PROCESS = (
    PEAK
    + """
from attestation.modes import Archived
from attestation.policy import UnsafeAnyMeasurement
from attestation.report import judge
from tests.attestation import bombs, forge

def ask(data):
    return judge(data, policy=UnsafeAnyMeasurement(), mode=Archived(), anchor=forge.pki().anchor, allow_simulated=True)

hostile = [*bombs.envelopes().values(), bytes(64 << 20)]  # the last one takes no memory until somebody reads it
assert ask(forge.document()).accepted
before = peak_kib()
for data in hostile * 3:
    assert not ask(data).accepted
print(peak_kib() - before)
"""
)


def test_the_verifier_needs_little_more_memory_for_hostile_input() -> None:
    done = subprocess.run([sys.executable, "-c", IN_PROCESS], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= MAX_GROWTH_KIB


COMMAND = (
    PEAK
    + """
import sys
from strongroom.cli import main
try:
    main()
finally:
    print(peak_kib(), file=sys.stderr)
"""
)


@dataclass(frozen=True)
class Command:
    """`strongroom verify` under the forge's root, in a process of its own."""

    folder: Path

    def peak_kib(self, file: str | Path, expected_status: int, standard_input: IO[bytes] | None = None) -> int:
        """The most memory it needs to judge ``file``."""
        anchor = self.folder / "anchor.pem"
        anchor.write_text(ssl.DER_cert_to_PEM_cert(forge.pki().anchor.der))
        options = ("--archived", "--any-measurement", "--allow-simulated", "--json", "--trust-anchor", str(anchor))
        command = [sys.executable, "-c", COMMAND, "verify", str(file), *options]
        done = subprocess.run(command, stdin=standard_input, capture_output=True, text=True, check=False)
        *errors, peak = done.stderr.splitlines()
        assert (done.returncode, errors) == (expected_status, []), done.stderr
        return int(peak)

    def growth_kib(self, file: str | Path, standard_input: IO[bytes] | None = None) -> int:
        """How much more than for a genuine document, which is judged as well."""
        genuine = self.folder / "genuine.cbor"
        genuine.write_bytes(forge.document())
        return self.peak_kib(file, 1, standard_input) - self.peak_kib(genuine, 0)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"8444" * (32 << 10), id="hex"),
        pytest.param(b"+" * (128 << 10), id="base64"),
        pytest.param(b" " * (128 << 10), id="spaces"),
        pytest.param(b"\xff" * (32 << 10), id="bytes"),
        pytest.param(bombs.envelopes()["empty arrays"], id="bomb"),
    ],
)
def test_the_command_needs_little_more_memory_for_a_hostile_file(content: bytes, command: Command) -> None:
    file = command.folder / "hostile"
    file.write_bytes(content)
    assert command.growth_kib(file) <= MAX_GROWTH_KIB


def test_the_command_does_not_read_a_huge_file(command: Command) -> None:
    file = command.folder / "sparse"
    with file.open("wb") as sparse:
        sparse.truncate(1 << 30)
    assert command.growth_kib(file) <= MAX_GROWTH_KIB


def test_the_command_does_not_read_a_device_to_its_end(command: Command) -> None:
    assert command.growth_kib("/dev/zero") <= MAX_GROWTH_KIB


def test_the_command_does_not_read_a_pipe_to_its_end(command: Command) -> None:
    with subprocess.Popen(["cat", "/dev/zero"], stdout=subprocess.PIPE) as endless:
        assert command.growth_kib("-", endless.stdout) <= MAX_GROWTH_KIB
        endless.kill()

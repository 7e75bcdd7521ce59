"""Images, launchers and observers to order."""

import asyncio
import gzip
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pytest

from attestation.anchors import AWS_NITRO_ROOT_G1
from attestation.policy import UnsafeAnyMeasurement
from parent.lifecycle.errors import LaunchFailed
from parent.lifecycle.image import Image
from parent.lifecycle.launcher import Launched, Order
from parent.lifecycle.record import State
from parent.trust import Trust
from strongroom.protocol.constants import BootState
from strongroom.transport.addresses import UnixAddress
from tests.attestation.eif import builder

FAKE_NITRO_CLI = Path(__file__).with_name("fake_nitro_cli.py")


def eif(folder: Path, *, crc32: int | None = None, zeros_mib: int = 0) -> Path:
    """A sound EIF, unless a CRC is given; `zeros_mib` are added to it as one compressed ramdisk."""
    sections: tuple[builder.Section, ...] = builder.SECTIONS
    if zeros_mib:
        sections = (*sections, builder.Section(builder.RAMDISK, gzip.compress(bytes(zeros_mib << 20))))
    image = builder.Image(sections)
    path = folder / "x.eif"
    path.write_bytes((image if crc32 is None else replace(image, crc32=crc32)).to_bytes())
    return path


def order(folder: Path, number: int = 1) -> Order:
    """For the first enclave, unless another number is given."""
    return Order(number, 15 + number, 2, 512, Image.check(eif(folder)))


def nitro_cli(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a fake nitro-cli before every other program; the folder where it keeps what it was asked."""
    programs, kept = folder / "programs", folder / "nitro-cli"
    programs.mkdir()
    kept.mkdir()
    script = programs / "nitro-cli"
    script.write_text(f"#!{sys.executable}\n{FAKE_NITRO_CLI.read_text()}")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_NITRO_CLI", str(kept))
    return kept


def trust() -> Trust:
    """One that is never asked."""
    return Trust(AWS_NITRO_ROOT_G1, False, UnsafeAnyMeasurement(), "any")


@dataclass
class FakeLauncher:
    """Enclaves that are names: `endings` says of each how it ended, once it did."""

    folder: Path
    name: str = "fake"
    refuses: bool = False
    endings: dict[str, str] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    terminated: list[str] = field(default_factory=list)
    state: State = State.READY
    states: dict[str, State] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    code: str | None = None
    waits: list[float] = field(default_factory=list)
    """From one look at an enclave to the next."""
    starting: int = 0
    stumbles: int = 0
    """How many calls of terminate fail."""
    most_at_once: int = 0
    never_starts: bool = False
    abandoned: threading.Event = field(default_factory=threading.Event)
    latest: ClassVar["FakeLauncher | None"] = None

    def __post_init__(self) -> None:
        FakeLauncher.latest = self

    def start(self, order: Order) -> Launched:
        if self.refuses:
            raise LaunchFailed("nitro-cli run-enclave: E27, no memory", "E27")
        self.starting += 1
        self.most_at_once = max(self.most_at_once, self.starting)
        if self.never_starts:
            self.abandoned.wait()
            raise LaunchFailed("it was abandoned")
        time.sleep(0.01)
        self.starting -= 1
        enclave_id = f"{order.number}.{len(self.started)}"
        self.started.append(enclave_id)
        addresses = (UnixAddress(self.folder / f"{enclave_id}.{port}") for port in ("api", "control", "log"))
        return Launched(enclave_id, 4711, 15 + order.number, "ab" * 48, *addresses)

    def abandon(self, number: int) -> None:
        self.abandoned.set()

    def ending(self, launched: Launched) -> str | None:
        return self.endings.get(launched.enclave_id)

    def terminate(self, enclave_id: str) -> None:
        self.stumbles -= 1
        if self.stumbles >= 0:
            raise LaunchFailed(f"nitro-cli terminate-enclave: E39, {enclave_id}", "E39")
        self.terminated.append(enclave_id)

    def console(self, launched: Launched) -> list[str]:
        return ["Kernel panic - not syncing"]

    @property
    def running(self) -> set[str]:
        return set(self.started) - set(self.terminated)


class FakeTail:
    """A log that ended when its enclave did, and what it said last."""

    def __init__(self, launcher: FakeLauncher, launched: Launched) -> None:
        self._launcher, self._launched = launcher, launched
        self.ended = asyncio.Event()
        self.lines = launcher.lines

    async def wait_ended(self, timeout_s: float) -> None:
        self._launcher.waits.append(timeout_s)
        await asyncio.sleep(0)

    async def last_code(self) -> str | None:
        return self._launcher.code


@asynccontextmanager
async def fake_observing(launched: Launched, _: Trust) -> AsyncIterator["FakeObserver"]:
    launcher = FakeLauncher.latest
    assert launcher is not None
    yield FakeObserver(launcher, launched)


class FakeObserver:
    """Sees what the launcher says that there is to see."""

    def __init__(self, launcher: FakeLauncher, launched: Launched) -> None:
        self._launcher, self._launched = launcher, launched
        self.tail = FakeTail(launcher, launched)
        self.step, self.reason = BootState.READY, "the enclave answered a fresh nonce"

    async def look(self) -> State:
        return self._launcher.states.get(self._launched.enclave_id, self._launcher.state)

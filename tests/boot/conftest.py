"""What a boot needs, and how each stage is told while it runs."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from strongroom.models.tiny import build_tiny_decoder
from tests.boot.appliance import CPUS, MEMORY_MIB, Running, TappedMachine, booted
from tests.boot.image import require_image, require_tool
from tests.boot.stages import Say
from tests.hybrid.tree import require_tree


@pytest.fixture(scope="session")
def say() -> Say:
    """Print at once, with the seconds since the first line: a boot takes its time."""
    started = time.monotonic()
    return lambda line: print(f"\n[{time.monotonic() - started:6.1f}] {line}", end="", flush=True)


@pytest.fixture(scope="session")
def eif() -> Path:
    require_tool("qemu-system-x86_64", "qemu-system-x86")
    require_tree()
    return require_image()


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [build_tiny_decoder(tmp_path_factory.mktemp("packages") / "tiny-decoder")]


@pytest.fixture(scope="session")
def new_running(
    eif: Path, packages: list[Path], say: Say, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., AbstractContextManager[Running]]:
    """Starts an appliance without its machine, for `image` and for a deployment that expects those PCRs."""

    def start(
        image: Path | None = None, expected: Mapping[int, bytes] | None = None
    ) -> AbstractContextManager[Running]:
        form = TappedMachine(image or eif, MEMORY_MIB, CPUS, expected)
        return booted(tmp_path_factory.mktemp("boot"), form, packages, say)

    return start

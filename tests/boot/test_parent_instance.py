"""What dials AF_VSOCK, in a machine where that is ours: strongroom.transport, then `strongroom enclave run nitro`.

Each test runs the tests of one file in tests/boot/inside, in a machine of their own, and prints what they say.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.boot.image import missing, require_tool
from tests.boot.inside import INSIDE, PACKAGE
from tests.boot.parent_instance import IMAGE, RECORD, VIRTIOFSD, ParentInstance, kernel_package
from tests.boot.stages import Say
from tests.hybrid.tree import ROOT

FOLDER = "tests/boot/inside"
PYTEST = ("-m", "pytest", "-x", "-v", "-s", "--tb=short", "--color=no", "-p", "pytest_asyncio.plugin")
SLOW = (
    *("tests.boot.inside.test_nitro", "tests.boot.inside.command", "strongroom.cli.enclave"),
    *("enclave.server", "enclave.engine.probe.child", "parent.app", "parent.lifecycle.supervisor"),
    *("proxy.process", "strongroom.simulator.kms.server"),
)
"""What many processes import there; read-only files cannot get byte code beside them, and emulation is slow."""
ENDED_WELL = "init: the application ended with exit code 0"


@pytest.fixture
def machine(tmp_path: Path) -> ParentInstance:
    if not RECORD.is_file() or not kernel_package().is_file():
        missing(f"{IMAGE}: make eif-local builds it")
    require_tool("qemu-system-x86_64", "qemu-system-x86")
    if not VIRTIOFSD.exists():
        missing(f"{VIRTIOFSD}, which QEMU 7 brings: apt-get install qemu-system-common")
    if os.geteuid() != 0:
        missing("root, for virtiofsd")
    return ParentInstance(tmp_path)


def run_inside(machine: ParentInstance, name: str, say: Say, *environment: str, timeout_s: float) -> None:
    """Run that file's tests in the machine: all of them, and none skipped."""
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        say(line)

    always = (f"{INSIDE}=1", "PATH=/usr/bin:/bin", "HOME=/run", "TMPDIR=/run", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1")
    command = (sys.executable, *PYTEST, f"--confcutdir={FOLDER}", f"{FOLDER}/{name}")
    machine.run(command, (*always, *environment), hear, timeout_s)
    assert ENDED_WELL in lines
    assert not [line for line in lines if "SKIPPED" in line]


def byte_code(folder: Path) -> Path:
    """Byte code of SLOW and all that it imports."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder)
    subprocess.run([sys.executable, "-c", f"import {', '.join(SLOW)}"], cwd=ROOT, env=environment, check=True)
    return folder


def test_vsock_addresses(machine: ParentInstance, say: Say) -> None:
    run_inside(machine, "test_vsock.py", say, timeout_s=120)


def test_enclave_run_nitro(machine: ParentInstance, say: Say, packages: list[Path], tmp_path: Path) -> None:
    if os.environ.get("STRONGROOM_NITRO_RUN") != "1":
        pytest.skip("takes some minutes: make nitro-run")
    cached = byte_code(tmp_path / "byte-code")
    given = (f"{PACKAGE}={packages[0]}", f"PYTHONPYCACHEPREFIX={cached}")
    run_inside(machine, "test_nitro.py", say, *given, timeout_s=1200)

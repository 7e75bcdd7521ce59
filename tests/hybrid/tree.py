"""The tree that `make ci-deps` makes: Debian trixie's Python with OpenSSL 3.5, and the packages of the image."""

import os
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TREE = ROOT / ".trixie"
NO_CONFIGURATION = Path(os.devnull)


def require_tree() -> None:
    """Skip without the tree, but never in CI."""
    if not (TREE / ".installed").exists():
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have the trixie tree: make ci-deps")
        pytest.skip("needs the trixie tree: make ci-deps")


def run(module: str, *arguments: object, lent: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a module in the tree, to its end; `lent`: with what it lacks of pure Python from this environment."""
    options: dict[str, Any] = {"capture_output": True, "timeout": 60}
    return subprocess.run(_command(module, arguments), cwd=ROOT, env=_environment(lent), text=True, **options)


@contextmanager
def running(module: str, *arguments: object, openssl_conf: Path) -> Iterator[None]:
    """A module in the tree that says one line when it is ready, and ends when its standard input does."""
    environment = {**_environment(lent=False), "OPENSSL_CONF": str(openssl_conf)}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(_command(module, arguments), cwd=ROOT, env=environment, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield


def _command(module: str, arguments: tuple[object, ...]) -> list[str]:
    return [str(TREE / "python3"), "-m", module, *map(str, arguments)]


def _environment(lent: bool) -> dict[str, str]:
    path = {"PYTHONPATH": sysconfig.get_path("purelib")} if lent else {}
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **path}

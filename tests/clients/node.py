"""Node and the packages of clients/js: there, or the test is skipped with a reason; in CI they must be there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CLIENT = Path(__file__).parents[2] / "clients" / "js"
_SLOWEST_S = 60


def _missing() -> str | None:
    if shutil.which("node") is None:
        return "no node: install it, on Debian by `make ci-deps`, then run `make js`"
    if not (CLIENT / "node_modules").is_dir():
        return "no packages in clients/js: run `make js`"
    return None


def node(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run node in clients/js. Skips the test where it cannot run, but never when CI=true."""
    if reason := _missing():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return subprocess.run(
        ["node", *arguments], cwd=CLIENT, input=given, capture_output=True, text=True, timeout=_SLOWEST_S
    )


def peer(**tasks: Any) -> Any:
    """What clients/js/test/peer.js makes of `tasks`."""
    done = node("test/peer.js", given=json.dumps({"seal": [], "envelopes": [], "open": []} | tasks))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

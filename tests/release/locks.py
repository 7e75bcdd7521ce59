"""Lock files of a few lines, and what pip would say of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def sha256(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def line(requirement: str, *files: str) -> str:
    """As uv writes it; `requirement` may end with a marker."""
    hashes = [f"    --hash=sha256:{sha256(file)}" for file in files or (requirement,)]
    return " \\\n".join([requirement, *hashes]) + "\n"


def lock(path: Path, *lines: str) -> Path:
    path.write_text("".join(lines))
    return path


Metadata = dict[str, Any]


def report(path: Path, wheels: dict[str, tuple[str, Metadata]]) -> Path:
    """The installation report of wheels NAME.whl, each with its version and what else its metadata say."""
    install = [
        {
            "metadata": {"name": name.replace("-", "_").title(), "version": version, **metadata},
            "download_info": {
                "url": f"https://index.example/{name}.whl",
                "archive_info": {"hashes": {"sha256": sha256(f"{name}.whl")}},
            },
        }
        for name, (version, metadata) in wheels.items()
    ]
    path.write_text(json.dumps({"version": "1", "install": install}))
    return path


def record(folder: Path, debs: Iterable[str], wheels: Iterable[str]) -> Path:
    """A local build's record of packages by name, all in one version, and of wheels by the names of their files."""
    path, version = folder / "packages.json", "1:2.0~rc+1"
    debian = [
        {"name": name, "version": version, "sha256": sha256(name), "file": f"{name}_2.0~rc+1_amd64.deb"}
        for name in debs
    ]
    files = [{"name": "any", "version": "1", "sha256": sha256(file), "file": file} for file in wheels]
    path.write_text(json.dumps({"debian": debian, "wheels": files}))
    return path

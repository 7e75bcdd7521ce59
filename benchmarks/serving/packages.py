"""The models that are raced: the real ones, built when they are missing, and the tiny ones."""

from __future__ import annotations

from pathlib import Path

from strongroom.models.build import build
from strongroom.models.tiny import build_tiny_decoder, build_tiny_encoder

_TINY = {"tiny-encoder": build_tiny_encoder, "tiny-decoder": build_tiny_decoder}


def package(folder: Path, name: str) -> Path:
    """The package of that name below the folder. Raises ModelError's kinds where it cannot be built."""
    out = folder.absolute() / name
    if not out.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if name in _TINY:
            return _TINY[name](out)
        return build(name, out, cache_dir=folder / "wheels", progress=lambda step: None)
    return out

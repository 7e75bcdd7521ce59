"""How the image sets the allocator of the enclave's process."""

from __future__ import annotations

from pathlib import Path

_DOCKERFILE = Path(__file__).parents[2] / "Dockerfile.enclave"


def image_allocator() -> dict[str, str]:
    """The variables that glibc's malloc reads in the image, from the ENV lines of Dockerfile.enclave."""
    lines = _DOCKERFILE.read_text().replace("\\\n", " ").splitlines()
    settings = (word.split("=", 1) for line in lines if line.startswith("ENV ") for word in line.split()[1:])
    return {name: value for name, value in settings if name.startswith(("MALLOC_", "GLIBC_"))}

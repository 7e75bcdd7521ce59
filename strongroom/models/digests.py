"""SHA-256 of files, read in pieces so that a file's size is never memory."""

import hashlib
from pathlib import Path


def sha256_file(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex; raise OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

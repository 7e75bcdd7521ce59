"""Files that a command makes: never over one that is there, and their owner's alone, for most can hold a secret."""

import os
from pathlib import Path


def write_new(path: Path, data: bytes) -> None:
    """Write to a file that is not there yet, mode 0600. Raises FileExistsError, OSError."""
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)

"""What of ours is measured: the files that Dockerfile.enclave copies, each by its name, and no other.

The list stands in measured.txt so that a build needs nothing but a copy to obey it: what else lies in a checkout, a
module that nobody has committed too, does not reach the image. A test holds it against what the enclave loads.
"""

from pathlib import Path
from typing import Final

LIST: Final = "strongroom/image/measured.txt"
"""Where a checkout has the list."""


def names_of(checkout: Path) -> tuple[str, ...]:
    """What another checkout lists. Raises OSError."""
    return tuple((checkout / LIST).read_text("ascii", errors="replace").split())


MEASURED: Final = names_of(Path(__file__).parents[2])
"""Sorted, relative to the folder that holds the packages."""

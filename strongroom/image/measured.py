"""What of ours is measured: the files that Dockerfile.enclave copies, each by its name, and no other.

The list stands in measured.txt so that a build needs nothing but a copy to obey it: what else lies in a checkout, a
module that nobody has committed too, does not reach the image. A test holds it against what the enclave loads.
"""

from pathlib import Path
from typing import Final

MEASURED: Final = tuple(Path(__file__).with_name("measured.txt").read_text("ascii").split())
"""Sorted, relative to the folder that holds the packages."""

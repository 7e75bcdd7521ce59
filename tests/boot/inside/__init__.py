"""What runs in the machine that plays the parent instance (tests/boot/parent_instance.py), where AF_VSOCK is ours."""

from typing import Final

CID: Final = 16
"""Of that machine, so that of the enclaves that run in it."""
INSIDE: Final = "STRONGROOM_TESTS_INSIDE"
"""The environment variable that says so; without it nothing here is collected."""
PACKAGE: Final = "STRONGROOM_TESTS_PACKAGE"
"""The environment variable that has the path of the model's package."""

"""How the tests read an EIF."""

from __future__ import annotations

from io import BytesIO

import pytest

from attestation.eif.errors import EIFError
from attestation.eif.reader import EIF
from tests.attestation.eif.builder import Image


def read(image: Image | bytes) -> EIF:
    return EIF.from_stream(BytesIO(image if isinstance(image, bytes) else image.to_bytes()))


def refuse(image: Image | bytes, expected: str, offset: int | None = None) -> EIFError:
    """Read, and insist on this reason, at this place."""
    with pytest.raises(EIFError) as caught:
        read(image)
    assert expected in caught.value.expected, str(caught.value)
    if offset is not None:
        assert caught.value.offset == offset, str(caught.value)
    return caught.value

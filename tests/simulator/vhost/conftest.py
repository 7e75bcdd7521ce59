"""Guest memory for each test."""

from collections.abc import Iterator

import pytest

from tests.simulator.vhost.driver import Memory, guest_memory


@pytest.fixture
def memory() -> Iterator[Memory]:
    with guest_memory() as shared:
        yield shared

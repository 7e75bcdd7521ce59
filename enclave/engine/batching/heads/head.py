"""What makes an answer of the numbers that come out of an encoder graph."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from enclave.engine.sessions import Port
from enclave.engine.tokenization import EncodedText
from strongroom.protocol.payloads import ClassifyTask, EmbedTask, Event, TagTask

Part = TypeVar("Part")
"""What an answer says of one text."""

TextsTask = EmbedTask | ClassifyTask | TagTask


class Head(Protocol[Part]):
    """The end of an encoder model: stateless, for several threads.

    Each text is looked at by itself, without the padding beside it: its part is the same in any batch, as far as the
    graph's numbers are.
    """

    @property
    def task(self) -> type[TextsTask]:
        """The kind of task that the model takes."""

    @property
    def output(self) -> Port:
        """The graph's output, float32: [b, width], or [b, s, width] with `width` numbers for each token."""

    def part(self, numbers: NDArray[np.float32], text: EncodedText) -> Part:
        """What the answer says of the text: `numbers` are its own, finite, [width] or [tokens, width].

        The part shares no memory with them.
        """

    def event(self, parts: Sequence[Part]) -> Event:
        """The answer to a task, from the parts of its texts in their order; raise an EngineError."""

"""What is sent: random bytes, in the three forms that the paths take them in."""

from __future__ import annotations

import secrets
from typing import Final, NamedTuple

from strongroom.protocol import canonical
from strongroom.protocol.padding import padded_size
from strongroom.protocol.payloads import InferTask, Request
from strongroom.protocol.tensors import Tensor

_LENGTH_BYTES: Final = 4  # stands before every padded body


class Sample(NamedTuple):
    """One content. Its request fills a bucket of `len(plaintext)` bytes, so that every path encrypts as many."""

    plaintext: bytes
    body: bytes
    """As much as a bucket of that size holds."""
    task: InferTask
    """A tensor that makes a body of that length."""


def sample(size: int) -> Sample:
    """Fresh random bytes; `size` is that of a bucket."""
    plaintext = secrets.token_bytes(size)
    room = size - _LENGTH_BYTES
    around = len(_body(_task(plaintext[:room]))) - room
    made = Sample(plaintext, plaintext[:room], _task(plaintext[: room - around]))
    assert padded_size(len(_body(made.task)), size) == size == padded_size(room, size)
    return made


def _task(data: bytes) -> InferTask:
    return InferTask({"x": Tensor("uint8", [len(data)], data)})


def _body(task: InferTask) -> bytes:
    return canonical.encode(Request(bytes(32), False, task))

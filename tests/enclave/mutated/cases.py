"""Mutated sealed requests, from a seed: half altered as sealed, half altered inside and sealed again."""

import random
from collections.abc import Callable, Iterator, Sequence

from strongroom.protocol import padding
from tests.enclave.mutated.sealers import CANARY, Sealer

Mutation = Callable[[random.Random, bytearray], None]


def flip(chance: random.Random, data: bytearray) -> None:
    """One bit."""
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def overwrite(chance: random.Random, data: bytearray) -> None:
    """A run of bytes: zeros, ones, or others."""
    at, length = chance.randrange(len(data)), chance.randrange(1, 9)
    data[at : at + length] = chance.choice((b"\0" * length, b"\xff" * length, chance.randbytes(length)))


def cut(chance: random.Random, data: bytearray) -> None:
    """Everything behind a place."""
    del data[chance.randrange(len(data)) :]


def remove(chance: random.Random, data: bytearray) -> None:
    """A run of bytes."""
    at = chance.randrange(len(data))
    del data[at : at + chance.randrange(1, 9)]


def insert(chance: random.Random, data: bytearray) -> None:
    """Bytes at a place: heads of CBOR that announce much, tags, indefinite lengths, depth."""
    heads = (b"\x9b" + b"\xff" * 8, b"\x5b" + b"\0" * 3 + b"\xff" * 5, b"\xc1", b"\xd9\xd9\xf7", b"\x9f", b"\xa1" * 64)
    at = chance.randrange(len(data))
    data[at:at] = chance.choice((*heads, b"\x81" * 500, chance.randbytes(chance.randrange(1, 40))))


def repeat(chance: random.Random, data: bytearray) -> None:
    """A run of bytes a second time."""
    at = chance.randrange(len(data))
    data[at:at] = data[at : at + chance.randrange(1, 200)]


def exchange(chance: random.Random, data: bytearray) -> None:
    """Two bytes."""
    one, other = chance.randrange(len(data)), chance.randrange(len(data))
    data[one], data[other] = data[other], data[one]


MUTATIONS: tuple[Mutation, ...] = (flip, flip, overwrite, cut, remove, insert, repeat, exchange)


class Cases:
    """An endless supply; the seed makes the choices, the keys are the enclave's."""

    def __init__(self, sealers: Sequence[Sealer], seed: int, now_ms: Callable[[], int]) -> None:
        self._sealers, self._chance, self._now_ms = sealers, random.Random(seed), now_ms
        self._sound: list[bytes] = []
        self._pairs = [(sealer, body) for sealer in sealers for body in sealer.bodies()]
        self.reached = 0
        """Requests whose plaintext held the canary when it was sealed again."""

    def __iter__(self) -> Iterator[bytes]:
        """Altered inside and altered outside, in turns."""
        while True:
            if not self._sound or self._chance.random() < 0.001:  # their timestamps must not grow old
                self._sound = [sealer.seal(padding.pad(body), self._now_ms()) for sealer, body in self._pairs]
            yield self._altered(self._chance.choice(self._sound))
            yield self._sealed_again()

    def _altered(self, sound: bytes) -> bytes:
        data = bytearray(sound)
        while data == sound or not data:
            data = bytearray(sound)
            for _ in range(self._chance.choice((1, 1, 2, 5))):
                self._chance.choice(MUTATIONS)(self._chance, data or bytearray(b"\0"))
        return bytes(data)

    def _sealed_again(self) -> bytes:
        """Mostly of sound padding, so that the parser of what is inside is reached."""
        sealer, body = self._chance.choice(self._pairs)
        if self._chance.random() < 0.9:
            plaintext = padding.pad(self._altered(body))
        else:
            plaintext = self._altered(padding.pad(body))
        self.reached += CANARY in plaintext
        return sealer.seal(plaintext, self._now_ms())

"""Mutations of CBOR structure: any item in another encoding, of another type, twice, elsewhere or gone."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from random import Random

from tests.attestation.mutation import octets
from tests.attestation.mutation.cbor_tree import ARRAY, BYTES, MAP, NEGATIVE, SIMPLE, TAG, TEXT, UNSIGNED, Item

_NUMBERS = (0, 1, 15, 23, 24, 31, 32, 255, 256, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_TAGS = (0, 2, 3, 17, 18, 24, 28, 29, 61, 98, 256, 258, 55799)
_SIMPLE = (0, 19, 20, 21, 22, 23, 24, 32, 255)


def mutate(rng: Random, tree: Item) -> str:
    """Change one item of ``tree`` in place; returns the name of the change."""
    change = rng.choice(_ANYWHERE + _CONTAINERS)
    items = [item for item in tree.whole() if change in _ANYWHERE or item.children]
    change(rng, tree if rng.random() < 0.1 else rng.choice(items))
    return change.__name__.strip("_")


def _longer_head(rng: Random, item: Item) -> None:
    item.width = rng.choice((1, 2, 4, 8))


def _indefinite_length(rng: Random, item: Item) -> None:
    item.indefinite = not item.indefinite


def _lying_length(rng: Random, item: Item) -> None:
    length = len(item.content) or len(item.children)
    item.claimed = rng.choice((0, max(0, length - 1), length + 1, length + 2, 2 * length, *_NUMBERS))


def _other_major_type(rng: Random, item: Item) -> None:
    item.major = rng.choice([major for major in range(8) if major != item.major])


def _tagged(rng: Random, item: Item) -> None:
    item.become(Item(TAG, rng.choice(_TAGS), children=[deepcopy(item)]))


def _wrapped_in_arrays(rng: Random, item: Item) -> None:
    further = b"\x81" * rng.choice((0, 1, 3, 4, 900))
    item.become(Item(ARRAY, content=further + item.to_bytes(), claimed=1))


def _other_value(rng: Random, item: Item) -> None:
    item.become(_value(rng))


def _other_number(rng: Random, item: Item) -> None:
    near = item.argument + rng.choice((-1, 1, 16))
    item.become(Item(rng.choice((UNSIGNED, UNSIGNED, NEGATIVE)), rng.choice((*_NUMBERS, max(0, near)))))


def _other_content(rng: Random, item: Item) -> None:
    if item.content:
        item.content = octets.mutated(rng, item.content, item.content[::-1])
    else:
        _other_value(rng, item)


def _other_size(rng: Random, item: Item) -> None:
    size = rng.choice((0, 1, 31, 32, 47, 48, 49, 64, 96, 97, 1023, 1024, 1025, 16_384))
    item.become(Item(rng.choice((BYTES, BYTES, TEXT)), content=(item.content or b"a").ljust(size, b"a")[:size]))


def _drop(rng: Random, item: Item) -> None:
    at, step = _entry(rng, item)
    del item.children[at : at + step]


def _twice(rng: Random, item: Item) -> None:
    at, step = _entry(rng, item)
    to = rng.choice((at, len(item.children)))
    item.children[to:to] = deepcopy(item.children[at : at + step])


def _same_key(rng: Random, item: Item) -> None:
    """Of a map: one key becomes a copy of another, perhaps in another encoding."""
    if item.major == MAP and len(item.children) > 2:
        one, other = rng.sample(range(0, len(item.children) - 1, 2), 2)
        item.children[one] = deepcopy(item.children[other])
        item.children[one].width = rng.choice((0, 0, 1))


def _swap(rng: Random, item: Item) -> None:
    one, other = rng.randrange(len(item.children)), rng.randrange(len(item.children))
    item.children[one], item.children[other] = item.children[other], item.children[one]


def _reorder(rng: Random, item: Item) -> None:
    step = 2 if item.major == MAP else 1
    entries = [item.children[at : at + step] for at in range(0, len(item.children), step)]
    rng.shuffle(entries)
    item.children = [child for entry in entries for child in entry]


def _insert(rng: Random, item: Item) -> None:
    at, step = _entry(rng, item)
    times = rng.choice((1, 1, 1, 20, 600))
    item.children[at:at] = [_value(rng) for _ in range(step * times)]


def _entry(rng: Random, item: Item) -> tuple[int, int]:
    """Where one entry begins, and of how many items it is; now and then half a map's entry."""
    step = 2 if item.major == MAP and rng.random() < 0.8 else 1
    return rng.randrange(0, len(item.children), step), step


def _value(rng: Random) -> Item:
    return rng.choice(
        (
            Item(UNSIGNED, rng.choice(_NUMBERS)),
            Item(NEGATIVE, rng.choice(_NUMBERS)),
            Item(BYTES, content=rng.randbytes(rng.choice((0, 1, 48, 1025)))),
            Item(TEXT, content=rng.choice((b"", b"SHA384", b"pcrs", b"\xff", b"\xed\xa0\x80"))),
            Item(ARRAY),
            Item(MAP),
            Item(SIMPLE, rng.choice(_SIMPLE)),
            Item(SIMPLE, rng.getrandbits(64), width=rng.choice((2, 4, 8))),
        )
    )


_Change = Callable[[Random, Item], None]
_ANYWHERE: tuple[_Change, ...] = (
    *(_longer_head, _indefinite_length, _lying_length, _other_major_type, _tagged, _wrapped_in_arrays),
    *(_other_value, _other_number, _other_content, _other_size),
)
_CONTAINERS: tuple[_Change, ...] = (_drop, _twice, _same_key, _swap, _reorder, _insert)

"""Canonical CBOR of structs, mappings, lists and scalars, in pieces, so that a long byte string is copied once only.

The same bytes as `cbor2` in its canonical form (RFC 7049 section 3.9). That copies a megabyte three times, and sorts
the members of a struct each time; here they are in order from the first time on.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import cbor2
import msgspec

_Write = Callable[[Any, list[bytes]], None]

_UNSIGNED, _, _BYTES, _TEXT, _LIST, _MAP = (major << 5 for major in range(6))


def pieces_of(value: object) -> list[bytes]:
    """The encoding of `value`, to be joined. Each byte string is a piece of its own: the very object, not a copy.

    Raises TypeError for what the protocol has no form for.
    """
    pieces: list[bytes] = []
    _WRITERS[type(value)](value, pieces)
    return pieces


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major | argument,))
    if argument < 1 << 8:
        return bytes((major | 24, argument))
    if argument < 1 << 16:
        return bytes((major | 25,)) + argument.to_bytes(2, "big")
    if argument < 1 << 32:
        return bytes((major | 26,)) + argument.to_bytes(4, "big")
    return bytes((major | 27,)) + argument.to_bytes(8, "big")


def _text(value: str) -> bytes:
    """As bytes, texts are in the canonical order of keys: their heads put the shorter one first."""
    data = value.encode()
    return _head(_TEXT, len(data)) + data


def _write_text(value: str, pieces: list[bytes]) -> None:
    pieces.append(_text(value))


def _write_bytes(value: bytes, pieces: list[bytes]) -> None:
    pieces += (_head(_BYTES, len(value)), value)


def _write_list(value: Sequence[object], pieces: list[bytes]) -> None:
    pieces.append(_head(_LIST, len(value)))
    for item in value:
        _WRITERS[type(item)](item, pieces)


def _write_mapping(value: Mapping[str, object], pieces: list[bytes]) -> None:
    pieces.append(_head(_MAP, len(value)))
    keys = {_text(key): key for key in value}
    for encoded in sorted(keys):
        pieces.append(encoded)
        item = value[keys[encoded]]
        _WRITERS[type(item)](item, pieces)


def _write_integer(value: int, pieces: list[bytes]) -> None:
    if 0 <= value < 1 << 64:
        pieces.append(_head(_UNSIGNED, value))
    else:
        _write_scalar(value, pieces)


def _write_scalar(value: float | None, pieces: list[bytes]) -> None:
    pieces.append(cbor2.dumps(value, canonical=True))


def _writer_of(kind: type[msgspec.Struct]) -> _Write:
    """The writer of a struct: its tag, and its members but for those that `omit_defaults` leaves out.

    A default is left out by its value, so that each value has one encoding; msgspec's own encoders go by identity.
    """
    config = kind.__struct_config__
    members = {_text(field.encode_name): (field.name, _default_of(field)) for field in msgspec.structs.fields(kind)}
    tag = {_text(config.tag_field): b"".join(pieces_of(config.tag))} if config.tag_field else {}
    order = [(key + tag.get(key, b""), *members.get(key, ("", None))) for key in sorted({*members, *tag})]

    def write(value: msgspec.Struct, pieces: list[bytes]) -> None:
        present = order
        if config.omit_defaults:
            present = [each for each in order if not each[1] or getattr(value, each[1]) != each[2]]
        pieces.append(_head(_MAP, len(present)))
        for key, name, _ in present:
            pieces.append(key)
            if name:
                item = getattr(value, name)
                _WRITERS[type(item)](item, pieces)

    return write


def _default_of(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


class _Writers(dict[type, _Write]):
    """By type; a struct's is made when its first value comes."""

    def __missing__(self, kind: type) -> _Write:
        if not issubclass(kind, msgspec.Struct):
            raise TypeError(f"expected a value of the protocol, got {kind.__name__}")
        writer = self[kind] = _writer_of(kind)
        return writer


_WRITERS: Final = _Writers(
    {
        bytes: _write_bytes,
        str: _write_text,
        list: _write_list,
        dict: _write_mapping,
        int: _write_integer,
        float: _write_scalar,
        bool: _write_scalar,
        type(None): _write_scalar,
    }
)

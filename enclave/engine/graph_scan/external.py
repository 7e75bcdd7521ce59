"""Tensors whose data lies in another file of the package.

onnxruntime gets those files from memory, by their names, and has no folder to look into. Here a name must be plain and
in the manifest, and what it stands for inside the file: a line of CVEs (2022-25882, 2024-27318, 2025-51480,
2026-27489) is about names that lead elsewhere. Only the model's own initializers may lie outside: onnxruntime does not
look up others in memory.
"""

from collections.abc import Mapping

from enclave.engine.graph_scan.message import Message
from enclave.engine.graph_scan.rules import GraphRejected, Rule
from enclave.engine.graph_scan.tensors import count_items, has_data, layout

_KEYS = {b"location", b"offset", b"length", b"checksum"}
_MAX_DIGITS = 19
_MARKS = (b"/", b"\\", b"\0", b":", b"*")


def is_external(tensor: Message) -> bool:
    """Whether a tensor says, in either way, that its data lies elsewhere."""
    return tensor.number("data_location") != 0 or tensor.count("external_data") > 0


def check_external(tensor: Message, files: Mapping[str, bytes]) -> tuple[str, int]:
    """The file of an external tensor, and its bytes there; raise GraphRejected."""
    _check_marks(tensor)
    entries = _entries(tensor)
    name = _plain(entries.get(b"location", b""))
    if name not in files:
        raise GraphRejected(Rule.EXTERNAL, "expected the name of another file of the manifest, got another name")
    size = layout(tensor).raw_bytes(count_items(tensor))
    offset = _number(entries.get(b"offset", b"0"))
    if (length := _number(entries.get(b"length", b"%d" % size))) != size:
        raise GraphRejected(Rule.EXTERNAL, f"expected the {size} bytes of the tensor's items, got {length}")
    if offset + size > len(files[name]):
        raise GraphRejected(Rule.EXTERNAL, f"expected {size} bytes at {offset}, got a file of {len(files[name])}")
    return name, size


def _check_marks(tensor: Message) -> None:
    """Raise GraphRejected unless the tensor is marked as external, and has no data itself."""
    if tensor.number("data_location") != 1:
        raise GraphRejected(Rule.EXTERNAL, "expected the mark of external data on a tensor that has a place, got none")
    if has_data(tensor):
        raise GraphRejected(Rule.EXTERNAL, "expected data in one place, got it in two")


def _entries(tensor: Message) -> dict[bytes, bytes]:
    entries = tensor.children("external_data")
    found = {entry.text("key"): bytes(entry.body("value")[:256]) for entry in entries}
    if len(found) != len(entries) or not found.keys() <= _KEYS:
        raise GraphRejected(Rule.EXTERNAL, "expected location, offset, length or checksum, each once, got others")
    return found


def _plain(location: bytes) -> str:
    if not location or location.startswith(b".") or any(mark in location for mark in _MARKS) or not location.isascii():
        raise GraphRejected(Rule.EXTERNAL, "expected a plain file name, got a path")
    return location.decode("ascii")


def _number(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > _MAX_DIGITS:
        raise GraphRejected(Rule.EXTERNAL, f"expected an offset or a length of 1 to {_MAX_DIGITS} digits, got another")
    return int(digits)

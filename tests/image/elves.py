"""Files in the ELF format that have sections and nothing else."""

import struct
from collections.abc import Mapping


def elf(sections: Mapping[str, bytes]) -> bytes:
    """A 64-bit little-endian file with these sections, after them their names and headers."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in sections) + b".shstrtab\0"
    headers, body = [bytes(64)], bytearray(64)
    for name, data in {**sections, ".shstrtab": names}.items():
        place = names.index(b"\0" + name.encode() + b"\0") + 1
        headers.append(struct.pack("<IIQQQQIIQQ", place, 1, 0, 0, len(body), len(data), 0, 0, 1, 0))
        body += data
    fields = (1, 62, 1, 0, 0, len(body), 0, 64, 0, 0, 64, len(headers), len(headers) - 1)
    body[:64] = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", *fields)
    return bytes(body) + b"".join(headers)


def module(depends: str = "", rodata: bytes = b"") -> bytes:
    """A kernel module, as far as loaders of it look."""
    return elf({".modinfo": b"license=GPL\0depends=" + depends.encode() + b"\0name=x\0", ".rodata": rodata})

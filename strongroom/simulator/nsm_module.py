"""Debian's NSM driver, made to take another device: stock QEMU has none with the NSM's number.

The driver asks for virtio device 33. The only device of stock QEMU that hands one plain queue to a program outside is
`vhost-user-rng`, number 4. Code and behaviour stay the kernel's own; one number changes, and with it the module's
signature would be wrong, so that goes too (Debian's kernel does not insist on one).

Such a module is for machines that we boot ourselves. It is measured by PCR0 and PCR1 like everything in ramdisk 0, so
an image that holds it has other measurements than one with the stock driver.
"""

import struct
from typing import Final

from strongroom.image.elf import section_place
from strongroom.image.errors import InputRefused

_NSM: Final = 33
_RNG: Final = 4
_ANY_VENDOR: Final = 0xFFFF_FFFF
_TABLE: Final = struct.Struct("<IIII")  # include/linux/mod_devicetable.h: (device, vendor), and the end (0, 0)

_MARK: Final = b"~Module signature appended~\n"
_SIGNATURE: Final = struct.Struct(">8xI")  # kernel/module_signature.h: the last field is the signature's length


def behind_vhost_user_rng(module: bytes) -> bytes:
    """`nsm.ko` for virtio device 4 in place of 33, unsigned. Raises InputRefused when it is not the module expected."""
    unsigned = without_signature(module)
    begin, size = section_place(unsigned, ".rodata")
    table = _TABLE.pack(_NSM, _ANY_VENDOR, 0, 0)
    found = unsigned.count(table, begin, begin + size)
    if found != 1:
        raise InputRefused(f"nsm.ko: expected one table of virtio devices that names {_NSM} alone, got {found}")
    at = unsigned.index(table, begin)
    return unsigned[:at] + _TABLE.pack(_RNG, _ANY_VENDOR, 0, 0) + unsigned[at + _TABLE.size :]


def without_signature(module: bytes) -> bytes:
    """The module as it was before it was signed. Raises InputRefused for a length that cannot be."""
    if not module.endswith(_MARK):
        return module
    end = len(module) - len(_MARK) - _SIGNATURE.size
    if end < 0:
        raise InputRefused("kernel module: expected a signature before its mark, got none")
    (length,) = _SIGNATURE.unpack_from(module, end)
    if length > end:
        raise InputRefused(f"kernel module: expected a signature of at most {end} bytes, got {length}")
    return module[: end - length]

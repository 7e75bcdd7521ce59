"""What glibc's allocator holds for this process."""

import ctypes

_FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"


class _Mallinfo(ctypes.Structure):
    """struct mallinfo2 of malloc.h."""

    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS.split()]


def used_bytes() -> int:
    """What is allocated and not freed: in arenas, and in mappings of their own."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _Mallinfo
    found = mallinfo2()
    return int(found.uordblks + found.hblkhd)


def trim() -> None:
    """Give freed memory back to the kernel, which has other uses for it: the child that tries the next graph is one.

    Without it half of an evicted model's pages stay with the process (glibc keeps them for what it may allocate next).
    """
    ctypes.CDLL(None).malloc_trim(0)

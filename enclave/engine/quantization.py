"""Graphs whose arithmetic a whole batch shares, as far as the names of their operators tell."""

_DYNAMIC = b"DynamicQuantize"


def quantizes_dynamically(graph: bytes) -> bool:
    """Whether the serialised graph names DynamicQuantizeLinear, DynamicQuantizeMatMul or the like.

    They take one scale for all activations of a batch. A trial can miss that: the scale is the same as long as the
    largest activation is.
    """
    return _DYNAMIC in graph

"""What the engine may use for a model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Capacity:
    """What the engine may use for each of its models."""

    threads: int = 2
    """Threads for one operator of onnxruntime, and micro-batches of one encoder at a time."""
    max_queued: int = 16
    """Requests that may wait behind those that run; those of an encoder are bounded by their texts instead."""
    slots: int = 16
    """Conversations of one language model at a time."""
    kv_bytes: int = 3 << 29
    """Bytes of K/V that a language model's slots hold together; it has fewer slots where these are too few."""

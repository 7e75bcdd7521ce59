"""What one core and one socket can do with bytes that nobody else wants, for comparison."""

from __future__ import annotations

import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Callable
from statistics import median

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.protocol.messages import WEIGHTS_CHUNK_BYTES

_NONCE = bytes(12)


def aes_gcm_mib_per_s(chunks: int, runs: int) -> float:
    """Opening chunks of sealed weights' size, one after another."""
    cipher, chunk = AESGCM(AESGCM.generate_key(256)), secrets.token_bytes(WEIGHTS_CHUNK_BYTES)
    sealed = [
        cipher.encrypt(_NONCE, chunk, None) for _ in range(chunks)
    ]  # not one over and over: it would stay in cache

    def open_all() -> None:
        for each in sealed:
            cipher.decrypt(_NONCE, each, None)

    return _mib_per_s(open_all, chunks, runs)


def sha256_mib_per_s(chunks: int, runs: int) -> float:
    """Hashing as many bytes, which is how a file is held against its manifest."""
    content = secrets.token_bytes(chunks * WEIGHTS_CHUNK_BYTES)
    return _mib_per_s(lambda: hashlib.sha256(content), chunks, runs)


def socket_mib_per_s(chunks: int, runs: int) -> float:
    """As many bytes from one thread to another over one UNIX socket."""
    return _mib_per_s(lambda: _carry(chunks), chunks, runs)


def _carry(chunks: int) -> None:
    here, there = socket.socketpair()
    content, left = bytes(chunks * WEIGHTS_CHUNK_BYTES), chunks * WEIGHTS_CHUNK_BYTES
    with here, there:
        sender = threading.Thread(target=there.sendall, args=(content,))
        sender.start()
        buffer = bytearray(WEIGHTS_CHUNK_BYTES)
        while left:
            left -= here.recv_into(buffer)
        sender.join()


def _mib_per_s(work: Callable[[], object], mib: int, runs: int) -> float:
    work()
    took = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return mib / median(took)

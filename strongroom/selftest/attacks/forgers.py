"""Forged replies of KMS: what the parent's proxy can say to the enclave in KMS's place."""

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

from strongroom.selftest.proxy import Forger, relay
from strongroom.simulator.kms.tls import server_certificate
from strongroom.simulator.operator import REGION

MakeForger = Callable[[Random, Path], Forger]
"""(random values, a folder for a certificate of the parent's own) → a forger."""
_SPOILT_WITHIN_BYTES = 1500
"""Fewer than KMS needs for one TLS handshake and one answer."""
_BRIEFLY_S = 0.5


def hang_up(_rng: Random, _folder: Path) -> Forger:
    """No answer."""

    async def forge(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, _kms_port: int) -> None:
        return

    return forge


def in_the_clear(rng: Random, _folder: Path) -> Forger:
    """A success without TLS, with a key of the parent's choice."""
    answer = _success(rng)

    async def forge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _kms_port: int) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()

    return forge


def own_certificate(rng: Random, folder: Path) -> Forger:
    """TLS for KMS's very name under a CA of the parent's own, and a success inside."""
    context, answer = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), _success(rng)
    context.load_cert_chain(server_certificate(folder, region=REGION))

    async def forge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _kms_port: int) -> None:
        await writer.start_tls(context)
        await reader.read(1)
        writer.write(answer)
        await writer.drain()

    return forge


def garbled(rng: Random, _folder: Path) -> Forger:
    """KMS's own bytes, from one on all of them changed: TLS ignores some single ones."""
    first, mask = rng.randrange(_SPOILT_WITHIN_BYTES), 1 << rng.randrange(8)

    async def forge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kms_port: int) -> None:
        seen = 0

        def alter(piece: bytes) -> bytes:
            nonlocal seen
            kept, seen = max(0, first - seen), seen + len(piece)
            return piece[:kept] + bytes(byte ^ mask for byte in piece[kept:])

        await _briefly(relay(reader, writer, kms_port, alter))

    return forge


def cut_short(rng: Random, _folder: Path) -> Forger:
    """The first of KMS's bytes, then nothing for ever: EOFError ends the connection."""
    left = rng.randrange(_SPOILT_WITHIN_BYTES)

    async def forge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kms_port: int) -> None:
        remaining = left

        def alter(piece: bytes) -> bytes:
            nonlocal remaining
            if remaining <= 0:
                raise EOFError
            told, remaining = piece[:remaining], remaining - len(piece)
            return told

        await _briefly(relay(reader, writer, kms_port, alter))

    return forge


FORGERS: tuple[MakeForger, ...] = (hang_up, in_the_clear, own_certificate, garbled, cut_short)


def replaying(recorded: bytes) -> Forger:
    """What KMS said on an earlier connection, byte for byte."""

    async def forge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _kms_port: int) -> None:
        await reader.read(1)
        writer.write(recorded)
        await writer.drain()

    return forge


def recording(into: bytearray) -> Forger:
    """The honest way, kept."""

    def keep(piece: bytes) -> bytes:
        into.extend(piece)
        return piece

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kms_port: int) -> None:
        await relay(reader, writer, kms_port, keep)

    return carry


async def _briefly(forging: Awaitable[None]) -> None:
    """Spoilt bytes can leave the enclave waiting for more, until its own deadline: spare the run that time."""
    async with asyncio.timeout(_BRIEFLY_S):
        await forging


def _success(rng: Random) -> bytes:
    key = b64encode(rng.randbytes(32)).decode()
    body = json.dumps({"KeyId": "any", "Plaintext": key, "CiphertextForRecipient": key}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body

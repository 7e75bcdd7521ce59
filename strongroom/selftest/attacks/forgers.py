"""Forged replies of KMS: what the parent's proxy can say to the enclave in KMS's place."""

import asyncio
import json
import re
import ssl
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

from attestation.documents import AttestationDocument
from strongroom.selftest.proxy import Forger, relay
from strongroom.simulator.cms import ciphertext_for_recipient
from strongroom.simulator.kms.tls import server_certificate
from strongroom.simulator.operator import REGION

MakeForger = Callable[[Random, Path, bytes], Forger]
"""(random values, a folder for a certificate of the parent's own, a data key of its own) → a forger."""
_SPOILT_WITHIN_BYTES = 1500
"""Fewer than KMS needs for one TLS handshake and one answer."""
_BRIEFLY_S = 0.5
_PIECE_BYTES = 64 << 10


def hang_up(_rng: Random, _folder: Path, _key: bytes) -> Forger:
    """No answer."""

    async def forge(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, _kms_port: int) -> None:
        return

    return forge


def in_the_clear(_rng: Random, _folder: Path, key: bytes) -> Forger:
    """A success without TLS, with a key of the parent's own."""
    answer = _success({"KeyId": "any", "Plaintext": b64encode(key).decode()})

    async def forge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _kms_port: int) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()

    return forge


def own_certificate(_rng: Random, folder: Path, key: bytes) -> Forger:
    """TLS for KMS's very name under a CA of the parent's own; inside, what KMS would say, with the parent's key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_certificate(folder, region=REGION))

    async def forge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _kms_port: int) -> None:
        await writer.start_tls(context)
        writer.write(_success(_released(await _read_call(reader), key)))
        await writer.drain()

    return forge


def garbled(rng: Random, _folder: Path, _key: bytes) -> Forger:
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


def cut_short(rng: Random, _folder: Path, _key: bytes) -> Forger:
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


async def _read_call(reader: asyncio.StreamReader) -> dict[str, Any]:
    """The JSON of one call. Raises EOFError, ValueError."""
    call = b""
    while True:
        head, end, body = call.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *([0-9]+)", head)
        if end and length and len(body) >= int(length[1]):
            return dict(json.loads(body))
        if not (piece := await reader.read(_PIECE_BYTES)):
            raise EOFError
        call += piece


def _released(call: dict[str, Any], key: bytes) -> dict[str, str]:
    """The answer to a Decrypt: the parent's key, for the recipient whose public key comes with the call."""
    if "Recipient" not in call:
        return {}
    recipient = AttestationDocument.from_bytes(b64decode(call["Recipient"]["AttestationDocument"]))
    sealed = ciphertext_for_recipient(key, recipient.public_key or b"")
    return {"KeyId": call["KeyId"], "CiphertextForRecipient": b64encode(sealed).decode()}


def _success(answer: dict[str, str]) -> bytes:
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body

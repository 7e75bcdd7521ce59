"""The client's answer to vectors that its gateway, its witnesses and its tickets judge."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from attestation.anchors import SimulatedTrustAnchor
from attestation.policy_file import load_policy
from strongroom.client.reading import AnswerReader, WholeAnswer
from strongroom.client.receipts import prove
from strongroom.client.sealing import SealedRequest
from strongroom.client.terms import Terms
from strongroom.client.tickets import Ticket
from strongroom.client.witnesses import Witnesses
from strongroom.protocol.constants import MEDIA_EVIDENCE, PATH_EVIDENCE, PATH_SEALED
from strongroom.protocol.contents import request_content
from strongroom.protocol.payloads import ChatTask
from strongroom.protocol.suites import Suite
from tests.attestation.vectors import suite
from tests.protocol.replaying import Reply, replaying

_ROOT = SimulatedTrustAnchor.from_pem((suite.FOLDER / "root.pem").read_bytes())


def asked(given: Mapping[str, Any]) -> SealedRequest:
    """The request of a file about answers."""
    content = request_content(msgspec.convert(given["task"], ChatTask))
    return SealedRequest(bytes.fromhex(given["request"]), bytes.fromhex(given["secret"]), content, given["media_type"])


def read(asked: SealedRequest, message: bytes) -> WholeAnswer:
    """As the client reads an answer, byte by byte."""
    reader = AnswerReader(asked)
    for byte in message:
        reader.feed(bytes([byte]))
    return reader.whole()


def reply(given: Mapping[str, Any], vector: Mapping[str, Any]) -> dict[str, Any]:
    """What a gateway says to a sealed request, over HTTP."""
    asyncio.run(_asked_over_http(asked(given), vector))
    return {}


async def _asked_over_http(sealed: SealedRequest, vector: Mapping[str, Any]) -> None:
    said = Reply(vector["status"], vector["content_type"], bytes.fromhex(vector["message"]))
    async with replaying(said, PATH_SEALED) as gateway:
        answer = await gateway.ask(sealed.message, sealed.media_type)
        read(sealed, await answer.read_whole(len(said.body)))


def witness(given: Mapping[str, Any], vector: Mapping[str, Any]) -> dict[str, Any]:
    """An answer, and what the gateway has under the digest in its head."""
    asyncio.run(_proven_by_witness(given, vector))
    return {}


async def _proven_by_witness(given: Mapping[str, Any], vector: Mapping[str, Any]) -> None:
    terms, sealed = _terms(given), asked(given)
    sealed_to = bytes.fromhex(given["sealed_to"])
    key = terms.attest(sealed_to, nonce=bytes.fromhex(given["nonce"]), at_ms=given["at_ms"])
    answer = read(sealed, bytes.fromhex(vector["message"]))
    digest = answer.head.document_digest
    said = Reply(200, MEDIA_EVIDENCE, bytes.fromhex(vector["evidence"]))
    async with replaying(said, f"{PATH_EVIDENCE}/{digest.hex()}") as gateway:
        witnesses = Witnesses(gateway, terms, timeout_s=10, clock=lambda: int(vector["at_ms"]))
        prove(sealed, answer, await witnesses.named(digest, key), terms.policy)


def kept_answer(given: Mapping[str, Any], vector: Mapping[str, Any]) -> dict[str, Any]:
    """As `strongroom open` does."""
    ticket = Ticket.from_bytes(bytes.fromhex(given["ticket"]))
    ticket.open(bytes.fromhex(vector["message"]), _terms(given))
    return {}


def ticket(given: Mapping[str, Any], vector: Mapping[str, Any]) -> dict[str, Any]:
    """What a ticket holds."""
    held = Ticket.from_bytes(bytes.fromhex(vector["message"]))
    assert held.to_bytes().hex() == vector["message"]
    return {"not_after_ms": held.not_after_ms, "content": held.asked.content.hex(), "request": held.sealed.hex()}


def _terms(given: Mapping[str, Any]) -> Terms:
    return Terms(load_policy(given["policy"].encode()), _ROOT, allow_simulated=True, suites=tuple(Suite))

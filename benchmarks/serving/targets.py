"""Whom a client asks: the sealed appliance, or a plain server over HTTP. One object for each client."""

from __future__ import annotations

import time
from array import array
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple, Protocol

import aiohttp
import msgspec

from attestation.anchors import SimulatedTrustAnchor
from attestation.policy_file import load_policy
from strongroom.client.aio import AsyncClient


class Sealed(msgspec.Struct, frozen=True, tag=True):
    """The appliance at `url`, attested by this policy file under this root."""

    url: str
    policy: str
    anchor: str
    model: str


class Plain(msgspec.Struct, frozen=True, tag=True):
    """A server that answers `{"text": …}` with `{"vector": […]}`, and `{"tokens": …}` with `{"tokens": […]}`."""

    url: str


class OIP(msgspec.Struct, frozen=True, tag=True):
    """A server of the Open Inference Protocol v2: one BYTES input, one FP32 output."""

    url: str


Address = Sealed | Plain | OIP


class Embedder(Protocol):
    """One client."""

    async def embed(self, text: str) -> array[float]:
        """The text's vector."""

    async def close(self) -> None:
        """Close its connection."""


class Speech(NamedTuple):
    """One streamed answer."""

    text: str
    tokens: int
    first_s: float
    """From the question to the first text."""
    seconds: float
    """From the question to the end."""


class SealedClient:
    """The SDK."""

    def __init__(self, address: Sealed) -> None:
        self._client = AsyncClient(
            address.url,
            policy=load_policy(Path(address.policy).read_bytes()),
            anchor=SimulatedTrustAnchor.from_pem(Path(address.anchor).read_bytes()),
            allow_simulated=True,
            default_model=address.model,
        )

    async def embed(self, text: str) -> array[float]:
        """The text's vector."""
        [vector] = await self._client.embed([text])
        return array("f", vector)

    async def stream(self, prompt: str, max_tokens: int) -> Speech:
        """The answer, piece by piece."""
        asked_s, first_s, pieces = time.perf_counter(), 0.0, []
        async with aclosing(self._client.chat(prompt, stream=True, max_tokens=max_tokens)) as stream:
            async for piece in stream:
                first_s = first_s or time.perf_counter() - asked_s
                pieces.append(piece)
            return Speech("".join(pieces), stream.answer.completion_tokens, first_s, time.perf_counter() - asked_s)

    async def attest(self) -> None:
        """Verify the enclave, so that the next question need not wait for it."""
        await self._client.status()

    async def close(self) -> None:
        """Close its connection."""
        await self._client.close()


class _Vector(msgspec.Struct):
    vector: list[float]


class _Output(msgspec.Struct):
    data: list[float]


class _Outputs(msgspec.Struct):
    outputs: list[_Output]


class _Tokens(msgspec.Struct):
    tokens: list[int]


class PlainClient:
    """aiohttp, as below the SDK; JSON by msgspec."""

    def __init__(self, address: Plain | OIP) -> None:
        self._url, self._is_oip = address.url, isinstance(address, OIP)
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())

    async def embed(self, text: str) -> array[float]:
        """The text's vector."""
        if self._is_oip:
            question = {"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": [text]}
            answer = msgspec.json.decode(await self._post({"inputs": [question]}), type=_Outputs)
            return array("f", answer.outputs[0].data)
        return array("f", msgspec.json.decode(await self._post({"text": text}), type=_Vector).vector)

    async def generate(self, prompt: list[int], max_tokens: int) -> list[int]:
        """The tokens after those of the prompt."""
        body = {"tokens": prompt, "max_tokens": max_tokens}
        return msgspec.json.decode(await self._post(body), type=_Tokens).tokens

    async def close(self) -> None:
        """Close its connection."""
        await self._http.close()

    async def _post(self, body: object) -> bytes:
        headers = {"Content-Type": "application/json"}
        async with self._http.post(self._url, data=msgspec.json.encode(body), headers=headers) as response:
            response.raise_for_status()
            return await response.read()


def embedder(address: Address) -> Embedder:
    """A client of that address; use it on the running loop."""
    return SealedClient(address) if isinstance(address, Sealed) else PlainClient(address)

"""The asynchronous client."""

from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Literal, Self, Unpack, overload

from attestation.anchors import AWS_NITRO_ROOT_G1, SimulatedTrustAnchor, TrustAnchor
from attestation.policy import Policy
from strongroom.client.answers import (
    ChatAnswer,
    ChatCollector,
    Tensors,
    Vectors,
    collect_chat,
    collect_tensors,
    collect_vectors,
)
from strongroom.client.kms_terms import KMSTerms
from strongroom.client.models import choose_model
from strongroom.client.proofs import Part
from strongroom.client.session import AttestedSession
from strongroom.client.status import Status
from strongroom.client.tasks import ChatOptions, Prompt, chat_task, embed_task, infer_task
from strongroom.protocol import catalogue
from strongroom.protocol.payloads import ChatTask, Task
from strongroom.protocol.suites import Suite
from strongroom.protocol.tensors import Tensor


class AsyncChatStream:
    """The pieces of one answer, each opened and authenticated before it comes out; `answer` after the last.

    Leaving the loop early and dropping the stream, or `aclose`, closes the connection.
    """

    def __init__(self, parts: AsyncGenerator[Part, None]) -> None:
        self._parts = parts
        self._collector = ChatCollector()

    @property
    def answer(self) -> ChatAnswer:
        """The whole answer, its receipt verified. Raises AnswerTruncated unless the stream was read to its end."""
        return self._collector.answer()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        async for part in self._parts:
            if text := self._collector.add(part):
                return text
        self._collector.answer()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop reading and close the connection, unless the stream has ended."""
        await self._parts.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class AsyncClient:
    """Confidential inference at `url`, by an enclave that satisfies `policy` under `anchor`, or not at all.

    `timeout_s` bounds every wait (attestation, a whole answer, each next piece of a stream). `require_hybrid_kms`
    refuses an enclave that may have used classical TLS to KMS; `key_policy_sha384` maps ids of key entries to the
    SHA-384, in hex, of the key policy that KMS must have shown the enclave. Raises PolicyRequired, InvalidArgument;
    every call raises the errors of `strongroom.client.errors`. Use it in one event loop.
    """

    def __init__(
        self,
        url: str,
        *,
        policy: Policy | None = None,
        anchor: TrustAnchor | SimulatedTrustAnchor = AWS_NITRO_ROOT_G1,
        allow_simulated: bool = False,
        suites: Sequence[Suite] = (Suite.XWING,),
        require_hybrid_kms: bool = False,
        key_policy_sha384: Mapping[str, str] | None = None,
        timeout_s: float = 120.0,
        default_model: str | None = None,
    ) -> None:
        self._session = AttestedSession(
            url,
            policy=policy,
            anchor=anchor,
            allow_simulated=allow_simulated,
            suites=suites,
            kms_terms=KMSTerms(require_hybrid_kms, key_policy_sha384 or {}),
            timeout_s=timeout_s,
        )
        self._default_model = default_model

    @overload
    def chat(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        stream: Literal[False] = False,
        **options: Unpack[ChatOptions],
    ) -> Coroutine[Any, Any, ChatAnswer]: ...

    @overload
    def chat(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        stream: Literal[True],
        **options: Unpack[ChatOptions],
    ) -> AsyncChatStream: ...

    def chat(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        stream: bool = False,
        **options: Unpack[ChatOptions],
    ) -> Coroutine[Any, Any, ChatAnswer] | AsyncChatStream:
        """Ask for the assistant's next turn: await the answer, or with `stream=True` iterate over its pieces.

        Options: `max_tokens` (256), `temperature` (0.0: greedy), `top_p` (1.0), `seed` (none). Without a model here and
        in the client, the only chat model that the gateway lists is taken.
        """
        task = chat_task(prompt, **options)
        if stream:
            return AsyncChatStream(self._parts(model, "chat", task, stream=True))
        return self._whole_chat(model, task)

    async def embed(self, texts: Sequence[str], *, model: str | None = None) -> Vectors:
        """One vector for each text, in their order."""
        task = embed_task(texts)
        async with aclosing(self._parts(model, "embed", task)) as parts:
            return await collect_vectors(parts, len(task.texts))

    async def infer(self, model: str | None, tensors: Mapping[str, Tensor]) -> Tensors:
        """Run a tensor model on named inputs; all outputs by name."""
        async with aclosing(self._parts(model, "infer", infer_task(tensors))) as parts:
            return await collect_tensors(parts)

    async def status(self) -> Status:
        """Attest unless a fresh key is held, and say what was verified, what that proves and what it does not."""
        key = await self._session.attest()
        return Status.of(key, await self._session.models())

    async def close(self) -> None:
        """Close every connection. The client cannot be used again."""
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _whole_chat(self, model: str | None, task: ChatTask) -> ChatAnswer:
        async with aclosing(self._parts(model, "chat", task)) as parts:
            return await collect_chat(parts)

    async def _parts(
        self, model: str | None, kind: catalogue.Task, task: Task, *, stream: bool = False
    ) -> AsyncGenerator[Part, None]:
        chosen = self._default_model if model is None else model
        if chosen is None:
            chosen = choose_model(await self._session.models(), kind)
        async with aclosing(self._session.exchange(chosen, task, stream=stream)) as parts:
            async for part in parts:
                yield part

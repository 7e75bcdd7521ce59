"""The asynchronous client."""

from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Literal, Self, Unpack, overload

from attestation.anchors import AWS_NITRO_ROOT_G1, SimulatedTrustAnchor, TrustAnchor
from attestation.policy import Policy
from strongroom.client.answers import LabelScores, ModelDescription, Tensors, TextAnswer, TextSpans, Vectors
from strongroom.client.collecting import description_of, scores_of, spans_of, tensors_of, text_of, vectors_of
from strongroom.client.kms_terms import KMSTerms
from strongroom.client.models import choose_model
from strongroom.client.proofs import Part, Proof
from strongroom.client.session import AttestedSession
from strongroom.client.status import Status
from strongroom.client.streams import AsyncTextStream
from strongroom.client.tasks import (
    GenerationOptions,
    Prompt,
    chat_task,
    classify_task,
    complete_task,
    embed_task,
    infer_task,
    tag_task,
)
from strongroom.protocol import catalogue
from strongroom.protocol.payloads import ChatTask, CompleteTask, DescribeTask, Event, Task
from strongroom.protocol.suites import Suite
from strongroom.protocol.tensors import Tensor


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
        **options: Unpack[GenerationOptions],
    ) -> Coroutine[Any, Any, TextAnswer]: ...

    @overload
    def chat(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        stream: Literal[True],
        **options: Unpack[GenerationOptions],
    ) -> AsyncTextStream: ...

    def chat(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        stream: bool = False,
        **options: Unpack[GenerationOptions],
    ) -> Coroutine[Any, Any, TextAnswer] | AsyncTextStream:
        """Ask for the assistant's next turn: await the answer, or with `stream=True` iterate over its pieces.

        Options: `max_tokens` (256), `temperature` (0.0: greedy), `top_p` (1.0), `top_k` (0: off), `seed` (none), `stop`
        (strings that the answer ends before; none), `logprobs` (alternatives to each token that are told; None: off),
        `schema` (a JSON schema, as JSON text, that the answer is an instance of; none).
        Without a model here and in the client, the only chat model that the gateway lists is taken.
        """
        return self._generate(model, chat_task(prompt, **options), stream)

    @overload
    def complete(
        self,
        prompt: str,
        *,
        model: str | None = None,
        stream: Literal[False] = False,
        **options: Unpack[GenerationOptions],
    ) -> Coroutine[Any, Any, TextAnswer]: ...

    @overload
    def complete(
        self,
        prompt: str,
        *,
        model: str | None = None,
        stream: Literal[True],
        **options: Unpack[GenerationOptions],
    ) -> AsyncTextStream: ...

    def complete(
        self,
        prompt: str,
        *,
        model: str | None = None,
        stream: bool = False,
        **options: Unpack[GenerationOptions],
    ) -> Coroutine[Any, Any, TextAnswer] | AsyncTextStream:
        """Continue a text as it is, without the model's chat template; otherwise as `chat`."""
        return self._generate(model, complete_task(prompt, **options), stream)

    async def embed(self, texts: Sequence[str], *, model: str | None = None) -> Vectors:
        """One vector for each text, in their order."""
        task = embed_task(texts)
        return vectors_of(*await self._ask(model, "embed", task), len(task.texts))

    async def classify(self, texts: Sequence[str], *, model: str | None = None) -> LabelScores:
        """The score of each label for each text, in their order."""
        task = classify_task(texts)
        return scores_of(*await self._ask(model, "classify", task), len(task.texts))

    async def tag(self, texts: Sequence[str], *, model: str | None = None) -> TextSpans:
        """The labelled spans of each text, in their order."""
        task = tag_task(texts)
        return spans_of(*await self._ask(model, "tag", task), task.texts)

    async def infer(self, model: str | None, tensors: Mapping[str, Tensor]) -> Tensors:
        """Run a tensor model on named inputs; all outputs by name."""
        return tensors_of(*await self._ask(model, "infer", infer_task(tensors)))

    async def describe(self, model: str) -> ModelDescription:
        """What the model is: its task, and if that is `infer`, its inputs and outputs."""
        return description_of(*await self._session.ask(model, DescribeTask()))

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

    def _generate(
        self, model: str | None, task: ChatTask | CompleteTask, stream: bool
    ) -> Coroutine[Any, Any, TextAnswer] | AsyncTextStream:
        return AsyncTextStream(self._parts(model, task)) if stream else self._text(model, task)

    async def _text(self, model: str | None, task: ChatTask | CompleteTask) -> TextAnswer:
        return text_of(*await self._ask(model, "chat", task))

    async def _ask(self, model: str | None, kind: catalogue.Task, task: Task) -> tuple[list[Event], Proof]:
        return await self._session.ask(await self._chosen(model, kind), task)

    async def _parts(self, model: str | None, task: ChatTask | CompleteTask) -> AsyncGenerator[Part, None]:
        async with aclosing(self._session.stream(await self._chosen(model, "chat"), task)) as parts:
            async for part in parts:
                yield part

    async def _chosen(self, model: str | None, kind: catalogue.Task) -> str:
        chosen = self._default_model if model is None else model
        return chosen if chosen is not None else choose_model(await self._session.models(), kind)

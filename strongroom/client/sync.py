"""The synchronous client: `AsyncClient` over a private event loop."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self, Unpack, overload

from attestation.anchors import AWS_NITRO_ROOT_G1, SimulatedTrustAnchor, TrustAnchor
from attestation.policy import Policy
from strongroom.client.aio import AsyncClient
from strongroom.client.answers import LabelScores, ModelDescription, Tensors, TextAnswer, TextSpans, Vectors
from strongroom.client.errors import ClientClosed
from strongroom.client.loop_thread import LoopThread
from strongroom.client.status import Status
from strongroom.client.streams import TextStream
from strongroom.client.tasks import GenerationOptions, Prompt
from strongroom.protocol.suites import Suite
from strongroom.protocol.tensors import Tensor


class Client:
    """Confidential inference at `url`, by an enclave that satisfies `policy` under `anchor`, or not at all.

    The arguments and errors are those of `AsyncClient`; any thread may call.
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
        self._client = AsyncClient(
            url,
            policy=policy,
            anchor=anchor,
            allow_simulated=allow_simulated,
            suites=suites,
            require_hybrid_kms=require_hybrid_kms,
            key_policy_sha384=key_policy_sha384,
            timeout_s=timeout_s,
            default_model=default_model,
        )
        self._loop = LoopThread()

    @overload
    def chat(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        stream: Literal[False] = False,
        **options: Unpack[GenerationOptions],
    ) -> TextAnswer: ...

    @overload
    def chat(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        stream: Literal[True],
        **options: Unpack[GenerationOptions],
    ) -> TextStream: ...

    def chat(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        stream: bool = False,
        **options: Unpack[GenerationOptions],
    ) -> TextAnswer | TextStream:
        """Ask for the assistant's next turn: its answer, or with `stream=True` an iterator over its pieces."""
        if stream:
            return TextStream(self._client.chat(prompt, model=model, stream=True, **options), self._loop)
        return self._loop.run(self._client.chat(prompt, model=model, **options))

    @overload
    def complete(
        self,
        prompt: str,
        *,
        model: str | None = None,
        stream: Literal[False] = False,
        **options: Unpack[GenerationOptions],
    ) -> TextAnswer: ...

    @overload
    def complete(
        self,
        prompt: str,
        *,
        model: str | None = None,
        stream: Literal[True],
        **options: Unpack[GenerationOptions],
    ) -> TextStream: ...

    def complete(
        self,
        prompt: str,
        *,
        model: str | None = None,
        stream: bool = False,
        **options: Unpack[GenerationOptions],
    ) -> TextAnswer | TextStream:
        """Continue a text as it is, without the model's chat template; otherwise as `chat`."""
        if stream:
            return TextStream(self._client.complete(prompt, model=model, stream=True, **options), self._loop)
        return self._loop.run(self._client.complete(prompt, model=model, **options))

    def embed(self, texts: Sequence[str], *, model: str | None = None) -> Vectors:
        """One vector for each text, in their order."""
        return self._loop.run(self._client.embed(texts, model=model))

    def classify(self, texts: Sequence[str], *, model: str | None = None) -> LabelScores:
        """The score of each label for each text, in their order."""
        return self._loop.run(self._client.classify(texts, model=model))

    def tag(self, texts: Sequence[str], *, model: str | None = None) -> TextSpans:
        """The labelled spans of each text, in their order."""
        return self._loop.run(self._client.tag(texts, model=model))

    def infer(self, model: str | None, tensors: Mapping[str, Tensor]) -> Tensors:
        """Run a tensor model on named inputs; all outputs by name."""
        return self._loop.run(self._client.infer(model, tensors))

    def describe(self, model: str) -> ModelDescription:
        """What the model is: its task, and if that is `infer`, its inputs and outputs."""
        return self._loop.run(self._client.describe(model))

    def status(self) -> Status:
        """Attest unless a fresh key is held, and say what was verified, what that proves and what it does not."""
        return self._loop.run(self._client.status())

    def close(self) -> None:
        """Cancel what still runs, close every connection and end the thread. Closing twice is no error."""
        with suppress(ClientClosed):
            self._loop.run(self._client.close())
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

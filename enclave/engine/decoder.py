"""Text generation: a chat task in, pieces of text out."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal

from enclave.engine.cancellation import Cancellation
from enclave.engine.decoder_graph import MAX_STEP_TOKENS, Conversation, DecoderGraph
from enclave.engine.errors import ModelRejected, WrongTask
from enclave.engine.prompts import PromptEncoder
from enclave.engine.sampling import Sampler
from enclave.engine.sessions import open_session
from enclave.engine.templates import ChatTemplate
from enclave.engine.tokenization import StreamDecoder, Tokenizer
from strongroom.protocol.catalogue import ChatSettings, ModelManifest
from strongroom.protocol.payloads import ChatEnd, ChatTask, Event, Task, TextDelta


class Decoder:
    """A causal language model, for one conversation at a time."""

    def __init__(self, settings: ChatSettings, tokenizer: Tokenizer, graph: DecoderGraph) -> None:
        self._context_tokens = settings.context_tokens
        self._stop_tokens = frozenset(settings.stop_tokens)
        self._tokenizer = tokenizer
        self._prompts = PromptEncoder(ChatTemplate(settings.template), tokenizer, settings.context_tokens)
        self.graph = graph

    @classmethod
    def load(cls, manifest: ModelManifest, files: Mapping[str, bytes], threads: int) -> "Decoder":
        """Load a package of task "chat"; raise ModelRejected."""
        if manifest.chat is None or manifest.tokenizer is None:
            raise ModelRejected("manifest: expected chat settings and a tokenizer, got none")
        tokenizer = Tokenizer.from_bytes(files[manifest.tokenizer])
        graph = DecoderGraph(open_session(files[manifest.graph], threads=threads), manifest.chat)
        needed = max(tokenizer.ids, max(manifest.chat.stop_tokens) + 1)
        if needed > graph.vocabulary:
            raise ModelRejected(f"graph: expected logits for {needed} tokens, got {graph.vocabulary}")
        return cls(manifest.chat, tokenizer, graph)

    def run(self, task: Task, cancellation: Cancellation) -> Generator[Event, None, None]:
        """Yield TextDelta and at last ChatEnd; the answer ends at a stop token, max_tokens, or the end of the context.

        Raises WrongTask, InvalidRequest, TooLong, InferenceFailed, and Cancelled at the next step after a cancellation.
        """
        if not isinstance(task, ChatTask):
            raise WrongTask("this model takes chat tasks only")
        prompt = self._prompts.encode(task.messages)
        budget = min(task.max_tokens, self._context_tokens - len(prompt))
        sampler = Sampler(task.temperature, task.top_p, task.seed)
        with self.graph.conversation(len(prompt) + budget) as conversation:
            tokens = _generate(conversation, prompt, sampler, cancellation)
            yield from self._answer(islice(tokens, budget), len(prompt))

    def _answer(self, tokens: Iterator[int], prompt_tokens: int) -> Iterator[Event]:
        """The events of an answer; `completion_tokens` counts the stop token too."""
        stream = StreamDecoder(self._tokenizer)
        finish: Literal["stop", "length"] = "length"
        completion_tokens = 0
        for token in tokens:
            completion_tokens += 1
            if token in self._stop_tokens:
                finish = "stop"
                break
            if text := stream.push(token):
                yield TextDelta(text)
        if text := stream.flush():
            yield TextDelta(text)
        yield ChatEnd(finish, prompt_tokens, completion_tokens)


def _generate(
    conversation: Conversation, prompt: Sequence[int], sampler: Sampler, cancellation: Cancellation
) -> Iterator[int]:
    """Tokens without end: what is pending (first the prompt, then the last token) is appended, the next is sampled."""
    pending = prompt
    while True:
        for start in range(0, len(pending), MAX_STEP_TOKENS):
            cancellation.check()
            logits = conversation.append(pending[start : start + MAX_STEP_TOKENS])
        token = sampler.next(logits)
        yield token
        pending = [token]

"""A loaded language model: graph, tokenizer, template, and what they make of a task."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from enclave.engine.errors import ModelRejected, WrongTask
from enclave.engine.generation.answer import Answer
from enclave.engine.generation.constraint import Constraints
from enclave.engine.generation.conversation import Conversation
from enclave.engine.generation.graph import DecoderGraph
from enclave.engine.generation.kv_cache import row_bytes
from enclave.engine.generation.prompts import PromptEncoder
from enclave.engine.generation.templates import ChatTemplate
from enclave.engine.generation.trial import require_appending, takes_rows_together
from enclave.engine.jobs import Listener
from enclave.engine.quantization import quantizes_dynamically
from enclave.engine.sessions import open_session
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.catalogue import ChatSettings, ModelManifest
from strongroom.protocol.payloads import ChatTask, CompleteTask, Task

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class LanguageModel:
    """A causal language model and the buffers for `graph.rows` conversations."""

    def __init__(
        self, settings: ChatSettings, tokenizer: Tokenizer, constraints: Constraints, graph: DecoderGraph
    ) -> None:
        self._context_tokens = settings.context_tokens
        self._stop_tokens = frozenset(settings.stop_tokens)
        self._tokenizer = tokenizer
        self._constraints = constraints
        self.prompts = PromptEncoder(ChatTemplate(settings.template), tokenizer, settings.context_tokens)
        self.graph = graph

    @classmethod
    def load(
        cls,
        manifest: ModelManifest,
        files: Mapping[str, bytes],
        threads: int,
        *,
        slots: int,
        kv_bytes: int,
    ) -> "LanguageModel":
        """Load a package of task "chat"; raise ModelRejected.

        It takes `slots` conversations at a time, fewer if their K/V does not fit into `kv_bytes`, and one if the graph
        does not compute rows of different lengths together, or quantises them together.
        """
        if manifest.chat is None or manifest.tokenizer is None:
            raise ModelRejected("manifest: expected chat settings and a tokenizer, got none")
        tokenizer = Tokenizer.from_bytes(files[manifest.tokenizer])
        rows = min(slots, kv_bytes // row_bytes(manifest.chat))
        if rows < 1:
            raise ModelRejected(f"model: expected K/V of at most {kv_bytes} bytes, got {row_bytes(manifest.chat)}")
        session = open_session(files[manifest.graph], threads=threads, files=files)
        graph = _graph(session, manifest.chat, 1 if quantizes_dynamically(files[manifest.graph]) else rows)
        needed = max(tokenizer.ids, max(manifest.chat.stop_tokens) + 1)
        if needed > graph.vocabulary:
            raise ModelRejected(f"graph: expected logits for {needed} tokens, got {graph.vocabulary}")
        constraints = Constraints(tokenizer, manifest.chat.stop_tokens, graph.vocabulary)
        return cls(manifest.chat, tokenizer, constraints, graph)

    def start(self, task: Task, listener: Listener) -> Conversation:
        """The conversation that answers the task, for a Batch on `graph`.

        Raises WrongTask, InvalidRequest, TooLong. The answer ends with the context at the latest.
        """
        if not isinstance(task, ChatTask | CompleteTask):
            raise WrongTask("this model takes chat and complete tasks only")
        prompt = self.prompts.encode_task(task)
        budget = min(task.max_tokens, self._context_tokens - len(prompt))
        answer = Answer(self._tokenizer, self._stop_tokens, task.stop, budget)
        constraint = None if task.schema is None else self._constraints.follow(task.schema)
        return Conversation(listener, prompt, task, answer, constraint)


def _graph(session: "InferenceSession", settings: ChatSettings, rows: int) -> DecoderGraph:
    """The graph with as many of the rows as it takes; raise ModelRejected."""
    graph = DecoderGraph(session, settings, rows)
    require_appending(graph)
    if rows > 1 and not takes_rows_together(graph):
        return DecoderGraph(session, settings, 1)
    return graph

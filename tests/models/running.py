"""Run packages' graphs in onnxruntime, as plainly as possible."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from strongroom.models.package import load_package
from strongroom.protocol.catalogue import ChatSettings

FloatArray = npt.NDArray[np.float32]
Tokens = list[int]


def open_session(graph: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


class RunningDecoder:
    """A decoder package and its session; one conversation of one row at a time."""

    def __init__(self, package: Path) -> None:
        _, manifest, files = load_package(package)
        assert manifest.chat is not None
        self.settings: ChatSettings = manifest.chat
        self.tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
        self.session = open_session(files["model.onnx"])

    def empty_cache(self, rows: int = 1) -> dict[str, FloatArray]:
        chat = self.settings
        nothing = np.zeros((rows, chat.kv_heads, 0, chat.head_size), dtype=np.float32)
        return {f"past_key_values.{layer}.{part}": nothing for layer in range(chat.layers) for part in ("key", "value")}

    def step(
        self, ids: list[Tokens], mask: list[Tokens], past: dict[str, FloatArray]
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Logits [rows, 1, vocabulary] and the grown cache."""
        feeds = {"input_ids": np.array(ids, dtype=np.int64), "attention_mask": np.array(mask, dtype=np.int64)}
        names = [output.name for output in self.session.get_outputs()]
        values = dict(zip(names, self.session.run(None, feeds | past), strict=True))
        logits = values.pop("logits")
        return logits, {name.replace("present", "past_key_values"): value for name, value in values.items()}

    def prefill(self, ids: Tokens) -> FloatArray:
        """Logits [vocabulary] after the whole prompt, without a cache."""
        logits, _ = self.step([ids], [[1] * len(ids)], self.empty_cache())
        last: FloatArray = logits[0, -1]
        return last

    def greedy(self, ids: Tokens, limit: int) -> Tokens:
        """At most `limit` tokens after the prompt, up to a stop token."""
        logits, cache = self.step([ids], [[1] * len(ids)], self.empty_cache())
        answer: Tokens = []
        while len(answer) < limit and (token := int(logits[0, -1].argmax())) not in self.settings.stop_tokens:
            answer.append(token)
            logits, cache = self.step([[token]], [[1] * (len(ids) + len(answer))], cache)
        return answer

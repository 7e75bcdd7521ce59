"""Classification: one score for each label and text."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from enclave.engine.arrays import to_tensor
from enclave.engine.batching.heads.scores import sigmoid, softmax
from enclave.engine.sessions import Port
from enclave.engine.tokenization import EncodedText
from strongroom.protocol.catalogue import ClassifySettings
from strongroom.protocol.payloads import ClassifyTask, Scores


class ClassificationHead:
    """Scores by the settings' function of the logits."""

    task = ClassifyTask

    def __init__(self, settings: ClassifySettings) -> None:
        self._labels = settings.labels
        self._score = softmax if settings.scoring == "softmax" else sigmoid
        self.output = Port("logits", "tensor(float)", (None, len(settings.labels)))

    def part(self, numbers: NDArray[np.float32], text: EncodedText) -> NDArray[np.float32]:
        """The scores, float32 [labels]."""
        return self._score(numbers).astype(np.float32)

    def event(self, parts: Sequence[NDArray[np.float32]]) -> Scores:
        """The labels, and their scores in one row for each text."""
        return Scores(self._labels, to_tensor(np.stack(parts)))

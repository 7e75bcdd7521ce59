"""Silero VAD: is this speech? A stateful model whose state the caller carries: the enclave keeps nothing."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.asking import Asking
from tests.conformance.voice import RATE_HZ, Sound, vowels

pytestmark = pytest.mark.real_model

WINDOW, CONTEXT = 512, 64
RATE = np.array(RATE_HZ, dtype=np.int64)
NO_STATE = np.zeros((2, 1, 128), dtype=np.float32)


def windows(sound: Sound) -> Iterator[NDArray[np.float32]]:
    """Each window with the end of the one before: [1, 576]."""
    padded = np.concatenate([np.zeros(CONTEXT, dtype=np.float32), sound])
    for start in range(0, len(sound) - WINDOW + 1, WINDOW):
        yield padded[None, start : start + CONTEXT + WINDOW]


def probabilities(asking: Asking, sound: Sound, *, carried: bool = True) -> list[float]:
    state, found = NO_STATE, []
    for window in windows(sound):
        answer = asking.infer("silero-vad", input=window, state=state, sr=RATE)
        found.append(answer["output"].item())
        state = answer["stateN"] if carried else NO_STATE
    return found


def test_silence_is_no_speech(asking: Asking) -> None:
    assert max(probabilities(asking, np.zeros(8 * WINDOW, dtype=np.float32))) < 0.1


def test_vowels_are_speech_once_the_state_has_heard_some(asking: Asking) -> None:
    sound = vowels("aiuae")
    carried = probabilities(asking, sound)
    assert np.median(carried[len(carried) // 2 :]) > 0.9
    assert carried[0] < 0.5
    forgetful = probabilities(asking, sound, carried=False)
    assert np.median(forgetful[len(forgetful) // 2 :]) < 0.5

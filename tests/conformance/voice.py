"""Something like a voice: pulses through three moving resonances, vowel after vowel (the source-filter model)."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]

RATE_HZ = 16_000
_FORMANTS_HZ = {"a": (800, 1150, 2800), "i": (300, 2300, 3000), "u": (325, 700, 2530), "e": (500, 1900, 2500)}
_BANDWIDTHS_HZ = (80, 96, 144)
_VOWEL_S = 0.18
_PITCH_HZ = 110


def vowels(text: str) -> Sound:
    """The vowels of the text at 16 kHz, gliding from one into the next, each louder in its middle."""
    steps = int(_VOWEL_S * RATE_HZ)
    targets = [np.array(_FORMANTS_HZ[vowel], dtype=np.float64) for vowel in text]
    glides = [np.linspace(old, new, steps, endpoint=False) for old, new in pairwise([targets[0], *targets])]
    formants = np.concatenate(glides)
    seconds = np.arange(len(formants)) / RATE_HZ
    sound = _pulses(seconds)
    for index, bandwidth_hz in enumerate(_BANDWIDTHS_HZ):
        sound = _resonance(sound, formants[:, index], bandwidth_hz)
    shaped = sound * (0.25 + 0.75 * np.abs(np.sin(np.pi * seconds / _VOWEL_S)))
    found: Sound = (0.3 * shaped / np.abs(shaped).max()).astype(np.float32)
    return found


def _pulses(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """One for each period of a slowly moving pitch, with a little breath."""
    pitch_hz = _PITCH_HZ * (1 + 0.1 * np.sin(2 * np.pi * 1.1 * seconds))
    periods = np.floor(np.cumsum(pitch_hz) / RATE_HZ)
    breath = 0.002 * np.random.default_rng(1).standard_normal(len(seconds))
    return np.diff(periods, prepend=0) + breath


def _resonance(source: NDArray[np.float64], centre_hz: NDArray[np.float64], bandwidth_hz: float) -> NDArray[np.float64]:
    """A second-order resonator of unit gain at 0 Hz."""
    radius = np.exp(-np.pi * bandwidth_hz / RATE_HZ)
    feedback = 2 * radius * np.cos(2 * np.pi * centre_hz / RATE_HZ)
    found, before, last = np.empty_like(source), 0.0, 0.0
    for index, (value, back) in enumerate(zip(source, feedback, strict=True)):
        before, last = last, (1 - back + radius**2) * value + back * last - radius**2 * before
        found[index] = last
    return found

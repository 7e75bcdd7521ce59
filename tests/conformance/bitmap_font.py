"""Text as an image, with nothing but numpy: letters of five by seven dots."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

_LETTERS = {
    "S": "01111 10000 10000 01110 00001 00001 11110",
    "T": "11111 00100 00100 00100 00100 00100 00100",
    "R": "11110 10001 10001 11110 10100 10010 10001",
    "O": "01110 10001 10001 10001 10001 10001 01110",
    "N": "10001 11001 10101 10011 10001 10001 10001",
    "G": "01110 10001 10000 10111 10001 10001 01110",
    "M": "10001 11011 10101 10101 10001 10001 10001",
    "4": "00010 00110 01010 10010 11111 00010 00010",
    "2": "01110 10001 00001 00010 00100 01000 11111",
    " ": "00000 00000 00000 00000 00000 00000 00000",
}


def draw(text: str, dot: int) -> Image:
    """Black letters (1) on nothing (0), `dot` pixels for each dot, a dot between two letters."""
    letters = [np.array([list(f"{row}0") for row in _LETTERS[letter].split()], dtype=np.float32) for letter in text]
    return np.concatenate(letters, axis=1).repeat(dot, axis=0).repeat(dot, axis=1)


def page(text: str, *, dot: int, height: int, width: int, top: int, left: int) -> Image:
    """A white page [height, width] of values from 0 to 1 with the text at that place."""
    letters = draw(text, dot)
    white = np.ones((height, width), dtype=np.float32)
    white[top : top + letters.shape[0], left : left + letters.shape[1]] -= letters
    return white


def resized(image: Image, height: int, width: int) -> Image:
    """The image at another size, interpolated along both axes."""

    def along(values: Image, size: int) -> Image:
        places = (np.arange(size) + 0.5) * values.shape[1] / size - 0.5
        return np.stack([np.interp(places, np.arange(values.shape[1]), row) for row in values]).astype(np.float32)

    return along(along(image, width).T, height).T

"""RapidOCR (PP-OCRv4): where is text, which way up, and what does it say? Images go in as tensors."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests.conformance.asking import Asking
from tests.conformance.bitmap_font import Image, page, resized
from tests.real_models import real_model

pytestmark = pytest.mark.real_model

TEXT, DOT, TOP, LEFT = "STRONGROOM 42", 3, 48, 16
HEIGHT, WIDTH = 7 * DOT, 6 * DOT * len(TEXT)
PAGE = page(TEXT, dot=DOT, height=128, width=352, top=TOP, left=LEFT)
UNCLIP_RATIO = 1.6


def normalised(image: Image) -> NDArray[np.float32]:
    """Three equal channels of values from -1 to 1: [1, 3, height, width]."""
    return np.repeat((2 * image - 1)[None, None], 3, axis=1).astype(np.float32)


def box_of(asking: Asking) -> tuple[slice, slice]:
    """Rows and columns of the one text on the page: the detected core, widened as the detector was trained."""
    core = asking.infer("rapidocr-det", x=normalised(PAGE))["sigmoid_0.tmp_0"][0, 0] > 0.3
    rows, columns = np.flatnonzero(core.any(axis=1)), np.flatnonzero(core.any(axis=0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    margin = round(UNCLIP_RATIO * height * width / (2 * (height + width)))
    return slice(rows[0] - margin, rows[-1] + margin + 1), slice(columns[0] - margin, columns[-1] + margin + 1)


def alphabet(package: Path) -> list[str]:
    """CTC's classes: the blank, the characters that the graph carries, a space."""
    metadata = {entry.key: entry.value for entry in onnx.load(package / "model.onnx").metadata_props}
    return ["", *metadata["character"].splitlines(), " "]


@pytest.fixture(scope="module")
def line(asking: Asking) -> Image:
    return PAGE[box_of(asking)]


def test_the_text_is_found_where_it_was_drawn(asking: Asking) -> None:
    rows, columns = box_of(asking)
    assert 0 <= TOP - rows.start < HEIGHT
    assert 0 <= rows.stop - (TOP + HEIGHT) < HEIGHT
    assert abs(columns.start - LEFT) < HEIGHT
    assert abs(columns.stop - (LEFT + WIDTH)) < HEIGHT


def test_the_text_is_read(asking: Asking, line: Image) -> None:
    image = resized(line, 48, round(48 * line.shape[1] / line.shape[0]))
    [scores] = asking.infer("rapidocr-rec", x=normalised(image)).values()
    classes = alphabet(real_model("rapidocr-rec"))
    assert scores.shape[2] == len(classes)
    best = scores[0].argmax(axis=1)
    changes = np.flatnonzero(np.diff(best, prepend=-1))
    assert "".join(classes[index] for index in best[changes]) == TEXT


@pytest.mark.parametrize("upside_down", [False, True])
def test_upside_down_is_noticed(asking: Asking, line: Image, upside_down: bool) -> None:
    image = resized(line, 48, 192)
    turned = image[::-1, ::-1] if upside_down else image
    [scores] = asking.infer("rapidocr-cls", x=np.ascontiguousarray(normalised(turned))).values()
    assert scores[0].argmax() == int(upside_down)
    assert scores[0].max() > 0.9

"""A request of JSON that would take far more memory than its bytes is refused before it is decoded."""

import json
import tracemalloc

import pytest

from strongroom.surfaces import tasks
from strongroom.surfaces.tasks import MAX_MARKS, json_object
from tests.surfaces.translating import CHAT, COMPLETIONS, EMBEDDINGS, INFER, refused, whole


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, EMBEDDINGS, INFER])
@pytest.mark.parametrize("value", [b"[]", b"{}", b'"ab"', b"257", b"[[1]]", b'{"a":0}'], ids=bytes.decode)
def test_what_is_out_of_proportion_is_never_decoded(monkeypatch: pytest.MonkeyPatch, path: str, value: bytes) -> None:
    monkeypatch.setattr(tasks, "MAX_MARKS", 1 << 16)
    body = b'{"model":"m","metadata":[' + (value + b",") * (1 << 16) + b"0]}"
    tracemalloc.start()
    try:
        error = refused(path, body)
        assert tracemalloc.get_traced_memory()[1] < 1 << 16
    finally:
        tracemalloc.stop()
    assert (error.status, error.code) == (413, "too-large")


@pytest.mark.parametrize("mark", ["[", "{", '"', ","])
def test_each_mark_counts_wherever_it_stands(monkeypatch: pytest.MonkeyPatch, mark: str) -> None:
    body = {"model": "m", "prompt": mark * 50}
    monkeypatch.setattr(tasks, "MAX_MARKS", 75)
    whole(COMPLETIONS, body)
    monkeypatch.setattr(tasks, "MAX_MARKS", 50)
    error = refused(COMPLETIONS, body)
    assert (error.status, "at most 50 " in str(error), "got 6" in str(error)) == (413, True, True)


def test_bytes_behind_the_json_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = {"name": "x", "shape": [400], "datatype": "UINT8", "parameters": {"binary_data_size": 400}}
    head = json.dumps({"inputs": [raw]}).encode()
    monkeypatch.setattr(tasks, "MAX_MARKS", 50)
    whole(INFER, head + b"," * 400, {"inference-header-content-length": str(len(head))})


def test_as_many_numbers_as_a_sealed_request_holds_of_fp32_are_in_proportion() -> None:
    numbers = (16 << 20) // 4 - 1000
    assert numbers < MAX_MARKS
    data = json_object(b'{"data":[' + b"0," * numbers + b"0]}")["data"]
    assert isinstance(data, list)
    assert len(data) == numbers + 1

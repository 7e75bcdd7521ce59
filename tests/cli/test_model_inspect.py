"""`strongroom model inspect`: what a package is, whoever made it."""

import json
from pathlib import Path

import pytest

from strongroom.models.assemble import Identity, write_tensor_model
from strongroom.models.seal import catalogue_of, seal_package
from strongroom.models.tiny import build_tiny_decoder, build_tiny_tensor
from tests.cli.running import failed, strongroom
from tests.enclave.engine import bombs
from tests.enclave.engine.graphs import model, node, port
from tests.models.test_seal import CONFIGURATION, DATA_KEY


def test_a_package_is_shown_without_running_it(tmp_path: Path) -> None:
    package = build_tiny_tensor(tmp_path / "tiny")
    done = strongroom("model", "inspect", package, "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert (shown["id"], shown["task"], shown["licence"]) == ("tiny-tensor", "infer", "Apache-2.0")
    assert [file["name"] for file in shown["files"]] == ["model.onnx"]
    graph = shown["graph"]
    assert graph["operators"] == {"MatMul": 1, "Add": 1}
    assert graph["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["n", 4]}]
    assert graph["outputs"] == [{"name": "y", "dtype": "float32", "shape": ["n", 3]}]
    assert shown["scan"] == {"accepted": True, "rule": None, "message": None}
    assert shown["probe"] is None


def test_a_table_folds_the_many_ports_of_a_decoder(tmp_path: Path) -> None:
    done = strongroom("model", "inspect", build_tiny_decoder(tmp_path / "tiny"))
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    assert sum("past_key_values" in line for line in lines) == 4
    assert lines[-1].split() == ["scan", "accepted"]


def test_a_probe_runs_it_in_a_child(tmp_path: Path) -> None:
    package = build_tiny_tensor(tmp_path / "tiny")
    done = strongroom("model", "inspect", package, "--probe", "--json")
    assert json.loads(done.stdout)["probe"] == {"survived": True, "outcome": "ran"}
    unknown = model([node("NoSuch", ["x"], ["y"])], [port("x", "float32", [2])], [port("y", "float32", [2])])
    write_tensor_model(tmp_path / "unknown", unknown, Identity("unknown", "", ""))
    assert strongroom("model", "inspect", tmp_path / "unknown").returncode == 0
    done = strongroom("model", "inspect", tmp_path / "unknown", "--probe")
    assert done.returncode == 1
    assert b"REFUSED: probe" in done.stdout


@pytest.mark.parametrize("graph", [bombs.giant_dims(), bombs.custom_operator(), b"\xff"], ids=["bomb", "own", "byte"])
def test_a_graph_that_the_enclave_refuses_is_exit_1_and_never_run(graph: bytes, tmp_path: Path) -> None:
    package = write_tensor_model(tmp_path / "hostile", graph, Identity("hostile", "\x1b[2Jfree", "\x1b]0;title\x07"))
    done = strongroom("model", "inspect", package, "--probe", "--json")
    shown = json.loads(done.stdout)
    assert (done.returncode, shown["scan"]["accepted"], shown["probe"]) == (1, False, None)
    table = strongroom("model", "inspect", package)
    assert table.returncode == 1
    assert b"REFUSED: graph" in table.stdout
    assert b"\x1b" not in table.stdout


@pytest.mark.parametrize("spoilt", ["model.toml", "model.onnx"])
def test_a_damaged_package_is_one_sentence(spoilt: str, tmp_path: Path) -> None:
    package = build_tiny_tensor(tmp_path / "tiny")
    data = (package / spoilt).read_bytes()
    (package / spoilt).write_bytes(data[:-1] + b"\x00")
    done = strongroom("model", "inspect", package, "--json")
    failed(done, 1)
    assert json.loads(done.stdout)["error"]["code"] == "invalid"
    (package / spoilt).unlink()
    assert "expected a plain file" in failed(strongroom("model", "inspect", package), 1)


def test_of_a_sealed_model_the_head_is_shown_as_unverified(tmp_path: Path) -> None:
    package = build_tiny_tensor(tmp_path / "tiny")
    path = seal_package(
        package, tmp_path, configuration=CONFIGURATION, catalogue=catalogue_of([package], "models"),
        make_key=lambda arn, context: (DATA_KEY, b"w"),
    )  # fmt: skip
    shown = json.loads(strongroom("model", "inspect", path, "--json").stdout)
    assert (shown["sealed"], shown["id"], shown["chunks"], shown["wrapped_key_bytes"]) == (True, "tiny-tensor", 1, 1)
    assert (shown["verified"], "UNVERIFIED: by its head alone" in shown["warning"]) == (False, True)
    assert b"UNVERIFIED" in strongroom("model", "inspect", path).stdout
    assert "expected a package's folder" in failed(strongroom("model", "inspect", path, "--probe"))
    path.write_bytes(path.read_bytes()[:-1])
    assert "by its head" in failed(strongroom("model", "inspect", path), 1)

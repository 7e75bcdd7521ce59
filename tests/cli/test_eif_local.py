"""`strongroom eif local` and `eif reproduce`: what they print of a build, and one line for what is wrong."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from strongroom.cli.eif import eif
from strongroom.cli.eif_local import NOTE
from strongroom.image import local, reproduction
from strongroom.image.local import LocalImage
from strongroom.image.record import Package, Record
from strongroom.image.reproduction import Reproduction
from strongroom.image.sizes import Size
from strongroom.image.source import Source
from tests.cli.running import failed, strongroom

SOURCE = Source("a" * 40, ("enclave/x.py",))
RECORD = Record((Package("linux-image-6.12-cloud-amd64", "6.12-1", "0" * 64, "k.deb"),), (), SOURCE)
PCRS: Mapping[int, bytes] = {0: b"\1" * 48, 1: b"\2" * 48, 2: b"\3" * 48}
IMAGE = LocalImage(PCRS, 170 << 20, {"ours": Size(200, 615_405)}, RECORD)


@pytest.mark.parametrize("command", ["local", "reproduce"])
def test_elsewhere_than_in_a_checkout_is_one_line(command: str, tmp_path: Path) -> None:
    line = failed(strongroom("eif", command, cwd=tmp_path), 1)
    assert line.startswith("error: expected a checkout of Strongroom, with Dockerfile.enclave, as working folder")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_record_is_one_line_and_json(tmp_path: Path) -> None:
    (tmp_path / "packages.json").write_text("{}")
    done = strongroom("eif", "local", "--record", tmp_path / "packages.json", "--json", cwd=tmp_path)
    assert "record of packages: expected JSON" in failed(done, 1)
    assert json.loads(done.stdout)["error"]["code"] == "image"


def test_the_table_says_sizes_memory_and_whose_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "build", lambda *_arguments, **_options: IMAGE)
    text = CliRunner().invoke(eif, ["local"]).stdout
    assert "178,257,920 bytes; an enclave of it needs 680 MiB or more" in text
    assert "615,405 bytes, 200 files" in text
    assert "commit aaaaaaaaaaaa, but not as committed: enclave/x.py" in text
    assert all(value.hex() in text for value in PCRS.values())
    assert NOTE in text


def test_the_record_is_what_is_built_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "packages.json").write_bytes(RECORD.to_bytes())
    given: list[object] = []

    def build(_folders: object, record: Record, **_options: object) -> LocalImage:
        given.append(record)
        return IMAGE

    monkeypatch.setattr(local, "build", build)
    done = CliRunner().invoke(eif, ["local", "--record", str(tmp_path / "packages.json"), "--json"])
    assert given == [RECORD]
    summary = json.loads(done.stdout)
    assert summary["Measurements"] == {f"PCR{index}": value.hex() for index, value in PCRS.items()}
    assert (summary["eif_bytes"], summary["note"]) == (170 << 20, NOTE)
    assert summary["source"] == {"commit": "a" * 40, "changed": ["enclave/x.py"]}


@pytest.mark.parametrize(
    ("again", "difference", "exit_code", "verdict"),
    [
        (PCRS, None, 0, "both builds are equal"),
        ({**PCRS, 2: b"\4" * 48}, "rootfs/app/x (content)", 1, "they differ, first in rootfs/app/x (content)"),
        ({**PCRS, 0: b"\4" * 48}, None, 1, "they differ"),
        (PCRS, "rootfs/app/x (content)", 1, "they differ"),
    ],
    ids=["equal", "one file", "measurements alone", "parts alone"],
)
def test_a_difference_is_exit_code_1_and_named(
    again: Mapping[int, bytes], difference: str | None, exit_code: int, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Reproduction(PCRS, again, difference, "user 100000")
    monkeypatch.setattr(reproduction, "build_twice", lambda *_arguments: found)
    text = CliRunner().invoke(eif, ["reproduce"], standalone_mode=False)
    assert (text.return_value, verdict in text.stdout) == (exit_code, True)
    assert all(value.hex() in text.stdout for value in again.values())
    answer = json.loads(CliRunner().invoke(eif, ["reproduce", "--json"], standalone_mode=False).stdout)
    assert (answer["reproducible"], answer["first_difference"]) == (exit_code == 0, difference)

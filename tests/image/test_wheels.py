"""The wheels: asked for with their digests alone, kept, and held against the record. pip is played."""

import hashlib
import sys
from pathlib import Path

import pytest

from strongroom.image import wheels
from strongroom.image.errors import InputRefused
from strongroom.image.record import Package
from tests.image.fakes import Fakes

FILE = "cbor2-6.2.1-cp313-cp313-manylinux_2_28_x86_64.whl"
PACKAGE = Package("cbor2", "6.2.1", hashlib.sha256(b"").hexdigest(), FILE)


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    made = Fakes(tmp_path)
    made.add("python", f': > "{tmp_path}/work/wheels/{FILE}"')
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    return made


def test_wheels_for_the_images_python_are_kept_and_recorded(fakes: Fakes, tmp_path: Path) -> None:
    found = wheels.download(tmp_path / "enclave.txt", tmp_path / "cache", fakes.programs())
    assert found == [PACKAGE]
    assert (tmp_path / "cache" / FILE).exists()
    (call,) = fakes.calls()
    assert "-m pip download --quiet --no-deps --only-binary=:all: --require-hashes --python-version=3.13" in call
    assert f"--requirement={tmp_path}/enclave.txt" in call


def test_nothing_is_downloaded_when_all_are_there(fakes: Fakes, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / FILE).write_bytes(b"")
    wheels.again(tmp_path / "enclave.txt", tmp_path / "cache", [PACKAGE], fakes.programs())
    assert not (tmp_path / "calls").exists()


def test_a_record_of_another_lock_file_is_refused(fakes: Fakes, tmp_path: Path) -> None:
    other = Package("cbor2", "6.2.0", "0" * 64, "cbor2-6.2.0-cp313-cp313-manylinux_2_28_x86_64.whl")
    with pytest.raises(InputRefused, match=r"cbor2-6\.2\.0-.*: expected the file with SHA-256 0{64}, got none"):
        wheels.again(tmp_path / "enclave.txt", tmp_path / "cache", [other], fakes.programs())


def test_the_folder_that_a_build_sees_names_no_other_place(fakes: Fakes, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / FILE).write_bytes(b"")
    wheels.write_folder(tmp_path / "seen", tmp_path / "cache", [PACKAGE])
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == [FILE, "pip.conf"]
    assert "no-index = true" in (tmp_path / "seen" / "pip.conf").read_text()
    (tmp_path / "cache" / FILE).write_bytes(b"swapped")
    with pytest.raises(InputRefused, match="got another"):
        wheels.write_folder(tmp_path / "again", tmp_path / "cache", [PACKAGE])


@pytest.mark.parametrize(("name", "version"), [("other", "6.2.1"), ("cbor2", "6.2.2")])
def test_a_record_that_calls_a_wheel_something_else_is_refused(name: str, version: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"")
    with pytest.raises(InputRefused, match=r"expected the wheel of .* as recorded"):
        wheels.write_folder(tmp_path / "seen", tmp_path, [Package(name, version, PACKAGE.sha256, FILE)])

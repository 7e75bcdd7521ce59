"""The wheels: asked for with their digests alone, kept, and held against the record. pip is played."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from deploy.release.pins import read_pins
from strongroom.image import wheels
from strongroom.image.errors import InputRefused
from strongroom.image.interpreter import PIP_OPTIONS
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
    assert f"-m pip download --quiet {' '.join(PIP_OPTIONS)} --find-links" in call
    assert f"--requirement={tmp_path}/enclave.txt" in call


def test_the_sbom_asks_for_the_same_wheels(tmp_path: Path) -> None:
    fakes, root = Fakes(tmp_path), Path(__file__).parents[2]
    fakes.add("python", f'case "$*" in *pip*) : > "{tmp_path}/report.part" ;; *) exec "{sys.executable}" "$@" ;; esac')
    arguments = [str(tmp_path / "bin" / "python"), "lock.txt", str(tmp_path / "report")]
    subprocess.run(["deploy/image-wheels.sh", *arguments], cwd=root, check=True, timeout=60)
    assert f" {' '.join(PIP_OPTIONS)} --target {tmp_path}/report.target --report" in fakes.calls()[1]
    assert {"--require-hashes", "--python-version=3.13", "--platform=manylinux_2_41_x86_64"} < set(PIP_OPTIONS)
    assert (tmp_path / "report").exists()


def test_nothing_is_downloaded_when_all_are_there(fakes: Fakes, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / FILE).write_bytes(b"")
    wheels.again(tmp_path / "enclave.txt", tmp_path / "cache", [PACKAGE], fakes.programs())
    assert not (tmp_path / "calls").exists()


LOCK = f"""\
a-b==1 \\
    --hash=sha256:{"1" * 64} \\
    --hash=sha256:{"2" * 64}
c==2.post1 \\
    --hash=sha256:{"3" * 64}
"""
AB = Package("A_b", "1", "2" * 64, "A_b-1-py3-none-any.whl")
C = Package("c", "2.post1", "3" * 64, "c-2.post1-py3-none-any.whl")


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        ([AB], "expected the wheel of c 2.post1 with a SHA-256 of lock.txt, got none"),
        ([], "expected the wheel of a-b 1 with a SHA-256 of lock.txt, got none"),
        ([AB, C, Package("d", "1", "4" * 64, "d-1.whl")], "expected no wheel of d, which lock.txt does not name"),
        ([AB, replace(C, version="2")], f"c 2.post1 with a SHA-256 of lock.txt, got 2 with {'3' * 64}"),
        ([replace(AB, sha256="3" * 64), C], f"a-b 1 with a SHA-256 of lock.txt, got 1 with {'3' * 64}"),
    ],
    ids=["one less", "none", "one more", "another version", "another's digest"],
)
def test_a_record_that_lacks_a_wheel_or_has_another_is_told_by_name(
    recorded: list[Package], words: str, tmp_path: Path
) -> None:
    (tmp_path / "lock.txt").write_text(LOCK)
    wheels.require_pinned(tmp_path / "lock.txt", [C, AB])
    with pytest.raises(InputRefused, match=f"^record of packages: .*{re.escape(words)}.*; take a record of this"):
        wheels.require_pinned(tmp_path / "lock.txt", recorded)


def test_every_pin_of_our_lock_file_is_seen() -> None:
    lock = Path(__file__).parents[2] / "requirements" / "enclave.txt"
    pins = read_pins(lock)
    recorded = [Package(pin.name, pin.version, min(pin.sha256), "x.whl") for pin in pins]
    wheels.require_pinned(lock, recorded)
    for index, pin in enumerate(pins):
        with pytest.raises(InputRefused, match=f"the wheel of {pin.name} {re.escape(pin.version)} "):
            wheels.require_pinned(lock, recorded[:index] + recorded[index + 1 :])


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

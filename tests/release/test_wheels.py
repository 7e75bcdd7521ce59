"""Which wheels the image installs, by pip's report: those that are pinned, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.release.errors import ReleaseError
from deploy.release.pins import read_pins
from deploy.release.wheels import Wheel, wheels_of
from tests.release.locks import line, lock, report, sha256

WHEELS = {"second": ("2", {"license": "mit"}), "first-kit": ("1.0", {"license_expression": "MIT OR Apache-2.0"})}
CLASSIFIERS = ["Topic :: Security", "License :: OSI Approved :: BSD License"]


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, Path]:
    """A lock file of two packages, and a report that fits it."""
    lines = [line(f"{name}=={version}", f"{name}.whl", "other.tar.gz") for name, (version, _) in WHEELS.items()]
    return lock(tmp_path / "lock.txt", *lines), report(tmp_path / "report.json", WHEELS)


def test_each_pin_has_its_wheel_in_the_order_of_names(small: tuple[Path, Path]) -> None:
    path, answer = small
    first, second = wheels_of(read_pins(path), answer)
    assert first == Wheel(
        "first-kit", "1.0", "first-kit.whl", sha256("first-kit.whl"), ("MIT OR Apache-2.0",), classified_licences=()
    )
    assert (second.name, second.stated_licences) == ("second", ("mit",))


def test_classifiers_of_licences_are_kept_and_no_others(tmp_path: Path) -> None:
    answer = report(tmp_path / "report.json", {"a": ("1", {"classifier": CLASSIFIERS})})
    [wheel] = wheels_of(read_pins(lock(tmp_path / "lock.txt", line("a==1", "a.whl"))), answer)
    assert (wheel.stated_licences, wheel.classified_licences) == ((), ("BSD License",))


ALTERED = {
    "another version": ("second==2", "second==3"),
    "another file": (sha256("second.whl"), "0" * 64),
    "another package": ("second==2", "third==2"),
    "one package more": ("second==2", "more==1 --hash=sha256:" + "0" * 64 + "\nsecond==2"),
}


def test_a_wheel_that_is_not_pinned_is_refused(small: tuple[Path, Path]) -> None:
    path, answer = small
    with pytest.raises(ReleaseError, match="second"):
        wheels_of([pin for pin in read_pins(path) if pin.name != "second"], answer)


@pytest.mark.parametrize(("before", "after"), ALTERED.values(), ids=ALTERED)
def test_a_lock_file_that_the_wheels_do_not_fit_is_refused(small: tuple[Path, Path], before: str, after: str) -> None:
    path, answer = small
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(ReleaseError, match="make sbom writes it anew"):
        wheels_of(read_pins(path), answer)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"install": [{}]}', '{"install": [{"metadata": []}]}', "\xff"])
def test_a_report_that_is_none_is_refused(small: tuple[Path, Path], text: str) -> None:
    path, answer = small
    answer.write_bytes(text.encode("latin-1"))
    with pytest.raises(ReleaseError, match="make sbom writes it anew"):
        wheels_of(read_pins(path), answer)

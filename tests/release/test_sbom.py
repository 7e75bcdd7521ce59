"""The SBOM: everything that is pinned is in it, nothing else, and the same input gives the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.release.debs import names_in
from deploy.release.pins import read_pins
from strongroom.simulator.image import measured_sha384
from tests.release.in_one_process import Program
from tests.release.locks import Metadata, line, lock, record, report, sha256

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "enclave.txt"
TOOLS = ROOT / ".release"
NAMES = names_in(ROOT / "Dockerfile.enclave")


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter that has the release's packages. Skip without the release's environment, but never in CI."""
    if not (TOOLS / "image.json").exists():
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have the release's environment: make ci-deps")
        pytest.skip("no environment for releases: make sbom")
    return TOOLS / "venv" / "bin" / "python"


@pytest.fixture(scope="module")
def sbom(python: Path) -> Iterator[Program]:
    with Program(python, ROOT) as program:
        yield program


def small(folder: Path, version: str) -> tuple[Path, Path]:
    """A lock file of one package, and a report that fits it."""
    answer = report(folder / "report.json", {"a": (version, {})})
    return lock(folder / "lock.txt", line(f"a=={version}", "a.whl")), answer


def libraries(text: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads(text)["components"] if each["type"] == "library"}


def test_every_package_of_the_image_and_our_modules_are_in_it(sbom: Program) -> None:
    before, run, after = measured_sha384().hex(), sbom(LOCK, TOOLS / "image.json"), measured_sha384().hex()
    assert run.returncode == 0
    found, pins = libraries(run.stdout), read_pins(LOCK)
    assert found.keys() == {pin.name for pin in pins}
    for pin in pins:
        library = found[pin.name]
        assert (library["version"], library["purl"]) == (pin.version, f"pkg:pypi/{pin.name}@{pin.version}")
        assert [each["alg"] for each in library["hashes"]] == ["SHA-256"]
        assert library["hashes"][0]["content"] in pin.sha256
        assert library["licenses"]
    [ours] = [each for each in json.loads(run.stdout)["components"] if each["type"] != "library"]
    assert ours["hashes"] in [[{"alg": "SHA-384", "content": digest}] for digest in (before, after)]


def test_debians_packages_are_those_of_the_record(sbom: Program, tmp_path: Path) -> None:
    content = json.loads(sbom(*small(tmp_path, "1"), "--record", record(tmp_path, [*NAMES, "dash"], ["a.whl"])).stdout)
    found = libraries(json.dumps(content))
    assert found.keys() == {"a", *NAMES}
    assert found["libstdc++6"]["purl"] == "pkg:deb/debian/libstdc%2B%2B6@1:2.0~rc%2B1?arch=amd64&distro=trixie"
    assert found["libstdc++6"]["hashes"] == [{"alg": "SHA-256", "content": sha256("libstdc++6")}]
    assert "licenses" not in found["libstdc++6"]
    [whole, parts] = content["compositions"]
    assert whole == {"aggregate": "complete", "assemblies": ["image"], "dependencies": ["image"]}
    assert parts == {"aggregate": "unknown", "assemblies": ["pkg:pypi/a@1"]}
    [dependencies] = [each["dependsOn"] for each in content["dependencies"] if each["ref"] == "image"]
    assert len(dependencies) == 2 + len(NAMES)
    assert [each for each in left_out(content) if "Debian" in each] == []


def test_without_a_record_it_says_what_is_left_out(python: Path, tmp_path: Path) -> None:
    """As `make sbom` runs it, in a process of its own."""
    command = [str(python), "-m", "deploy.release.sbom", *map(str, small(tmp_path, "1"))]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "without Debian's packages; make eif-local" in run.stderr
    content = json.loads(run.stdout)
    assert content["compositions"][0]["aggregate"] == "incomplete"
    debian, kernel = left_out(content)
    assert "kernel" in kernel
    assert debian.endswith(": " + " ".join(NAMES))


def left_out(content: dict[str, Any]) -> list[str]:
    properties = content["metadata"]["component"]["properties"]
    return [each["value"] for each in properties if each["name"] == "strongroom:left-out"]


def test_licences_are_what_the_wheels_state_in_the_words_of_spdx_where_they_can_be(
    sbom: Program, tmp_path: Path
) -> None:
    classifier = {"classifier": ["License :: OSI Approved :: BSD License"]}
    stated: dict[str, tuple[Metadata, dict[str, Any] | None]] = {
        "expression": ({"license_expression": "MIT OR Apache-2.0"}, {"expression": "MIT OR Apache-2.0"}),
        "id": ({"license": "mit", **classifier}, {"license": {"id": "MIT"}}),
        "classifier": ({"license": "as you like", **classifier}, {"license": {"name": "BSD License"}}),
        "words": ({"license": "as you like"}, {"license": {"name": "as you like"}}),
        "nothing": ({}, None),
    }
    path = lock(tmp_path / "lock.txt", *(line(f"{name}==1", f"{name}.whl") for name in stated))
    answer = report(tmp_path / "report.json", {name: ("1", metadata) for name, (metadata, _) in stated.items()})
    found = libraries(sbom(path, answer).stdout)
    for name, (_, expected) in stated.items():
        [licence] = found[name].get("licenses", [None])
        if licence:
            assert licence.get("license", licence).pop("acknowledgement") == "declared"
        assert licence == expected


def test_the_same_input_gives_the_same_bytes_and_another_another_serial_number(sbom: Program, tmp_path: Path) -> None:
    text, run = sbom(*small(tmp_path, "1")).stdout, sbom(*small(tmp_path, "1"), "--output", tmp_path / "new" / "sbom")
    assert (run.returncode, len(run.stdout.splitlines())) == (0, 1)
    assert (tmp_path / "new" / "sbom").read_text() == text
    assert json.loads(text)["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    timeless, other = (json.loads(sbom(*small(tmp_path, version), epoch="").stdout) for version in ("1", "2"))
    assert "timestamp" not in timeless["metadata"]
    assert len({each["serialNumber"] for each in (json.loads(text), timeless, other)}) == 3


@pytest.mark.parametrize("epoch", ["soon", "9" * 11])
def test_a_time_that_is_none_is_refused(sbom: Program, tmp_path: Path, epoch: str) -> None:
    run = sbom(*small(tmp_path, "1"), epoch=epoch)
    assert (run.returncode, run.stdout, len(run.stderr.splitlines())) == (1, "", 1)
    assert "SOURCE_DATE_EPOCH" in run.stderr


def test_a_place_that_cannot_be_written_is_refused(sbom: Program, tmp_path: Path) -> None:
    run = sbom(*small(tmp_path, "1"), "--output", tmp_path)
    assert (run.returncode, run.stdout, len(run.stderr.splitlines())) == (1, "", 1)

"""`make eif`: what it asks for, in which order it calls docker and nitro-cli, and how it refuses."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BASE = "debian:trixie-slim@sha256:" + "0" * 64


def build(tools: Path, base: str = BASE) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "CALLS": str(tools / "calls")}
    command = ["make", "--no-print-directory", "eif", f"BASE={base}", "TAG=test", "EIF=out.eif"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def fake(tools: Path, name: str, body: str = "") -> None:
    """An executable that records its arguments."""
    path = tools / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >> "$CALLS"\n{body}\n')
    path.chmod(0o755)


def test_docker_builds_the_file_and_nitro_cli_takes_the_tag(tmp_path: Path) -> None:
    fake(tmp_path, "docker")
    fake(tmp_path, "nitro-cli", 'echo \'{"Measurements": {"PCR0": "00"}}\'')
    result = build(tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "calls").read_text().splitlines() == [
        "docker info",
        f"docker build --file Dockerfile.enclave --build-arg BASE={BASE} --tag test .",
        "nitro-cli build-enclave --docker-uri test --output-file out.eif",
    ]
    assert "Measurements" in result.stdout


@pytest.mark.parametrize("base", ["", "debian:trixie-slim", "debian@sha1:00"])
def test_a_base_without_a_digest_is_refused_with_the_command_that_prints_one(tmp_path: Path, base: str) -> None:
    fake(tmp_path, "docker")
    result = build(tmp_path, base)
    assert result.returncode != 0
    assert "docker inspect" in result.stderr
    assert not (tmp_path / "calls").exists()


def test_a_docker_client_without_an_engine_is_told(tmp_path: Path) -> None:
    fake(tmp_path, "docker", "exit 1")
    fake(tmp_path, "nitro-cli")
    result = build(tmp_path)
    assert result.returncode != 0
    assert "no usable docker engine" in result.stderr
    assert (tmp_path / "calls").read_text() == "docker info\n"


def test_a_missing_nitro_cli_is_told_before_anything_is_built(tmp_path: Path) -> None:
    fake(tmp_path, "docker")
    result = build(tmp_path)
    assert result.returncode != 0
    assert "nitro-cli" in result.stderr
    assert (tmp_path / "calls").read_text() == "docker info\n"


def test_the_command_of_the_image_is_absolute_and_there_is_no_entry_point() -> None:
    text = (ROOT / "Dockerfile.enclave").read_text()
    assert '\nCMD ["/usr/bin/python3", "-m", "enclave"]\n' in text
    assert "\nENTRYPOINT" not in text
    assert os.access(ROOT / "deploy" / "build-eif.sh", os.X_OK)


def test_no_switch_for_simulation_is_in_the_measured_code() -> None:
    from strongroom.simulator.image import MEASURED

    places = [ROOT / name for name in MEASURED]
    files = [path for place in places for path in (place.rglob("*.py") if place.is_dir() else [place])]
    assert len(files) > 40
    for path in files:
        text = path.read_text()
        assert "environ.get(" not in text or path.name == "telemetry.py", path
        assert "sys.argv" not in text
        assert "argparse" not in text
        assert "strongroom.simulator" not in text

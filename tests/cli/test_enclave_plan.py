"""`strongroom enclave plan`: the arithmetic, and the line that does not fit."""

import json
from pathlib import Path

import pytest

from strongroom.documents import to_toml
from strongroom.models.memory import memory_of_all
from strongroom.models.package import MANIFEST
from strongroom.models.tiny import build_tiny_decoder, build_tiny_encoder
from strongroom.protocol.catalogue import ModelManifest
from strongroom.protocol.configuration import Limits
from tests.cli.running import failed, invoked
from tests.client.fake_enclave import CONFIGURATION
from tests.parent.lifecycle.support import eif

TYPE = ("--instance-type", "m7i.xlarge")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("packages")
    return [build_tiny_decoder(folder / "decoder"), build_tiny_encoder(folder / "encoder")]


def configuration(folder: Path, **limits: int) -> Path:
    path = folder / "deployment.toml"
    path.write_bytes(to_toml(CONFIGURATION.__replace__(limits=Limits(**limits))))
    return path


def test_the_lines_add_up_to_what_is_asked_of_the_allocator(packages: list[Path], tmp_path: Path) -> None:
    models = [f"--model={package}" for package in packages]
    done = invoked("enclave", "plan", "--eif", eif(tmp_path, zeros_mib=300), *models, *TYPE, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    lines = {line["what"]: line["mib"] for line in said["lines"]}
    manifests = [ModelManifest.from_bytes((package / MANIFEST).read_bytes()) for package in packages]
    assert lines["models"] == -(-memory_of_all(manifests) >> 20) < 1024
    assert lines["root file system, unpacked"] == 301
    assert lines["request bodies, one a connection"] == 80
    *parts, least, memory = lines.values()
    assert sum(parts) <= memory < sum(parts) + 2
    assert least == 4 * lines["EIF"]
    assert said["allocator"] == {"memory_mib": memory, "cpu_count": 2}


def test_people_are_shown_the_sum_and_what_to_run(packages: list[Path], tmp_path: Path) -> None:
    done = invoked("enclave", "plan", "--eif", eif(tmp_path), "--model", packages[0], *TYPE)
    text = done.stdout.decode()
    assert done.returncode == 0
    assert "the parent keeps 2 of 4" in text
    assert f"strongroom enclave run nitro --eif {tmp_path / 'x.eif'} --memory-mib" in text


def test_a_configuration_bounds_the_models_and_the_bodies(packages: list[Path], tmp_path: Path) -> None:
    file = configuration(tmp_path, model_memory_mib=2000, max_in_flight=4, max_body_bytes=4 << 20)
    done = invoked("enclave", "plan", "--eif", eif(tmp_path), "--configuration", file, *TYPE, "--json")
    lines = {line["what"]: line["mib"] for line in json.loads(done.stdout)["lines"]}
    assert (lines["models"], lines["request bodies, one a connection"]) == (2000, 32 * 4)
    small = configuration(tmp_path, model_memory_mib=32)
    model = f"--model={packages[0]}"
    done = invoked("enclave", "plan", "--eif", eif(tmp_path), "--configuration", small, model, *TYPE)
    assert "expected to need at most the configuration's model_memory_mib of 32, got" in failed(done, 1)


def test_what_does_not_fit_is_named_after_the_sum(tmp_path: Path) -> None:
    done = invoked("enclave", "plan", "--eif", eif(tmp_path), *TYPE, "--enclaves", "4", "--json")
    assert "CPUs: expected at most 2 for enclaves" in failed(done, 1)
    assert json.loads(done.stdout)["error"]["code"] == "does-not-fit"
    own = ("--vcpus", "8", "--instance-memory-mib", "4096", "--cpus", "4")
    done = invoked("enclave", "plan", "--eif", eif(tmp_path), *own)
    assert "memory: expected at most 2048 MiB" in failed(done, 1)
    assert b"kernel, Python, libraries" in done.stdout


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--instance-type", "t3.micro"), 1, "--vcpus, --instance-memory-mib and --threads-per-core"),
        ((), 2, "expected either --instance-type, or"),
        ((*TYPE, "--vcpus", "8"), 2, "expected either --instance-type, or"),
        (("--vcpus", "8"), 2, "expected either --instance-type, or"),
        ((*TYPE, "--enclaves", "5"), 2, "5 is not in the range 1<=x<=4"),
        ((*TYPE, "--cpus", "3"), 1, "expected full cores"),
    ],
)
def test_wrong_usage(options: tuple[str, ...], code: int, said: str, tmp_path: Path) -> None:
    assert said in failed(invoked("enclave", "plan", "--eif", eif(tmp_path), *options), code)


def test_what_is_no_sound_eif_or_no_package(tmp_path: Path) -> None:
    damaged = invoked("enclave", "plan", "--eif", eif(tmp_path, crc32=0), *TYPE)
    assert "CRC" in failed(damaged, 1)
    failed(invoked("enclave", "plan", "--eif", eif(tmp_path), "--model", tmp_path, *TYPE), 2)


def test_a_model_twice_is_a_slip(packages: list[Path], tmp_path: Path) -> None:
    models = [f"--model={package}" for package in (*packages, packages[0])]
    done = invoked("enclave", "plan", "--eif", eif(tmp_path), *models, *TYPE)
    assert "models: expected each id once, got tiny-decoder twice" in failed(done, 2)


def test_every_command_shows_an_example() -> None:
    for command in ("plan", "run nitro", "run simulator", "run qemu", "status", "logs", "stop", "restart"):
        assert b"Example" in invoked("enclave", *command.split(), "--help").stdout, command

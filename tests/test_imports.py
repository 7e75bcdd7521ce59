"""What each part drags in when it is really imported: an `__init__` can smuggle what an import contract cannot see."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.image.measured import MEASURED

ROOT = Path(__file__).parents[1]


def modules_of(statement: str) -> set[str]:
    """The modules of a fresh process after `statement`."""
    code = f"{statement}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment).stdout
    return set(json.loads(output))


def loaded(modules: set[str], *names: str) -> set[str]:
    """Those of `names` that were loaded, themselves or a submodule."""
    return {name for name in names if any(module == name or module.startswith(f"{name}.") for module in modules)}


PLAINTEXT = tuple(f"strongroom.protocol.{name}" for name in ("payloads", "requests", "responses", "events", "weights"))
HEAVY = ("cryptography", "boto3", "onnxruntime", "numpy", "aiohttp", "fastapi", "moto", "rich", "asyncio", "msgspec")
HOST = (
    "parent",
    "proxy",
    "strongroom.client",
    "strongroom.simulator",
    "strongroom.cli",
    "strongroom.models",
    "strongroom.image",
    "strongroom.selftest",
)


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import attestation.verifier, attestation.compiler", ("strongroom", "enclave", "parent", "ssl")),
        ("import attestation.policy_file, attestation.bindings", ("asyncio", "http", "urllib.request", "boto3")),
        ("import strongroom.protocol.requests", ("attestation", "enclave", "parent", "asyncio", "boto3", "aiohttp")),
        ("import parent.app", ("enclave", "onnxruntime", "strongroom.client", "strongroom.simulator", *PLAINTEXT)),
        ("import parent.lifecycle.supervisor, parent.lifecycle.nitro_cli", ("enclave", "fastapi", "boto3", *PLAINTEXT)),
        ("import parent.__main__", ("enclave", "onnxruntime", "strongroom.client", "strongroom.models", *PLAINTEXT)),
        ("import proxy.__main__", ("attestation", "enclave", "strongroom.protocol", "boto3", "cryptography")),
        ("import enclave.server", (*HOST, "fastapi", "pydantic", "aiohttp", "onnx", "gguf", "pycose", "moto")),
        ("import strongroom.surfaces.routes", ("attestation", "strongroom.client", "asyncio", "aiohttp", "httpx2")),
        ("import strongroom.client.aio", ("parent", "enclave", "strongroom.transport", "onnxruntime", "boto3")),
        (
            "import strongroom.simulator.appliance, strongroom.simulator.machine",
            ("enclave.server", "onnxruntime", "moto"),
        ),
        ("import strongroom.simulator.vhost.nsm.__main__", ("enclave.server", "onnxruntime", "numpy", "boto3", "moto")),
        ("import strongroom.image.eif", ("enclave", "parent", "strongroom.transport", "asyncio", "boto3")),
        ("import strongroom.client", HEAVY),
        ("from strongroom.cli.commands import cli", HEAVY),
    ],
)
def test_a_part_drags_in_nothing_it_must_not_name(statement: str, forbidden: tuple[str, ...]) -> None:
    assert loaded(modules_of(statement), *forbidden) == set()


def measured_modules() -> set[str]:
    """Every module that the image gets."""
    names = {".".join(Path(name).with_suffix("").parts) for name in MEASURED if name.endswith(".py")}
    return {name.removesuffix(".__init__") for name in names}


def test_the_image_holds_exactly_the_modules_of_ours_that_the_enclave_loads() -> None:
    engine = (
        "import enclave.engine.engine, enclave.engine.probe.child, enclave.engine.tensors.child, enclave.kms.data_keys"
    )
    modules = modules_of(f"import enclave.server, enclave.__main__, enclave.entropy, enclave.nsm.device; {engine}")
    ours = {name for name in modules if loaded({name}, "attestation", "enclave", "parent", "proxy", "strongroom")}
    assert measured_modules() == ours, "strongroom/image/measured.txt says what the image gets"
    others = {name for name in MEASURED if not name.endswith(".py")}
    assert others == {"enclave/kms/amazon-trust-roots.pem", "enclave/kms/hybrid.cnf"}
    assert list(MEASURED) == sorted(MEASURED)


@pytest.mark.parametrize("folder", ["attestation/key_policy", "enclave", "strongroom/protocol", "strongroom/transport"])
def test_a_measured_folder_holds_no_module_that_is_not(folder: str) -> None:
    found = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
    assert found - set(MEASURED) == set(), "is it loaded? then strongroom/image/measured.txt must name it"


def test_the_dockerfile_copies_of_ours_what_the_list_names() -> None:
    text = (ROOT / "Dockerfile.enclave").read_text().replace("\\\n", " ")
    copies = [line.split()[1:] for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line]
    assert [words for words in copies if words[-1].startswith("/image")] == []
    assert "cd /ours && xargs --arg-file strongroom/image/measured.txt " in text


def test_the_images_list_names_every_distribution_that_the_enclave_loads() -> None:
    from importlib.metadata import packages_distributions

    names = {name.partition(".")[0] for name in modules_of("import enclave.server")}
    distributions = packages_distributions()
    needed = {distribution.lower().replace("_", "-") for name in names for distribution in distributions.get(name, [])}
    listed = {
        line.split("==")[0] for line in (ROOT / "requirements" / "enclave.txt").read_text().splitlines() if "==" in line
    }
    # botocore takes certifi, and urllib3 brotli, only where they are; Python 3.13, the image's, needs no
    # typing-extensions.
    assert needed - {"strongroom", "setuptools", "certifi", "brotli", "typing-extensions"} - listed == set()


def test_no_lock_file_names_a_registry() -> None:
    for path in (ROOT / "requirements").iterdir():
        text = path.read_text()
        assert "://" not in text
        assert "--index" not in text
        assert "--find-links" not in text

"""What the client loads: little at first, and never another part of the appliance."""

import json
import subprocess
import sys

PROGRAM = "import sys, json; {}; print(json.dumps(sorted(sys.modules)))"


def modules_after(statement: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(statement)], capture_output=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_the_package_is_cheap() -> None:
    assert not modules_after("import strongroom.client") & {"aiohttp", "cryptography", "msgspec", "cbor2"}


def test_the_whole_client_loads_no_other_part() -> None:
    loaded = modules_after("from strongroom.client import *")
    assert "aiohttp" in loaded
    foreign = ("parent", "enclave", "proxy", "strongroom.transport", "strongroom.simulator", "strongroom.models")
    servers = ("boto3", "botocore", "fastapi", "uvicorn", "onnxruntime", "numpy", "moto", "pycose")
    roots = {name for name in loaded if name in servers or name.startswith(tuple(f"{part}." for part in foreign))}
    assert not roots | (loaded & set(foreign))

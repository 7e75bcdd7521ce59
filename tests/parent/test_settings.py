from pathlib import Path

import pytest

from parent.errors import SettingsError
from parent.settings import EnclaveAddresses, Limits, Settings, Sources
from parent.trust import UNSAFE_POLICY, Trust
from strongroom.transport.addresses import UnixAddress, VsockAddress

API = {"STRONGROOM_ENCLAVE_API": "vsock:16:8001"}
ONE = (EnclaveAddresses(VsockAddress(16, 1)),)
SOURCES = {
    "STRONGROOM_CONFIGURATION": "/c.toml",
    "STRONGROOM_CATALOGUE": "/m.toml",
    "STRONGROOM_SEALED_MODELS": "/models",
}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "STRONGROOM_ENCLAVE_API: expected the enclave's address"),
        ({"STRONGROOM_ENCLAVE_API": "tcp:1"}, "STRONGROOM_ENCLAVE_API: address: expected vsock:CID:PORT"),
        ({"STRONGROOM_ENCLAVE_API": "vsock:16:1,"}, "STRONGROOM_ENCLAVE_API: address: expected vsock:CID:PORT"),
        ({"STRONGROOM_ENCLAVE_API": "unix:/a,unix:/a"}, "STRONGROOM_ENCLAVE_API: expected each address once"),
        (
            {"STRONGROOM_ENCLAVE_API": ",".join(f"vsock:{cid}:1" for cid in range(17))},
            "STRONGROOM_ENCLAVE_API: expected at most 16 addresses, got 17",
        ),
        (
            {"STRONGROOM_ENCLAVE_API": "unix:/a,unix:/b", "STRONGROOM_ENCLAVE_CONTROL": "unix:/c"},
            "STRONGROOM_ENCLAVE_CONTROL: expected 2, one for each enclave",
        ),
        ({"STRONGROOM_ENCLAVE_CONTROL": "x"}, "STRONGROOM_ENCLAVE_CONTROL: address: expected"),
        ({"STRONGROOM_PORT": "65536"}, "STRONGROOM_PORT: expected a port"),
        ({"STRONGROOM_PORT": "-1"}, "STRONGROOM_PORT: expected a port"),
        ({"STRONGROOM_PORT": "٣"}, "STRONGROOM_PORT: expected a port"),
        ({"STRONGROOM_ALLOW_SIMULATED": "yes"}, "STRONGROOM_ALLOW_SIMULATED: expected 0 or 1"),
        ({"STRONGROOM_TRUST_ANCHOR": "/root.pem"}, "expected STRONGROOM_ALLOW_SIMULATED=1"),
        ({"STRONGROOM_CATALOGUE": "/m.toml"}, "STRONGROOM_CONFIGURATION: expected a path"),
        *(
            ({"STRONGROOM_WEIGHT_STREAMS": text}, "STRONGROOM_WEIGHT_STREAMS: expected a number from 1 to 16")
            for text in ("0", "17", "-1", "1.5", "four", "٣", "9" * 5000)
        ),
        (SOURCES, "STRONGROOM_ENCLAVE_CONTROL: expected an address"),
        ({"STRONGROOM_MAX_BODY_BYTES": "4 MiB"}, "STRONGROOM_MAX_BODY_BYTES: expected a positive int"),
        ({"STRONGROOM_MAX_BODY_BYTES": "0"}, "STRONGROOM_MAX_BODY_BYTES: expected a positive int"),
        ({"STRONGROOM_MAX_BODY_BYTES": "1.5"}, "STRONGROOM_MAX_BODY_BYTES: expected a positive int"),
        ({"STRONGROOM_HEAD_TIMEOUT_S": "inf"}, "STRONGROOM_HEAD_TIMEOUT_S: expected a positive float"),
        ({"STRONGROOM_HEAD_TIMEOUT_S": "nan"}, "STRONGROOM_HEAD_TIMEOUT_S: expected a positive float"),
        ({"STRONGROOM_HEAD_TIMEOUT_S": ""}, "STRONGROOM_HEAD_TIMEOUT_S: expected a positive float"),
    ],
)
def test_unusable_settings_are_named(environment: dict[str, str], expected: str) -> None:
    base = API if environment else {}
    with pytest.raises(SettingsError, match=expected):
        Settings.from_environment(base | environment)


def test_several_enclaves_are_numbered_as_they_are_listed() -> None:
    listed = {
        "STRONGROOM_ENCLAVE_API": "vsock:17:7001, vsock:16:7001",
        "STRONGROOM_ENCLAVE_CONTROL": "vsock:17:7002, vsock:16:7002",
    }
    expected = tuple(EnclaveAddresses(VsockAddress(cid, 7001), VsockAddress(cid, 7002)) for cid in (17, 16))
    assert Settings.from_environment(listed).enclaves == expected


def test_defaults() -> None:
    settings = Settings.from_environment(API)
    assert settings == Settings((EnclaveAddresses(VsockAddress(16, 8001)),))
    assert settings.limits == Limits()
    assert settings.weight_streams == 4
    assert (settings.limits.max_body_bytes, settings.limits.max_header_bytes) == (16 << 20, 16 << 10)
    assert (settings.limits.head_timeout_s, settings.limits.request_timeout_s) == (5, 15)


def test_everything_can_be_set() -> None:
    settings = Settings.from_environment(
        API
        | SOURCES
        | {
            "STRONGROOM_ENCLAVE_CONTROL": "unix:/run/control",
            "STRONGROOM_POLICY": "/policy.toml",
            "STRONGROOM_TRUST_ANCHOR": "/root.pem",
            "STRONGROOM_ALLOW_SIMULATED": "1",
            "STRONGROOM_WEIGHT_STREAMS": "16",
            "STRONGROOM_AUDIT_LOG": "/var/log/audit",
            "STRONGROOM_HOST": "0.0.0.0",
            "STRONGROOM_PORT": "0",
            "STRONGROOM_MAX_CONNECTIONS": "7",
            "STRONGROOM_HEAD_TIMEOUT_S": "0.5",
        }
    )
    assert settings.enclaves == (EnclaveAddresses(VsockAddress(16, 8001), UnixAddress(Path("/run/control"))),)
    assert settings.audit_log == Path("/var/log/audit")
    assert settings.sources == Sources(Path("/c.toml"), Path("/m.toml"), Path("/models"))
    assert settings.weight_streams == 16
    assert (settings.policy, settings.trust_anchor) == (Path("/policy.toml"), Path("/root.pem"))
    assert (settings.host, settings.port, settings.allow_simulated) == ("0.0.0.0", 0, True)
    assert (settings.limits.max_connections, settings.limits.head_timeout_s) == (7, 0.5)


@pytest.mark.parametrize("content", [None, b"", b"not a policy", bytes(1 << 19)])
def test_an_unusable_policy_file_stops_the_gateway(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "policy.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match="STRONGROOM_POLICY: "):
        Trust.load(Settings(ONE, policy=path))


def test_an_unusable_trust_anchor_stops_the_gateway(tmp_path: Path) -> None:
    path = tmp_path / "root.pem"
    path.write_bytes(b"no certificate")
    with pytest.raises(SettingsError, match="STRONGROOM_TRUST_ANCHOR: "):
        Trust.load(Settings(ONE, trust_anchor=path, allow_simulated=True))


def test_no_policy_is_called_what_it_is() -> None:
    trust = Trust.load(Settings(ONE))
    assert trust.policy_name == UNSAFE_POLICY
    assert not trust.anchor.simulated

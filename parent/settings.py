"""The gateway's settings, read once from the environment at start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, TypeVar

from parent.errors import SettingsError
from strongroom.protocol.constants import MAX_SEALED_REQUEST_BYTES
from strongroom.transport.addresses import Address, parse_address

_PREFIX = "STRONGROOM_"
DEFAULT_WEIGHT_STREAMS = 4
MAX_WEIGHT_STREAMS = 16
_SOURCES = ("CONFIGURATION", "CATALOGUE", "SEALED_MODELS")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Limits:
    """Every bound of the gateway; each is read from `STRONGROOM_<NAME>` as a positive number."""

    max_body_bytes: int = MAX_SEALED_REQUEST_BYTES
    max_header_bytes: int = 16 << 10
    max_connections: int = 512
    max_exchanges: int = 64
    """Requests in flight towards the enclave; more are answered `busy` at once."""
    head_timeout_s: float = 5.0
    request_timeout_s: float = 15.0
    idle_timeout_s: float = 30.0
    write_stall_timeout_s: float = 15.0
    enclave_timeout_s: float = 120.0
    drain_timeout_s: float = 10.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Raise SettingsError for anything but a positive number."""
        given: dict[str, Any] = {}
        for field in fields(cls):
            name = _PREFIX + field.name.upper()
            if name in environment:
                given[field.name] = _positive(name, environment[name], type(getattr(cls, field.name)))
        return cls(**given)


@dataclass(frozen=True)
class Sources:
    """What the provisioner delivers: two TOML files and a folder of `<model id>.sealed` files."""

    configuration: Path
    catalogue: Path
    sealed_models: Path


@dataclass(frozen=True)
class Settings:
    """Everything that an operator chooses. Without `sources` somebody else provisions the enclave."""

    enclave_api: Address
    enclave_control: Address | None = None
    sources: Sources | None = None
    weight_streams: int = DEFAULT_WEIGHT_STREAMS
    """Connections to the enclave over which the weights of one model are sent side by side."""
    policy: Path | None = None
    trust_anchor: Path | None = None
    """PEM of the trust anchor; None is the AWS Nitro root."""
    allow_simulated: bool = False
    host: str = "127.0.0.1"
    port: int = 8080
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.sources is not None and self.enclave_control is None:
            raise SettingsError("STRONGROOM_ENCLAVE_CONTROL: expected an address, since there is something to deliver")
        if self.trust_anchor is not None and not self.allow_simulated:
            raise SettingsError(
                "STRONGROOM_TRUST_ANCHOR: expected STRONGROOM_ALLOW_SIMULATED=1 beside it, "
                "because only a simulator has a root other than AWS's"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the `STRONGROOM_*` variables; raise SettingsError naming the variable and what was expected."""

        def read(name: str, parse: Callable[[str], Value], default: Value) -> Value:
            text = environment.get(_PREFIX + name, "")
            return _parsed(_PREFIX + name, text, parse) if text else default

        if not environment.get("STRONGROOM_ENCLAVE_API"):
            raise SettingsError("STRONGROOM_ENCLAVE_API: expected the enclave's address, such as vsock:16:7001")
        return cls(
            enclave_api=_parsed("STRONGROOM_ENCLAVE_API", environment["STRONGROOM_ENCLAVE_API"], parse_address),
            enclave_control=read("ENCLAVE_CONTROL", parse_address, None),
            sources=_sources(environment),
            weight_streams=read("WEIGHT_STREAMS", _weight_streams, cls.weight_streams),
            policy=read("POLICY", Path, None),
            trust_anchor=read("TRUST_ANCHOR", Path, None),
            allow_simulated=read("ALLOW_SIMULATED", _switch, False),
            host=read("HOST", str, cls.host),
            port=read("PORT", _port, cls.port),
            limits=Limits.from_environment(environment),
        )


def _sources(environment: Mapping[str, str]) -> Sources | None:
    paths = [environment.get(_PREFIX + name, "") for name in _SOURCES]
    if not any(paths):
        return None
    if not all(paths):
        missing = _SOURCES[paths.index("")]
        raise SettingsError(f"{_PREFIX}{missing}: expected a path, since another source is given; give all or none")
    return Sources(*map(Path, paths))


def _parsed(name: str, text: str, parse: Callable[[str], Value]) -> Value:
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from None


def _positive(name: str, text: str, kind: type[int] | type[float]) -> int | float:
    try:
        number = kind(text)
    except ValueError:
        number = kind(0)
    if not 0 < number < 1 << 40:
        raise SettingsError(f"{name}: expected a positive {kind.__name__}, got {text!r}")
    return number


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(f"expected 0 or 1, got {text!r}")
    return text == "1"


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise ValueError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def _weight_streams(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 3 and 1 <= int(text) <= MAX_WEIGHT_STREAMS):
        raise ValueError(f"expected a number from 1 to {MAX_WEIGHT_STREAMS}, got {text!r}")
    return int(text)

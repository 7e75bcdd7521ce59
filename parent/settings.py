"""The gateway's settings, read once from the environment at start."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from parent import values
from parent.errors import SettingsError
from strongroom.protocol.constants import MAX_SEALED_REQUEST_BYTES
from strongroom.transport.addresses import Address

_PREFIX = "STRONGROOM_"
DEFAULT_WEIGHT_STREAMS = 4
_SOURCES = ("CONFIGURATION", "CATALOGUE", "SEALED_MODELS")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Limits:
    """Every bound of the gateway; each is read from `STRONGROOM_<NAME>` as a positive number."""

    max_body_bytes: int = MAX_SEALED_REQUEST_BYTES
    max_header_bytes: int = 16 << 10
    max_connections: int = 512
    max_exchanges: int = 64
    """Requests in flight towards each enclave; more are answered `busy`."""
    max_waiting: int = 64
    """Sealed requests that wait for their turn at each enclave."""
    turn_timeout_s: float = 5.0
    """What waits longer for its turn is answered `busy`."""
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
                parse = partial(values.positive, kind=type(getattr(cls, field.name)))
                given[field.name] = _parsed(name, environment[name], parse)
        return cls(**given)


@dataclass(frozen=True)
class Sources:
    """What the provisioner delivers: two TOML files and a folder of `<model id>.sealed` files."""

    configuration: Path
    catalogue: Path
    sealed_models: Path


@dataclass(frozen=True)
class EnclaveAddresses:
    """Where one enclave listens; without `control` the gateway cannot provision it."""

    api: Address
    control: Address | None = None


@dataclass(frozen=True)
class Settings:
    """Everything that an operator chooses. Without `sources` somebody else provisions the enclaves."""

    enclaves: tuple[EnclaveAddresses, ...]
    """At least one; reports and metrics number them from 1 in this order."""
    sources: Sources | None = None
    weight_streams: int = DEFAULT_WEIGHT_STREAMS
    """Connections to an enclave over which the weights of one model are sent side by side."""
    policy: Path | None = None
    trust_anchor: Path | None = None
    """PEM of the trust anchor; None is the AWS Nitro root."""
    allow_simulated: bool = False
    audit_log: Path | None = None
    """The folder of the enclaves' audit logs; None keeps none."""
    host: str = "127.0.0.1"
    port: int = 8080
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.sources is not None and any(enclave.control is None for enclave in self.enclaves):
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

        return cls(
            enclaves=_enclaves(
                read("ENCLAVE_API", values.addresses, ()), read("ENCLAVE_CONTROL", values.addresses, ())
            ),
            sources=_sources(environment),
            weight_streams=read("WEIGHT_STREAMS", values.weight_streams, cls.weight_streams),
            policy=read("POLICY", Path, None),
            trust_anchor=read("TRUST_ANCHOR", Path, None),
            allow_simulated=read("ALLOW_SIMULATED", values.switch, False),
            audit_log=read("AUDIT_LOG", Path, None),
            host=read("HOST", str, cls.host),
            port=read("PORT", values.port, cls.port),
            limits=Limits.from_environment(environment),
        )


def _enclaves(apis: Sequence[Address], controls: Sequence[Address]) -> tuple[EnclaveAddresses, ...]:
    if not apis:
        raise SettingsError("STRONGROOM_ENCLAVE_API: expected the enclave's address, such as vsock:16:7001")
    if controls and len(controls) != len(apis):
        raise SettingsError(f"STRONGROOM_ENCLAVE_CONTROL: expected {len(apis)}, one for each enclave")
    if not controls:
        return tuple(map(EnclaveAddresses, apis))
    return tuple(map(EnclaveAddresses, apis, controls))


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

"""Everything that is attacked, started once: dev KMS, four enclaves, the evil gateway in front of them."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from attestation.anchors import SimulatedTrustAnchor
from attestation.evidence import Evidence
from parent.errors import GatewayError
from strongroom.client import AsyncClient
from strongroom.client.envelopes import EnvelopeSealer
from strongroom.client.terms import Terms
from strongroom.models.tiny import build_tiny_decoder, build_tiny_tensor
from strongroom.protocol.constants import PATH_EVIDENCE
from strongroom.protocol.suites import Suite
from strongroom.selftest.deployments import (
    STRANGERS_ROLE,
    Deployed,
    SmallCacheOperator,
    TwoAccountOperator,
    deploy,
)
from strongroom.selftest.gateway import EvilGateway
from strongroom.selftest.host import EnclaveHost, Place
from strongroom.simulator.operator import PARENT_ROLE
from strongroom.simulator.parent import parent_credentials
from strongroom.simulator.part import Part, PartFailed

_START_S = 60.0
_CLIENT_S = 60.0
_SEALERS = 4


@dataclass(frozen=True)
class Enclaves:
    """Four boots."""

    home: EnclaveHost
    """What clients trust, and what answers them."""
    sibling: EnclaveHost
    """A second enclave of the same deployment: clients would trust it, but their request was for the first."""
    stranger: EnclaveHost
    """The same image and configuration bytes in another account."""
    frail: EnclaveHost
    """Of a deployment with room for few request ids; it is flooded and killed."""

    def all(self) -> Sequence[EnclaveHost]:
        """In the order above."""
        return (self.home, self.sibling, self.stranger, self.frail)


class World:
    """A context manager: enter to start everything in `folder`, leave to stop it. Entering raises PartFailed."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder.resolve(), say
        self._stack = AsyncExitStack()
        self.gateway = EvilGateway()
        self.enclaves: Enclaves
        self.evidence: dict[str, Evidence] = {}
        """What each enclave but the frail one said of itself when it was ready, by name."""
        self.earlier: Evidence
        """What home said for a nonce, before anything was asked of it."""
        self.deployed: Deployed
        """The deployment of home, sibling and stranger."""
        self.operator: TwoAccountOperator
        self.sealers: list[EnvelopeSealer]
        """Data keys under the request entry of the deployment that is attacked."""
        self.answered: list[bytes] = []
        """Requests of a client that the present boot of the frail enclave has answered."""

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def anchor(self) -> SimulatedTrustAnchor:
        """The root of this world's documents."""
        return SimulatedTrustAnchor.from_pem((self._folder / "pki" / "root.pem").read_bytes())

    @property
    def terms(self) -> Terms:
        """What the owner of an envelope demands of whoever answered it."""
        return Terms(self.deployed.measurements, self.anchor, allow_simulated=True)

    @property
    def folder(self) -> Path:
        """The simulator's state folder."""
        return self._folder

    def client(self, url: str, *, enclave: EnclaveHost | None = None, suite: Suite = Suite.XWING) -> AsyncClient:
        """The real client with the policy of `enclave`'s deployment (default: the one that is attacked)."""
        return AsyncClient(
            url,
            policy=(enclave or self.enclaves.home).measurements,
            anchor=self.anchor,
            allow_simulated=True,
            suites=(suite,),
            timeout_s=_CLIENT_S,
        )

    async def _start(self) -> None:
        kms = Part("kms", "strongroom", ["simulator", "kms", "--state=.", "--tls"], folder=self._folder)
        self._stack.push_async_callback(asyncio.to_thread, kms.stop)
        port = (await asyncio.to_thread(kms.wait_announced, _START_S))["port"]
        endpoint = f"https://127.0.0.1:{port}"
        self.operator = TwoAccountOperator(self._folder, endpoint)
        self.deployed, small = await asyncio.to_thread(self._deploy, SmallCacheOperator(self._folder, endpoint))
        self._say("dev KMS, two deployments: keys created, weights sealed")
        self.enclaves = Enclaves(
            self._host("home", PARENT_ROLE, self.deployed, port),
            self._host("sibling", PARENT_ROLE, self.deployed, port),
            self._host("stranger", STRANGERS_ROLE, self.deployed, port),
            self._host("frail", PARENT_ROLE, small, port),
        )
        await self._boot_all()
        self.sealers = [await asyncio.to_thread(self._sealer) for _ in range(_SEALERS)]
        for host in self.enclaves.all():
            self.evidence[host.name] = Evidence.from_bytes((await host.get(PATH_EVIDENCE)).body)
        nonce = secrets.token_hex(32)
        self.earlier = Evidence.from_bytes((await self.enclaves.home.get(f"{PATH_EVIDENCE}?nonce={nonce}")).body)
        self._say("four enclaves ready: home, sibling, stranger (another account), frail (small replay cache)")
        await self.gateway.start()
        self._stack.push_async_callback(self.gateway.stop)

    def _deploy(self, small: TwoAccountOperator) -> tuple[Deployed, Deployed]:
        chat, tensor = (self._folder / "packages" / name for name in ("chat", "tensor"))
        packages = [build_tiny_decoder(chat), build_tiny_tensor(tensor)]
        roomy = deploy(self.operator, self._folder / "deployment", packages)
        return roomy, deploy(small, self._folder / "small-deployment", packages[1:])

    def _sealer(self) -> EnvelopeSealer:
        entry = self.deployed.entry
        return EnvelopeSealer(entry, *self.operator.make_data_key(entry.arn, entry.fixed_context))

    def _host(self, name: str, role: str, deployed: Deployed, kms_port: int) -> EnclaveHost:
        place = Place(self._folder, self._folder / name, role, kms_port)
        return EnclaveHost(place, deployed, parent_credentials(self._folder))

    async def _boot_all(self) -> None:
        """Side by side; the first that fails ends the others, and is what failed."""
        try:
            async with asyncio.TaskGroup() as boots:
                for host in self.enclaves.all():
                    boots.create_task(self._boot(host))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _boot(self, host: EnclaveHost) -> None:
        self._stack.push_async_callback(host.stop)
        await host.open()
        await host.start()
        try:
            await host.provision()
        except GatewayError as error:
            raise PartFailed(f"{host.name}: {error}") from None

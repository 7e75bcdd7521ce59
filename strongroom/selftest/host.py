"""One enclave under the evil parent: its process, the proxy that it dials, the boot steps, the way to its API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from attestation.policy import Measurements
from parent.control import Control
from parent.credentials import Credentials
from parent.link import EnclaveLink
from strongroom.protocol.configuration import KeyEntry
from strongroom.protocol.constants import MEDIA_SEALED_REQUEST, PATH_SEALED
from strongroom.selftest.deployments import Deployed
from strongroom.selftest.proxy import EvilProxy
from strongroom.selftest.replies import Reply
from strongroom.simulator.parent import delivery_of
from strongroom.simulator.part import Part
from strongroom.simulator.sockets import enclave_addresses

_START_S = 60.0
_EXCHANGE_S = 60.0
_PAUSE_S = 0.01
_EXCHANGES = 128
_MAX_ANSWER_BYTES = 8 << 20


@dataclass(frozen=True)
class Place:
    """Where an enclave runs: the simulator's state folder, a folder of its own, the role of its parent, KMS's port."""

    state: Path
    folder: Path
    role: str
    kms_port: int


class EnclaveHost:
    """Start, then provision; whatever was asked of it, `stop` ends it."""

    def __init__(self, place: Place, deployed: Deployed, credentials: Credentials) -> None:
        place.folder.mkdir()
        self._place, self._deployed, self._credentials = place, deployed, credentials
        self._addresses = enclave_addresses(place.folder)
        self._link = EnclaveLink(self._addresses.api, timeout_s=_EXCHANGE_S, max_exchanges=_EXCHANGES)
        self._part: Part | None = None
        self.proxy = EvilProxy(self.socket("proxy"), place.kms_port)

    @property
    def name(self) -> str:
        """Of its folder."""
        return self._place.folder.name

    @property
    def measurements(self) -> Measurements:
        """What a client of this deployment pins."""
        return self._deployed.measurements

    @property
    def entry(self) -> KeyEntry:
        """The key entry of this deployment that takes requests."""
        return self._deployed.entry

    def socket(self, name: str) -> Path:
        """The path of one of its sockets: api, control, log or proxy."""
        return self._place.folder / f"{name}.sock"

    async def open(self) -> None:
        """Serve its proxy, and open the way to its API."""
        await self.proxy.start()
        await self._link.__aenter__()

    async def start(self) -> None:
        """A new boot, up to `booted`. Raises PartFailed."""
        for name in ("api", "control"):
            self.socket(name).unlink(missing_ok=True)
        where = self._place
        arguments = [f"--state={where.state}", f"--sockets={where.folder}", f"--parent-role={where.role}"]
        self._part = Part(self.name, "strongroom.simulator.enclave", arguments, folder=where.state)
        await self._listening("control")

    async def provision(self) -> None:
        """Every step from `booted` up to `ready`. Raises GatewayError, PartFailed."""
        await self.configure()
        await self.release()

    async def configure(self) -> None:
        """The steps before KMS is asked. Raises GatewayError."""
        delivery = delivery_of(self._deployed.files)
        async with self._control() as control:
            await control.configure(delivery.configuration)
            await control.catalogue(delivery.catalogue)
            await control.push_credentials(self._credentials)

    async def release(self) -> None:
        """The steps that need KMS, and those behind them. Raises GatewayError, PartFailed."""
        models = delivery_of(self._deployed.files).models
        async with self._control() as control:
            await control.check_key()
            for model in models:
                await control.release(model)
            for model in models:
                [segment] = model.segments(1)
                await control.load(model, segment)
        await self._listening("api")

    async def kill(self) -> None:
        """End it as by kill -9."""
        part = self._running()
        part.process.kill()
        await asyncio.to_thread(part.stop)

    async def reboot(self) -> None:
        """Kill it, start another boot, provision that. Raises GatewayError, PartFailed."""
        await self.kill()
        await self.start()
        await self.provision()

    async def stop(self) -> None:
        """End process, proxy and links."""
        await self._link.__aexit__(None, None, None)
        if self._part is not None:
            await asyncio.to_thread(self._part.stop)
        await self.proxy.stop()

    async def get(self, path: str) -> Reply:
        """GET with a query in `path`. Raises GatewayError."""
        return await self._ask("GET", path, None, {})

    async def post(self, message: bytes) -> Reply:
        """Deliver a sealed request. Raises GatewayError."""
        return await self._ask("POST", PATH_SEALED, message, {"Content-Type": MEDIA_SEALED_REQUEST})

    async def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        async with self._link.exchange(method, path, body=body, headers=headers) as answer:
            return Reply(answer.status, answer.media_type, await answer.read(_MAX_ANSWER_BYTES))

    @asynccontextmanager
    async def _control(self) -> AsyncIterator[Control]:
        async with EnclaveLink(self._addresses.control, timeout_s=_START_S, max_exchanges=1) as link:
            yield Control(link, step_timeout_s=_START_S)

    async def _listening(self, name: str) -> None:
        """Wait for a socket, and for whoever listens there: its path is there a moment earlier. Raises PartFailed."""
        await asyncio.to_thread(self._running().wait_socket, self.socket(name), _START_S)
        while True:
            try:
                _, writer = await asyncio.open_unix_connection(self.socket(name))
            except ConnectionRefusedError:
                if self._running().ended:
                    raise self._running().failure("did not start") from None
                await asyncio.sleep(_PAUSE_S)
            else:
                writer.transport.abort()
                return

    def _running(self) -> Part:
        if self._part is None:
            raise RuntimeError("expected the enclave to be started before")
        return self._part

"""The enclave's control interface: where it stands, and the boot steps that the parent may take, in strict order."""

from http import HTTPStatus
from typing import Annotated

import msgspec

from parent.credentials import Credentials
from parent.delivery import SealedModel, Segment
from parent.errors import EnclaveBroken, StepPostponed, StepRefused
from parent.link import Body, EnclaveLink
from strongroom.protocol.constants import (
    PATH_BOOT,
    PATH_BOOT_CATALOGUE,
    PATH_BOOT_CONFIGURATION,
    PATH_BOOT_CREDENTIALS,
    PATH_BOOT_KEY_CHECK,
    PATH_BOOT_MODELS,
    BootState,
)

_MAX_STANDING_BYTES = 16 << 10
_Ids = Annotated[tuple[str, ...], msgspec.Meta(max_length=64)]
_UPLOAD_BYTES_PER_S = 1 << 20
_KMS_STEP_S = 1800.0
"""Beyond what the enclave allows 16 keys at a slow KMS: a step sent again while it still runs would end the enclave."""


class Standing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the enclave is: its state, the models that are loaded, and those that it wants to be sent again."""

    state: BootState
    loaded: _Ids = ()
    wanted: _Ids = ()


class Control:
    """Typed calls over a link to the control address. Every step raises EnclaveError, StepPostponed or StepRefused."""

    def __init__(self, link: EnclaveLink, *, step_timeout_s: float) -> None:
        self._link, self._step_timeout_s = link, step_timeout_s
        self._kms_step_timeout_s = max(step_timeout_s, _KMS_STEP_S)

    async def standing(self) -> Standing:
        """Where the enclave stands. Raises EnclaveError."""
        async with self._link.exchange("GET", PATH_BOOT) as answer:
            body = await answer.read(_MAX_STANDING_BYTES)
            if answer.status != HTTPStatus.OK:
                raise EnclaveBroken(f"expected 200 from /boot, got {answer.status}")
        try:
            return msgspec.json.decode(body, type=Standing)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise EnclaveBroken("expected a known state from /boot, got something else") from None

    async def configure(self, configuration: bytes) -> None:
        """Deliver the deployment configuration that PCR17 will hold."""
        await self._put(PATH_BOOT_CONFIGURATION, configuration)

    async def catalogue(self, catalogue: bytes) -> None:
        """Deliver the model catalogue that PCR16 will hold."""
        await self._put(PATH_BOOT_CATALOGUE, catalogue)

    async def push_credentials(self, credentials: Credentials) -> None:
        """Hand over AWS credentials; any time after the catalogue, and again before they expire."""
        await self._put(PATH_BOOT_CREDENTIALS, credentials.to_bytes())

    async def check_key(self) -> None:
        """Let the enclave judge its own KMS key."""
        await self._put(PATH_BOOT_KEY_CHECK, b"", timeout_s=self._kms_step_timeout_s)

    async def release(self, model: SealedModel) -> None:
        """Deliver a sealed model's head, so that the enclave asks KMS for its key."""
        path = f"{PATH_BOOT_MODELS}/{model.id}/head"
        await self._put(path, model.head.to_bytes(), timeout_s=self._kms_step_timeout_s)

    async def load(self, model: SealedModel, segment: Segment) -> None:
        """Stream a segment of a sealed model's weights. The enclave answers when it has all of them and loaded them.

        So the time allowed grows with the size of the whole model.
        """
        await self._put(
            f"{PATH_BOOT_MODELS}/{model.id}/weights/{segment.chunks.start}/{segment.chunks.step}",
            model.read(segment),
            headers={"Content-Length": str(segment.size_bytes)},
            timeout_s=self._step_timeout_s + model.weights_bytes / _UPLOAD_BYTES_PER_S,
        )

    async def _put(
        self, path: str, body: Body, *, headers: dict[str, str] | None = None, timeout_s: float | None = None
    ) -> None:
        timeout_s, step = timeout_s or self._step_timeout_s, path.removeprefix(f"{PATH_BOOT}/")
        async with self._link.exchange("PUT", path, body=body, headers=headers, timeout_s=timeout_s) as answer:
            if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                raise StepPostponed(f"boot step {step}: not now, says the enclave, whose log says why")
            if answer.status != HTTPStatus.NO_CONTENT:
                raise StepRefused(f"boot step {step}: expected 204, got {answer.status}")

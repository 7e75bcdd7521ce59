"""The control interface: how configuration, catalogue, credentials and sealed weights enter (docs/boot.md).

It is open from the start, on a port of its own. Whatever is not the next step ends the enclave.
"""

import json
import re
from collections.abc import Awaitable, Callable

from enclave.asgi import (
    Receive,
    Scope,
    Send,
    body_pieces,
    read_body,
    respond,
    respond_problem,
)
from enclave.boot.codes import code_of
from enclave.boot.sequence import BootSequence
from enclave.errors import BootRefused, KMSUnreachable, StepFailed
from enclave.kms.credentials import MAX_CREDENTIALS_BYTES
from enclave.log import EnclaveLog, LogEvent
from strongroom.protocol.constants import (
    MAX_CATALOGUE_BYTES,
    MAX_CONFIGURATION_BYTES,
    PATH_BOOT,
    PATH_BOOT_CATALOGUE,
    PATH_BOOT_CONFIGURATION,
    PATH_BOOT_CREDENTIALS,
    PATH_BOOT_KEY_CHECK,
    PATH_BOOT_MODELS,
)
from strongroom.protocol.messages import MAX_WEIGHTS_HEAD_BYTES
from strongroom.protocol.problems import Problem

_MODELS = PATH_BOOT_MODELS.split("/")
_SEGMENT = re.compile(r"(?:0|[1-9][0-9]{0,7})/[1-9][0-9]{0,7}", re.ASCII)

EndEnclave = Callable[[str], None]
"""Called with a code for the log; the process ends soon after."""


class ControlApp:
    """ASGI application over the boot sequence."""

    def __init__(self, boot: BootSequence, log: EnclaveLog, end: EndEnclave) -> None:
        self._boot, self._log, self._end = boot, log, end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET /boot; take one step for a PUT; end the enclave for anything else."""
        if scope["type"] != "http" or self._boot.ended:
            return
        if (scope["method"], scope["path"]) == ("GET", PATH_BOOT):
            await respond(send, 200, "application/json", json.dumps(self._boot.standing()._asdict()).encode())
            return
        try:
            await self._step(scope["method"], scope["path"], receive)
        except (KMSUnreachable, StepFailed) as error:
            self._log.write(LogEvent.STEP_FAILED, code=error.code)
            await respond_problem(send, Problem.BUSY)
        except Exception as error:
            # Nothing a step can raise may leave the enclave half-way between two states.
            self._refuse(code_of(error))
        else:
            if not self._boot.ended:
                await respond(send, 204)

    def _refuse(self, code: str) -> None:
        if not self._boot.ended:  # the first refusal is the reason, not how the other segments broke off
            self._end(code)

    async def _step(self, method: str, path: str, receive: Receive) -> None:
        if method != "PUT":
            raise BootRefused("out-of-order", "control: expected GET /boot or a PUT")
        steps: dict[str, Callable[[Receive], Awaitable[None]]] = {
            PATH_BOOT_CONFIGURATION: self._configuration,
            PATH_BOOT_CATALOGUE: self._catalogue,
            PATH_BOOT_CREDENTIALS: self._credentials,
            PATH_BOOT_KEY_CHECK: self._key_check,
        }
        if step := steps.get(path):
            await step(receive)
        else:
            await self._model(path, receive)

    async def _configuration(self, receive: Receive) -> None:
        await self._boot.configure(await read_body(receive, MAX_CONFIGURATION_BYTES))

    async def _catalogue(self, receive: Receive) -> None:
        await self._boot.set_catalogue(await read_body(receive, MAX_CATALOGUE_BYTES))

    async def _credentials(self, receive: Receive) -> None:
        self._boot.push_credentials(await read_body(receive, MAX_CREDENTIALS_BYTES))

    async def _key_check(self, receive: Receive) -> None:
        await read_body(receive, 0)
        await self._boot.check_keys()

    async def _model(self, path: str, receive: Receive) -> None:
        match path.split("/"):
            case [*base, model_id, "head"] if base == _MODELS:
                with self._boot.outliving():
                    await self._boot.release(model_id, await read_body(receive, MAX_WEIGHTS_HEAD_BYTES))
            case [*base, model_id, "weights", first, step] if base == _MODELS and _SEGMENT.fullmatch(f"{first}/{step}"):
                with self._boot.outliving():
                    await self._boot.load(model_id, int(first), int(step), body_pieces(receive))
            case _:
                raise BootRefused("out-of-order", "control: expected a step of docs/boot.md")

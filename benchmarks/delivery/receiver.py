"""The enclave's side in a process of its own: its HTTP protocol and its receiver of weights; no NSM, KMS, engine.

python -m benchmarks.delivery.receiver SOCKET FOLDER      (the data key on standard input)
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvicorn

from benchmarks.delivery.sealed import ARN, CONTEXT, MODEL, entry_of
from enclave.asgi import Receive, Scope, Send, body_pieces, respond
from enclave.boot.receive import WeightsReceiver
from enclave.connections import BoundedProtocol
from parent.delivery import SealedModel
from strongroom.protocol.weights import WeightsCipher
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.sockets import listen


class Receiving:
    """Takes the model's segments and begins anew once it is whole."""

    def __init__(self, folder: Path, data_key: bytes) -> None:
        self._entry = entry_of(folder)
        self._cipher = WeightsCipher(SealedModel.open(folder, MODEL).head, data_key, ARN, CONTEXT)
        self._receiver = WeightsReceiver(self._entry, self._cipher)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a segment when the model is whole, as the enclave does."""
        receiver = self._receiver
        *_, first, step = scope["path"].split("/")
        await receiver.receive(int(first), int(step), body_pieces(receive))
        if self._receiver is receiver:
            receiver.finish()
            self._receiver = WeightsReceiver(self._entry, self._cipher)
        await respond(send, 204)


def main() -> None:
    """Serve until the process is ended."""
    socket, folder = map(Path, sys.argv[1:])
    app = Receiving(folder, bytes.fromhex(sys.stdin.readline()))
    config = uvicorn.Config(app, http=BoundedProtocol, ws="none", lifespan="off", access_log=False, log_config=None)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listen(UnixAddress(socket))]))


if __name__ == "__main__":
    main()

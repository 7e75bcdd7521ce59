"""The dev KMS in a process of its own, which also says how often it was called.

python -m benchmarks.release.counted_kms STATE
"""

from __future__ import annotations

import sys
from pathlib import Path

from strongroom.simulator.kms.app import Receive, Scope, Send, build_app
from strongroom.simulator.kms.server import App, serve_app
from strongroom.simulator.operator import ACCOUNT, REGION

CALLS_PATH = "/calls"


class CountedKMS:
    """Passes every request to the dev KMS and counts it; answers ``GET /calls`` with the count, uncounted."""

    def __init__(self, kms: App) -> None:
        self._kms, self._calls = kms, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry; only ``http`` scopes are served."""
        if (scope["method"], scope["path"]) != ("GET", CALLS_PATH):
            self._calls += 1
            return await self._kms(scope, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        return await send({"type": "http.response.body", "body": b"%d" % self._calls})


def main() -> None:
    """Serve over TLS on a free port until told to stop."""
    state = Path(sys.argv[1])
    serve_app(CountedKMS(build_app(state, region=REGION, account=ACCOUNT)), state, 0, tls=True, region=REGION)


if __name__ == "__main__":
    main()

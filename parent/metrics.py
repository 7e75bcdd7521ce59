"""Counters for the operator. Labels come from fixed sets only; nothing here depends on what is inside a seal.

The host sees each request pass anyway, so these figures tell it nothing new. What the enclaves themselves publish is
another matter (R21): see parent.enclave_metrics.
"""

import time
from collections.abc import Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parent.fleet import Fleet
from parent.fleet_metrics import FleetCollector

_OTHER = "other"


class Metrics:
    """The gateway's own registry; `routes` is the fixed set of paths that may appear as labels."""

    def __init__(self, routes: Collection[str]) -> None:
        self._routes = frozenset(routes)
        self._registry = CollectorRegistry()

        def named(name: str) -> str:
            return f"strongroom_gateway_{name}"

        self._requests = Counter(named("requests"), "Requests answered.", ["route", "status"], registry=self._registry)
        self._seconds = Histogram(
            named("request_seconds"), "From head to last byte.", ["route"], registry=self._registry
        )
        self._in_flight = Gauge(named("in_flight"), "Requests being answered.", registry=self._registry)
        self._received = Counter(named("received_bytes"), "Request bodies.", registry=self._registry)
        self._sent = Counter(named("sent_bytes"), "Response bodies.", registry=self._registry)
        self._failures = Counter(named("enclave_failures"), "Exchanges that failed.", ["kind"], registry=self._registry)

    def exposition(self) -> bytes:
        """Prometheus's text format."""
        return generate_latest(self._registry)

    def enclave_failed(self, kind: str) -> None:
        """Count one failed exchange; `kind` is EnclaveError.kind."""
        self._failures.labels(kind).inc()

    def watch(self, fleet: Fleet) -> None:
        """Ask the enclaves at every scrape."""
        self._registry.register(FleetCollector(fleet))

    def begin(self) -> float:
        """A request begins; the value goes to `end`."""
        self._in_flight.inc()
        return time.monotonic()

    def end(self, path: str, status: int, begun_s: float) -> None:
        """A request ended; status 0 means that nobody was left to answer."""
        route = path if path in self._routes else _OTHER
        self._in_flight.dec()
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(time.monotonic() - begun_s)

    def received(self, count_bytes: int) -> None:
        """Count request bytes."""
        self._received.inc(count_bytes)

    def sent(self, count_bytes: int) -> None:
        """Count response bytes."""
        self._sent.inc(count_bytes)


class Measured:
    """ASGI middleware that feeds Metrics."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; count it and its bytes."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status = 0

        async def counted_receive() -> Message:
            message = await receive()
            self._metrics.received(len(message.get("body", b"")))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            self._metrics.sent(len(message.get("body", b"")))
            await send(message)

        begun_s = self._metrics.begin()
        try:
            return await self._app(scope, counted_receive, counted_send)
        finally:
            # The route's own path where one matched: a digest in the path is no label.
            route = str(getattr(scope.get("route"), "path", scope["path"]))
            self._metrics.end(route, status, begun_s)

"""Figures of each enclave, asked for at every scrape; their label is the enclave's number in the settings."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from parent.audit.state import AuditState
from parent.enclave_metrics import families
from parent.fleet import Fleet

_PREFIX = "strongroom_gateway_"
_ENCLAVE = ["enclave"]
_FAILURES = [state for state in AuditState if state not in (AuditState.WAITING, AuditState.KEPT)]


class FleetCollector(Collector):
    """Readiness, the audit logs if they are kept, who waits, and what the enclaves publish."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterable[Metric]:
        """The figures now; of the enclaves' own, the latest that were fetched."""
        yield GaugeMetricFamily(_PREFIX + "ready", "1 while at least one enclave is ready.", float(self._fleet.ready))
        ready = GaugeMetricFamily(
            _PREFIX + "enclave_ready", "1 while its latest attestation is verified and fresh.", labels=_ENCLAVE
        )
        for enclave in self._fleet.enclaves:
            ready.add_metric([str(enclave.number)], float(enclave.readiness.ready))
        yield ready
        yield from self._audit_logs()
        yield from self._waiting()
        latest = {str(enclave.number): enclave.metrics.latest for enclave in self._fleet.enclaves}
        yield from families({number: metrics for number, metrics in latest.items() if metrics is not None})

    def _waiting(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(_PREFIX + "waiting", "Sealed requests that wait for their turn.", labels=_ENCLAVE)
        for enclave in self._fleet.enclaves:
            waiting.add_metric([str(enclave.number)], enclave.turns.waiting)
        yield waiting

    def _audit_logs(self) -> Iterator[Metric]:
        leaves = GaugeMetricFamily(_PREFIX + "audit_leaves", "Stored of this boot's audit log.", labels=_ENCLAVE)
        due = GaugeMetricFamily(_PREFIX + "audit_due_leaves", "Known to be still missing there.", labels=_ENCLAVE)
        failures = CounterMetricFamily(
            _PREFIX + "audit_failures", "Pulls of an audit log that failed.", labels=[*_ENCLAVE, "state"]
        )
        for enclave in self._fleet.enclaves:
            if (keeper := enclave.keeper) is not None:
                number = str(enclave.number)
                leaves.add_metric([number], keeper.leaves)
                due.add_metric([number], keeper.due)
                for state in _FAILURES:
                    failures.add_metric([number, state], keeper.failures[state])
        yield from (leaves, due, failures)
